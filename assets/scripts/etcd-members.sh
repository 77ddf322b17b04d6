# Prints the members of the cluster's etcd as this host's member knows them; changes nothing. Runs on an etcd node.
# Arguments: none.
# Output: two lines of JSON, the answers of etcd's own gateway: /v3/cluster/member/list, /v3/maintenance/status.
# Exit codes: 0; 3 etcd does not answer (words on standard error).
# RKE2 brings no etcdctl to the host; kubectl, which it does bring, can send a request with a client certificate.
# The gateway is on 2382; RKE2 before 1.28.3 has it on 2379, which speaks gRPC alone since then.
set -eu
tls=/var/lib/rancher/rke2/server/tls/etcd
port=2382
listens() {
	grep -Eiq "^ *[0-9]+: [0-9A-F]+:$1 [0-9A-F:]+ 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null
}
if ! listens 094E && listens 094B; then port=2379; fi
ask() {
	printf '{}' | KUBECONFIG=/dev/null /var/lib/rancher/rke2/bin/kubectl --server="https://127.0.0.1:$port" \
		--certificate-authority=$tls/server-ca.crt --client-certificate=$tls/client.crt --client-key=$tls/client.key \
		--request-timeout=5s create --raw "$1" -f - || exit 3
	echo
}
ask /v3/cluster/member/list
ask /v3/maintenance/status
