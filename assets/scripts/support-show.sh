# Prints one part of how a host is, for a support bundle; changes nothing. What is secret in it is masked by whoever reads it.
# Arguments: the part (system, network, units, rke2, keepalived, kernel, config, logs, containers, state), and how many
# bytes of it at most: of more the end is kept.
# Output: commands with what they said. A program that is not there says so in its own words.
# Exit codes: 0; 2 no such part.
set -u
part=$1 most=${2:-262144}
rancher=/var/lib/rancher/rke2
units='rke2-server rke2-agent keepalived haproxy nfs-server mysql mysqld mysql-dump-rbdtui containerd docker firewalld ufw chronyd chrony systemd-timesyncd'

say() {
	printf '$ %s\n' "$*"
	timeout 20 "$@" 2>&1 || printf '(exit %s)\n' "$?"
	echo
}

show() {
	for file in "$@"; do
		[ -f "$file" ] || continue
		printf -- '--- %s\n' "$file"
		cat -- "$file" 2>&1
		echo
	done
}

ends() {
	for file in "$@"; do
		[ -f "$file" ] || continue
		printf -- '--- %s\n' "$file"
		tail -c 65536 -- "$file" 2>&1
		echo
	done
}

system() {
	say uname -a
	show /etc/os-release
	say uptime
	say date -u
	say nproc
	say free -m
	say df -hT
	say df -i
	say mount
	say sysctl net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables fs.inotify.max_user_instances vm.max_map_count
	say timedatectl
	say ps -eo pid,ppid,user,pcpu,pmem,etimes,comm --sort=-pcpu
}

network() {
	say ip -s address
	say ip route show table all
	say ip neighbour
	say ss -lntup
	show /etc/hosts /etc/resolv.conf
	say iptables-save -c
}

units() {
	say systemctl --failed --no-pager --plain
	for unit in $units; do
		say systemctl show -p Id -p LoadState -p ActiveState -p SubState -p Result -p NRestarts -p ExecMainStartTimestamp \
			-p UnitFileState "$unit.service"
	done
	say systemctl list-units --all --no-pager --plain 'rbdtui-*'
}

config() {
	show /etc/rancher/rke2/*.yaml /etc/rancher/rke2/config.yaml.d/*.yaml /etc/default/rke2-* /etc/keepalived/keepalived.conf /etc/haproxy/haproxy.cfg /etc/exports /etc/exports.d/*.exports \
		/etc/nfs.conf.d/*.conf \
		/etc/mysql/mysql.conf.d/zz-rbdtui.cnf \
		/etc/my.cnf.d/zz-rbdtui.cnf \
		/etc/sysctl.d/*rbdtui* /etc/modules-load.d/*rbdtui* /etc/NetworkManager/conf.d/*rke2* \
		"$rancher"/agent/etc/containerd/config.toml "$rancher"/agent/etc/containerd/certs.d/*/hosts.toml
}

containers() {
	CONTAINER_RUNTIME_ENDPOINT=unix:///run/k3s/containerd/containerd.sock
	export CONTAINER_RUNTIME_ENDPOINT
	say "$rancher/bin/crictl" pods
	say "$rancher/bin/crictl" ps -a
	say "$rancher/bin/crictl" images --digests
}

state() {
	say ls -lanR /var/lib/rbdtui
	say ls -lan "$rancher/agent/images" "$rancher/agent/pod-manifests" /opt/rainbond /grdata
	show /var/lib/rbdtui/claim.json /var/lib/rbdtui/rke2-unpacked
}

case $part in
system | network | units | config | containers | state) "$part" ;;
rke2) say journalctl --no-pager -o short-iso -n 3000 -u rke2-server -u rke2-agent ;;
keepalived) say journalctl --no-pager -o short-iso -n 1000 -u keepalived -u haproxy -u nfs-server -u nfs-mountd -u mysql -u mysqld -u mysql-dump-rbdtui ;;
kernel) say journalctl --no-pager -o short-iso -k -n 1000 ;;
logs) ends "$rancher/agent/containerd/containerd.log" "$rancher/agent/logs/kubelet.log" ;;
*) exit 2 ;;
esac | tail -c "$most"
