# Stops RKE2's server on this host, keeps it from starting at boot, and ends what lives on without it: etcd, the API
# server, scheduler and controllers, which would go on with the data as they are. Other pods stay. Arguments: none.
# Exit codes: 0; 3 systemd could not stop it; 4 a process does not end (its name on standard error).
set -eu
unit=rke2-server.service
systemctl --quiet disable $unit 2>/dev/null || true
systemctl --quiet stop $unit || exit 3
running() {
	for process in /proc/[0-9]*; do
		read -r name 2>/dev/null <"$process/comm" || continue
		case $name in
		etcd | kube-apiserver | kube-controller | kube-scheduler) ;;
		*) continue ;;
		esac
		grep -Eqs '^[0-9]+:[^/]*:/.*kubepods' "$process/cgroup" || continue
		echo "${process#/proc/}"
	done
}
tries=0
while [ -n "$(running)" ]; do
	tries=$((tries + 1))
	signal=TERM
	[ $tries -le 10 ] || signal=KILL
	for pid in $(running); do kill -$signal "$pid" 2>/dev/null || true; done
	if [ $tries -gt 20 ]; then
		for pid in $(running); do cat "/proc/$pid/comm" >&2; done
		exit 4
	fi
	sleep 1
done
