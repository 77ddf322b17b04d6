# Prints the nodes of the cluster as an API server knows them; changes nothing. Runs on a server.
# Arguments: none for this host's own API server, or an URL such as https://10.0.0.100:6443 to ask through there.
# Output: per node a line of five fields, separated by tabs: name, status of the Ready condition (True, False, Unknown
# or empty), internal address, kubelet's version, labels as a JSON object.
# Exit codes: 0; 3 the API does not answer (kubectl's words on standard error).
set -eu
columns='{.metadata.name}{"\t"}{.status.conditions[?(@.type=="Ready")].status}{"\t"}'
columns=$columns'{.status.addresses[?(@.type=="InternalIP")].address}{"\t"}{.status.nodeInfo.kubeletVersion}{"\t"}'
/var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml ${1:+"--server=$1"} --request-timeout=5s \
	get nodes -o jsonpath="{range .items[*]}$columns{.metadata.labels}{\"\n\"}{end}" || exit 3
