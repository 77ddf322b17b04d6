#!/bin/sh
$header
# keepalived asks: does Rainbond's API answer through the gateway of this host (8889)?$about_server
# Three times no, and the address moves to another gateway. While no gateway is better off, none is better than this one:
# then the address stays, so that all that has nothing to do with what fails is still reached. While etcd chooses a
# leader, for one, no API server is ready.
ask() {
    timeout 4 /var/lib/rancher/rke2/bin/kubectl --request-timeout=2s get --raw "$$@" >/dev/null 2>&1
}
gateway() {
    ask /healthz --kubeconfig /dev/null --server="http://$$1:8889" --request-timeout="$${2:-2s}"
}
server() {
    ask /readyz --kubeconfig /etc/rancher/rke2/rke2.yaml --server="https://$$1:6443" --request-timeout="$${2:-2s}"
}
elsewhere() {
    others=
    for peer in $peers; do
        "$$1" "$$peer" 1s &
        others="$$others $$!"
    done
    for other in $$others; do
        wait "$$other" && return 0
    done
    return 1
}
$server
gateway 127.0.0.1 1s && exit 0
# Asked again, another pod of the API answers: one that died with its server is led to until Kubernetes has missed it.
gateway 127.0.0.1 1s && exit 0
elsewhere gateway && exit 4
exit 0
