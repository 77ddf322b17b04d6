# Sets labels of a node of the cluster. Runs on a server.
# Arguments: NODE, KEY=VALUE...
# Exit codes: 0 set; 3 the API refused or does not answer (kubectl's words on standard error).
set -eu
node=$1
shift
/var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml --request-timeout=10s \
	label node "$node" "$@" --overwrite || exit 3
