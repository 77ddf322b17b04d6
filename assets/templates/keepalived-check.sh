#!/bin/sh
$header
# keepalived asks: is the API server of this host ready? Three times no, and the address moves to another gateway.
exec timeout 4 /var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml \
    get --raw /readyz --request-timeout=2s >/dev/null 2>&1
