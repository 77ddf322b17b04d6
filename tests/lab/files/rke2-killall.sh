#!/bin/sh
# Stops everything that RKE2 started, and takes its mounts, links, manifests and packet filter rules away.
# What fails is passed over, and the end is always good, as with the real one.
if [ "$(id -u)" -ne 0 ]; then
    echo "$(basename "$0"): must be run as root" >&2
    exit 1
fi
data=${RKE2_DATA_DIR:-/var/lib/rancher/rke2}
PATH=$PATH:$data/bin
export PATH

with_descendants() {
    for pid; do
        echo "$pid"
        with_descendants $(cat "/proc/$pid/task/"*/children 2>/dev/null)
    done
}

release_mounts() {
    mounts=$(awk -v start="$1" 'index($2, start) == 1 { print $2 }' /proc/self/mounts | sort -r)
    [ -z "$mounts" ] || { umount -- $mounts && rm -rf --one-file-system -- $mounts; }
}

set -x
systemctl stop rke2-server.service || true
systemctl stop rke2-agent.service || true
shims=$(ps -e -o pid= -o args= | awk -v program="$data/data/[^/]*/bin/containerd-shim" '$2 ~ program { print $1 }')
[ -z "$shims" ] || kill -9 $(with_descendants $shims) 2>/dev/null
release_mounts /run/k3s
release_mounts /var/lib/kubelet/pods
release_mounts /run/netns/cni-
for link in cni0 flannel.1 vxlan.calico cilium_vxlan kube-ipvs0; do
    ip link delete "$link"
done
for part in etcd kube-apiserver kube-controller-manager cloud-controller-manager kube-scheduler kube-proxy; do
    rm -f "$data/agent/pod-manifests/$part.yaml"
done
for family in iptables ip6tables; do
    $family-save | grep -Ev 'KUBE-|CNI-|cali-|cali:|CILIUM_|flannel' | $family-restore
done
set +x
echo 'Rules of an older Canal may be left in the packet filter.'
