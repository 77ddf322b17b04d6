# Lists what rbdtui and RKE2 have left on this host, and takes it away, one kind at a time, going on past failures.
# Arguments: ACTION ARGS...
#   look VIP SIZES   changes nothing; VIP may be "", SIZES is "sizes" or "". Output: lines "KIND<TAB>WHAT<TAB>MORE":
#                    job, unit, process, mount, link, rules, address, keepalived, haproxy, nfs-server (WHAT: the
#                    directory that ours gives away), nfs-copy (WHAT: a unit of the copy), mysql (WHAT: its unit), file (MORE: the site that it was written
#                    for), path and data (MORE: KiB, or ""), state; "stays": what is left to others; "hosts-before": where
#                    the hosts file lies as it was before rbdtui.
#   jobs UNIT...     stops transient units of rbdtui
#   keepalived       stops keepalived and keeps it from starting at boot
#   haproxy          the same for HAProxy
#   nfs-server       gives our directory to nobody any more; stops the NFS server unless it has other exports
#   nfs-copy         stops what sends or takes the copy of an NFS server's directory; the data stay
#   mysql            stops the MySQL server that has our settings, and its nightly dump; data and dumps stay
#   rke2             stops RKE2 and all containers, with RKE2's own script where it is there; then mounts, links, rules
#   address VIP      takes the address from the interface that holds it
#   paths PATH...    deletes; only what `look` lists
#   state            sets booleans of SELinux off that were set on, deletes rbdtui's own directory, the mark of the
#                    site last
# Exit codes: 0 done; 3 something could not be done, in the words of the programs on standard error; 64 unknown action.
# shellcheck shell=sh
set -eu
action=$1
shift
status=0
home=/var/lib/rbdtui
data=/var/lib/rancher/rke2
ours='^# Written by rbdtui for site '
exports=/etc/exports.d/rbdtui.exports
mysql='/etc/mysql/mysql.conf.d/zz-rbdtui.cnf /etc/my.cnf.d/zz-rbdtui.cnf /etc/my.cnf'
chains='KUBE-|CNI-|cali-|cali:|CILIUM_|FLANNEL|flannel'

