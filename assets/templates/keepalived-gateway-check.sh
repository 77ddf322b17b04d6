#!/bin/sh
$header
# keepalived asks: does Rainbond's API answer through the gateway of this host (8889)?$about_server
# Three times no, and the address moves to another gateway. While no gateway answers, none is better than this one: then
# the address stays, so that all that has nothing to do with Rainbond is still reached.
ask() {
    timeout 4 /var/lib/rancher/rke2/bin/kubectl --request-timeout=2s get --raw "$$@" >/dev/null 2>&1
}
gateway() {
    ask /healthz --kubeconfig /dev/null --server="http://$$1:8889"
}
$server
gateway 127.0.0.1 && exit 0
others=
for peer in $peers; do
    gateway "$$peer" &
    others="$$others $$!"
done
for other in $$others; do
    wait "$$other" && exit 4
done
exit 0
