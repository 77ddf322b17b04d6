#!/bin/sh
# Removes RKE2 and everything it has written.
[ "$(id -u)" -eq 0 ] || exec sudo "$0" "$@"

/usr/local/bin/rke2-killall.sh
systemctl disable rke2-server.service rke2-agent.service 2>/dev/null
rm -f /usr/local/lib/systemd/system/rke2-server.* /usr/local/lib/systemd/system/rke2-agent.*
systemctl daemon-reload
rm -rf /etc/rancher/rke2 /etc/kubernetes /etc/cni/net.d /var/lib/kubelet /run/k3s
rm -rf /var/lib/rancher/rke2 /usr/local/share/rke2
rm -f /usr/local/bin/rke2 /usr/local/bin/rke2-killall.sh /usr/local/bin/rke2-uninstall.sh
