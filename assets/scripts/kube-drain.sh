# Drains a node of the cluster: no new pods, and those that are there are moved. Runs on a server.
# Arguments: NODE LIMIT_S. Pods of DaemonSets stay; what pods keep in emptyDir is lost, as are pods that nobody makes anew.
# Output: kubectl's. Exit codes: 0 drained, also when there is no such node; 3 kubectl could not, or not in time.
set -eu
node=$1 limit=$2
kubectl() { /var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml "$@"; }
found=$(kubectl --request-timeout=10s get node "$node" --ignore-not-found -o name) || exit 3
[ -n "$found" ] || exit 0
kubectl drain "$node" --ignore-daemonsets --delete-emptydir-data --force "--timeout=${limit}s" 2>&1 || exit 3