try() { "$@" || status=3; }
say() { printf '%s\t%s\t%s\n' "$1" "$2" "${3:-}"; }
is_mounted() { awk -v path="$1" '$2 == path { found = 1 } END { exit !found }' /proc/self/mounts; }
# Whether somebody else's containers run here: what all runtimes share is left to them.
others() {
	for unit in docker containerd crio k3s k3s-agent kubelet; do
		if systemctl is-active --quiet "$unit.service" 2>/dev/null; then echo "$unit.service"; fi
	done
}
# RKE2's own programs share this host's mounts, which those of a cluster in a container of this host do not.
programs() {
	here=$(readlink /proc/self/ns/mnt)
	for process in /proc/[0-9]*; do
		program=$(readlink "$process/exe" 2>/dev/null) || continue
		case $program in $data/* | /usr/local/bin/rke2* | /opt/rke2/bin/rke2*) ;; *) continue ;; esac
		[ "$(readlink "$process/ns/mnt" 2>/dev/null)" != "$here" ] || echo "${process##*/} $program"
	done
}
with_descendants() {
	for pid; do
		echo "$pid"
		# shellcheck disable=SC2046
		with_descendants $(cat "/proc/$pid/task/"*/children 2>/dev/null)
	done
}
# Containers too: what a shim started, and what lost its shim but is in kubelet's group.
processes() {
	found=$(programs)
	[ -z "$found" ] || printf '%s\n' "$found"
	# shellcheck disable=SC2046
	with_descendants $(printf '%s\n' "$found" | cut -d ' ' -f 1) | sed 's/$/ container/'
	[ -n "$(others)" ] || grep -Els '^[0-9]+:[^/]*:/kubepods' /proc/[0-9]*/cgroup 2>/dev/null |
		sed 's|/proc/\([0-9]*\)/cgroup|\1 container|' || true
}
mounts() { awk '$2 ~ "^(/var/lib/kubelet/|/run/k3s/|/run/netns/cni-)" { print $2 }' /proc/self/mounts | sort -r; }
links() {
	for link in /sys/class/net/*; do
		case ${link##*/} in
		cni0 | flannel.* | flannel-* | vxlan.calico | cali* | cilium_* | kube-ipvs0 | nodelocaldns) echo "${link##*/}" ;;
		esac
	done
}
rules() {
	for family in iptables ip6tables; do
		command -v $family-save >/dev/null || continue
		count=$($family-save 2>/dev/null | grep -Ec "$chains" || true)
		[ "${count:-0}" -eq 0 ] || echo "$family $count"
	done
}
served() { command -v exportfs >/dev/null && exportfs -s 2>/dev/null | awk -v path="$1" '$1 == path { found = 1 } END { exit !found }'; }
others_exports() { for table in /etc/exports /etc/exports.d/*.exports; do [ "$table" = $exports ] || sed 's/#.*//' "$table" 2>/dev/null; done | grep -q '[^[:space:]]'; }
copied() { sed -n -e 's|^\(/[^ ]*\) .*|\1/.rbdtui-nfs|p' -e 's|^path = \(/.*\)|\1/.rbdtui-nfs|p' $exports /etc/rbdtui-rsyncd.conf 2>/dev/null || true; }
holds() { [ -z "$1" ] || ! command -v ip >/dev/null || ip -o -4 address show to "$1/32" | awk '{ print $4, $2 }'; }
paths() {
	for path in /etc/rancher/rke2 /etc/rancher/node $data /run/k3s /run/flannel /run/calico /var/lib/calico \
		/var/log/pods /var/log/containers /usr/local/bin/rke2 /usr/local/bin/rke2-killall.sh \
		/usr/local/bin/rke2-uninstall.sh /usr/local/share/rke2 /usr/local/lib/systemd/system/rke2-*.service \
		/usr/local/lib/systemd/system/rke2-*.env /etc/systemd/system/rke2-*.service /opt/rke2; do echo "path $path"; done
	for path in /etc/cni /opt/cni /var/lib/cni /var/lib/kubelet; do echo "shared $path"; done
	echo "data /opt/rainbond"
}
# An empty directory counts for nothing, nor does what every file system has.
is_something() {
	if [ ! -d "$1" ]; then
		[ -e "$1" ] || [ -L "$1" ]
		return
	fi
	for entry in "$1"/* "$1"/.[!.]*; do
		if [ "${entry##*/}" != lost+found ] && { [ -e "$entry" ] || [ -L "$entry" ]; }; then return 0; fi
	done
	return 1
}
has_more() { [ ! -d "$1" ] || [ -n "$(find "$1/" ! -type d ! -path '*/lost+found*' 2>/dev/null | head -n 1)" ]; }
delete() {
	if [ -d "$1" ] && { [ -L "$1" ] || is_mounted "$1"; }; then
		# The disk, or the link to where there is room, is the operator's.
		try find "$1/" -xdev -mindepth 1 ! -path '*/lost+found*' -delete
	else
		try rm -rf --one-file-system -- "$1"
	fi
}

