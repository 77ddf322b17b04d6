#!/bin/sh
$header
# keepalived asks: does RKE2 take new nodes here (9345), and is the API server ready (6443)? Both, because the API server
# outlives a stopped rke2-server. Three times no, and the address moves to another gateway. While no other's API server
# is ready, none is better off than this one, and the address stays: while etcd chooses a leader, for one.
ask() {
    timeout 4 /var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml get --raw "$$@" >/dev/null 2>&1
}
ready() {
    ask /readyz --server="https://$$1:6443" --request-timeout="$$2"
}
elsewhere() {
    others=
    for peer in $peers; do
        ready "$$peer" 1s &
        others="$$others $$!"
    done
    for other in $$others; do
        wait "$$other" && return 0
    done
    return 1
}
ask /ping --server=https://127.0.0.1:9345 --insecure-skip-tls-verify --request-timeout=2s &
supervisor=$$!
ready 127.0.0.1 2s
own=$$?
wait "$$supervisor" || exit 3
[ "$$own" -eq 0 ] && exit 0
elsewhere && exit 1
exit 0
