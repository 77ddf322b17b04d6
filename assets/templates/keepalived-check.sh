#!/bin/sh
$header
# keepalived asks: does RKE2 take new nodes here (9345), and is the API server ready (6443)? Both, because the API server
# outlives a stopped rke2-server. Three times no, and the address moves to another gateway.
ask() {
    timeout 4 /var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml --request-timeout=2s \
        get --raw "$$@" >/dev/null 2>&1
}
ask /ping --server=https://127.0.0.1:9345 --insecure-skip-tls-verify &
supervisor=$$!
ask /readyz
ready=$$?
wait "$$supervisor" || exit 3
exit "$$ready"
