# Deletes a node from the cluster, with the Secret that guards its name; RKE2 then removes its member of etcd.
# Runs on a server. Arguments: look|delete NODE.
# Output of look: "node yes|no" (its object is there, also while it is being deleted), "secret yes|no".
# Exit codes: 0; 3 the API refused or does not answer (kubectl's words on standard error); 64 another verb.
set -eu
verb=$1 node=$2
kubectl() { /var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml --request-timeout=20s "$@" || exit 3; }
secret=$node.node-password.rke2
case $verb in
look)
	found=$(kubectl get node "$node" --ignore-not-found -o name)
	echo "node $([ -n "$found" ] && echo yes || echo no)"
	found=$(kubectl -n kube-system get secret "$secret" --ignore-not-found -o name)
	echo "secret $([ -n "$found" ] && echo yes || echo no)"
	;;
delete)
	kubectl delete node "$node" --ignore-not-found --wait=false
	kubectl -n kube-system delete secret "$secret" --ignore-not-found
	;;
*) exit 64 ;;
esac
