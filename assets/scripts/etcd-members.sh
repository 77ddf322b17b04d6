# Prints the members of the cluster's etcd as this host's member knows them; changes nothing. Runs on an etcd node.
# Arguments: none.
# Output: two lines of JSON, the answers of etcd's own gateway: /v3/cluster/member/list, /v3/maintenance/status.
# Exit codes: 0; 3 etcd does not answer (words on standard error).
# RKE2 brings no etcdctl to the host; kubectl, which it does bring, can send a request with a client certificate.
set -eu
tls=/var/lib/rancher/rke2/server/tls/etcd
ask() {
	printf '{}' | KUBECONFIG=/dev/null /var/lib/rancher/rke2/bin/kubectl --server=https://127.0.0.1:2379 \
		--certificate-authority=$tls/server-ca.crt --client-certificate=$tls/client.crt --client-key=$tls/client.key \
		--request-timeout=5s create --raw "$1" -f - || exit 3
	echo
}
ask /v3/cluster/member/list
ask /v3/maintenance/status
