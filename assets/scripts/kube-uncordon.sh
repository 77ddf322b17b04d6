# Lets pods come to a node again. Runs on a server. Arguments: look|open NODE.
# Output: of "look" yes when no new pods come to it, no, or nothing for a node that is not there; of "open" kubectl's.
# Exit codes: 0; 3 kubectl could not.
set -eu
ask=$1 node=$2
kubectl() { /var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml --request-timeout=10s "$@"; }
if [ "$ask" = open ]; then
	kubectl uncordon "$node" 2>&1 || exit 3
	exit 0
fi
found=$(kubectl get node "$node" --ignore-not-found -o "jsonpath=node{.spec.unschedulable}") || exit 3
case $found in
nodetrue) echo yes ;;
node*) echo no ;;
esac
