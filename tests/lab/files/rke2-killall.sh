#!/bin/sh
# Stops everything that RKE2 started, and takes its mounts, links and packet filter rules away.
[ "$(id -u)" -eq 0 ] || exec sudo "$0" "$@"

kill_matching() {
    ps -e -o pid= -o args= | grep -E "$1" | grep -v grep | while read -r pid _; do
        for child in $(cat "/proc/$pid/task/$pid/children" 2>/dev/null); do
            [ "$2" = and-children ] && kill -9 "$child" 2>/dev/null
        done
        kill -9 "$pid" 2>/dev/null
    done
}

systemctl stop rke2-server.service rke2-agent.service 2>/dev/null
kill_matching '/var/lib/rancher/rke2/(data|bin)'
kill_matching 'containerd-shim-runc-v2' and-children
sleep 1
awk '{print $2}' /proc/self/mounts | grep -E '^(/run/k3s|/var/lib/kubelet/pods|/run/netns/cni-)' | sort -r | while read -r mount; do
    umount -l "$mount"
done
ip link delete cni0 2>/dev/null
iptables-save | grep -vE 'KUBE-|CNI-' | iptables-restore
exit 0