case $action in
look)
	for unit in $(systemctl list-units --all --plain --no-legend 'rbdtui-*' 2>/dev/null | awk '{ print $1 }'); do
		say job "$unit"
	done
	for unit in rke2-server.service rke2-agent.service; do
		case $(systemctl show -p LoadState --value "$unit" 2>/dev/null) in '' | not-found) ;; *) say unit "$unit" ;; esac
	done
	processes | sort -un | while read -r pid program; do say process "$pid" "$program"; done
	mounts | while read -r path; do say mount "$path"; done
	links | while read -r link; do say link "$link"; done
	rules | while read -r family count; do say rules "$family" "$count"; done
	holds "$1" | while read -r address link; do say address "$address" "$link"; done
	if head -n 3 $exports 2>/dev/null | grep -q "$ours"; then
		given=$(sed -n 's/^\(\/[^ ]*\) .*/\1/p' $exports | head -n 1)
		if served "$given" || systemctl is-active --quiet nfs-server.service 2>/dev/null; then say nfs-server "$given"; fi
	fi
	for unit in nfs-push-rbdtui.service nfs-copy-rbdtui.service; do
		head -n 3 /etc/systemd/system/$unit 2>/dev/null | grep -q "$ours" || continue
		case $(systemctl is-active $unit 2>/dev/null || true) in active | activating | failed) ;; *) systemctl is-enabled --quiet $unit 2>/dev/null || continue ;; esac
		say nfs-copy $unit
	done
	for config in $mysql; do
		head -n 3 "$config" 2>/dev/null | grep -q "$ours" || continue
		for unit in mysql.service mysqld.service; do
			case $(systemctl is-active "$unit" 2>/dev/null || true) in active | activating | reloading | failed) ;; *) systemctl is-enabled --quiet "$unit" 2>/dev/null || continue ;; esac
			say mysql "$unit"
			break
		done
	done
	for config in /etc/keepalived/keepalived.conf /etc/haproxy/haproxy.cfg; do
		head -n 3 $config 2>/dev/null | grep -q "$ours" || continue
		name=${config#/etc/} name=${name%%/*}
		case $(systemctl is-active "$name.service" 2>/dev/null || true) in active | activating | reloading | failed) say "$name" running ;; *)
			! systemctl is-enabled --quiet "$name.service" 2>/dev/null || say "$name" enabled
			;;
		esac
	done
	# The mark comes first: whoever is cut off behind the files that name its place would not find it again.
	for file in $(copied) /etc/keepalived/* /etc/haproxy/* /etc/sysctl.d/* /etc/modules-load.d/* /etc/modprobe.d/* /etc/exports.d/* /etc/nfs.conf.d/* $mysql /etc/mysql/mysql.conf.d/rbdtui-* /etc/my.cnf.d/rbdtui-* /etc/rbdtui-* /usr/local/sbin/rbdtui-* /etc/NetworkManager/conf.d/* /etc/resolv.conf \
		/etc/systemd/system/*.d/* /etc/systemd/system/*.service /etc/systemd/system/*.timer /usr/libexec/keepalived/*; do
		[ -f "$file" ] || continue
		site=$(head -n 3 -- "$file" 2>/dev/null | sed -n "s/$ours\([^;]*\);.*/\1/p" | head -n 1)
		[ -z "$site" ] || say file "$file" "$site"
	done
	foreign=$(others)
	paths | while read -r kind path; do
		is_something "$path" || continue
		case $path in /etc/cni | /opt/cni | /var/lib/cni | /var/log/pods | /var/log/containers | /run/*) has_more "$path" || continue ;; esac
		if [ "$kind" = shared ] && [ -n "$foreign" ]; then
			say stays "$path" "$(echo "$foreign" | tr '\n' ' ')"
			continue
		fi
		[ "$kind" != shared ] || kind=path
		size=''
		case $2:$path in
		sizes:"$data" | sizes:/opt/rainbond) size=$(timeout 20 du -skx -- "$path/" 2>/dev/null | cut -f 1 || true) ;;
		esac
		say "$kind" "$path" "$size"
	done
	# The file that was there first was also kept first, and copies keep their times.
	# shellcheck disable=SC2012
	before=$(ls -tr -- $home/backup/*/etc/hosts 2>/dev/null | head -n 1)
	[ -z "$before" ] || say hosts-before "$before"
	[ ! -e $home ] || ! is_something $home || say state $home
	;;
