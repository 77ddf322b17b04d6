#!/bin/sh
# Removes RKE2 and everything it has written; on the RHEL family also packages called rke2-* and the SELinux policy.
# It ends at the first command that fails, and takes itself away in any case.
set -ex
if [ "$(id -u)" -ne 0 ]; then
    echo "$(basename "$0"): must be run as root" >&2
    exit 1
fi
data=${RKE2_DATA_DIR:-/var/lib/rancher/rke2}
root=${INSTALL_RKE2_ROOT:-/usr/local}
red_hat=no
for file in /etc/redhat-release /etc/centos-release /etc/oracle-release /etc/system-release; do
    [ ! -r "$file" ] || red_hat=yes
done

killall=$(dirname "$0")/rke2-killall.sh
[ ! -e "$killall" ] || "$killall"

trap 'rm -f -- "$root/bin/rke2-uninstall.sh"' EXIT
for mode in server agent; do
    systemctl disable "rke2-$mode" || true
    systemctl reset-failed "rke2-$mode" || true
done
systemctl daemon-reload
if [ $red_hat = yes ]; then
    yum remove -y "rke2-*"
    rm -f /etc/yum.repos.d/rancher-rke2*.repo
fi
find "$root/lib/systemd/system" -type f \( -name 'rke2-*.service' -o -name 'rke2-*.env' \) -delete
find /etc/systemd/system -type f -name 'rke2-*.service' -delete
rm -f -- "$root/bin/rke2" "$root/bin/rke2-killall.sh"
rm -rf -- "$root/share/rke2"
rm -rf /etc/rancher/rke2 /etc/rancher/node /etc/cni /opt/cni/bin /var/lib/cni /var/log/pods /var/log/containers
rm -d /etc/rancher || true
rm -rf --one-file-system /var/lib/kubelet/* || true
rm -rf -- "$data"
rm -d /var/lib/rancher || true
semodule -r rke2 || true