jobs)
	for unit; do
		case $unit in
		rbdtui-*)
			try systemctl stop "$unit"
			systemctl reset-failed "$unit" 2>/dev/null || true
			;;
		esac
	done
	;;
keepalived | haproxy)
	try systemctl stop "$action.service"
	try systemctl --quiet disable "$action.service"
	systemctl reset-failed "$action.service" 2>/dev/null || true
	;;
nfs-copy)
	for unit in nfs-push-rbdtui.service nfs-copy-rbdtui.service; do
		[ -f /etc/systemd/system/$unit ] || continue
		try systemctl stop $unit
		try systemctl --quiet disable $unit
		systemctl reset-failed $unit 2>/dev/null || true
	done
	;;
mysql)
	for unit in mysql-dump-rbdtui.timer mysql.service mysqld.service; do
		case $(systemctl show -p LoadState --value "$unit" 2>/dev/null) in '' | not-found) continue ;; esac
		try systemctl stop "$unit"
		try systemctl --quiet disable "$unit"
		systemctl reset-failed "$unit" 2>/dev/null || true
	done
	;;
nfs-server)
	if others_exports; then
		sed -n 's/^\(\/[^ ]*\) \(.*\)/\1 \2/p' $exports | while read -r path clients; do
			for client in $clients; do exportfs -u "${client%%(*}:$path" || exit 3; done
		done || status=3
	else
		try systemctl stop nfs-server.service
		try systemctl --quiet disable nfs-server.service
		systemctl reset-failed nfs-server.service 2>/dev/null || true
	fi
	;;
rke2)
	for unit in rke2-server.service rke2-agent.service; do
		case $(systemctl show -p LoadState --value "$unit" 2>/dev/null) in
		'' | not-found) ;;
		*)
			try systemctl --quiet disable "$unit"
			try systemctl stop "$unit"
			;;
		esac
	done
	for directory in /usr/local/bin /opt/rke2/bin /usr/bin; do
		[ ! -x "$directory/rke2-killall.sh" ] || "$directory/rke2-killall.sh" </dev/null 2>&1 || true
	done
	for pause in 0 1 3; do
		sleep $pause
		pids=$(processes | cut -d ' ' -f 1 | sort -un)
		[ -n "$pids" ] || break
		# shellcheck disable=SC2086
		kill -9 $pids 2>/dev/null || true
	done
	failed=$(mounts | while read -r path; do
		path=$(printf '%b' "$path")
		umount -- "$path" 2>/dev/null || umount -f -l -- "$path" || echo "$path"
	done)
	[ -z "$failed" ] || status=3
	for link in $(links); do ip link delete "$link" 2>/dev/null || true; done
	for family in $(rules | cut -d ' ' -f 1); do
		$family-save | grep -Ev "$chains" | $family-restore || status=3
	done
	;;
address)
	holds "$1" | while read -r address link; do ip address delete "$address" dev "$link" || exit 3; done || status=3
	;;
paths)
	allowed=$(paths | cut -d ' ' -f 2)
	for path; do
		if printf '%s\n' "$allowed" | grep -qxF -- "$path"; then delete "$path"; else exit 64; fi
	done
	for directory in /etc/rancher /var/lib/rancher /usr/local/lib/systemd/system; do
		rmdir -- "$directory" 2>/dev/null || true
	done
	systemctl daemon-reload || status=3
	;;
state)
	for boolean in $home/booleans/*; do
		if [ -e "$boolean" ]; then try setsebool -P "${boolean##*/}" off; fi
	done
	for entry in $home/* $home/.[!.]*; do
		case ${entry##*/} in claim.json | lost+found) continue ;; esac
		if [ -e "$entry" ] || [ -L "$entry" ]; then delete "$entry"; fi
	done
	[ $status -ne 0 ] || {
		rm -f -- $home/claim.json
		rmdir -- $home 2>/dev/null || true
	}
	;;
*) exit 64 ;;
esac
exit $status
