# Stops something for a drill, with a timer on this host that starts it again whatever becomes of whoever asked.
# Arguments: ACTION ...
#   stop UNIT LIMIT_S MODE   MODE is "unit", or "containers" where all that RKE2 started ends with it
#   start UNIT               starts it again and takes the timer away; does not wait for it to be ready
#   state UNIT               changes nothing
#   gateway NODE             ends Rainbond's gateway on a node, by the API of this server; its controller makes it again
# Output: of "state" the words "active=STATE" and "timer=yes|no"; of "gateway" the names of the pods that were ended.
# Exit codes: 0 done; 3 systemd or the API could not do it; 4 there can be no timer, and nothing was stopped.
# shellcheck shell=sh
set -eu
action=$1 unit=$2
timer=rbdtui-drill-${unit%.service}
drop_timer() {
	systemctl stop "$timer.timer" 2>/dev/null || true
	systemctl reset-failed "$timer.timer" "$timer.service" 2>/dev/null || true
}
case $action in
stop)
	drop_timer
	systemd-run --quiet --unit="$timer" --on-active="$3" --timer-property=AccuracySec=1s \
		systemctl --no-block start "$unit" || exit 4
	systemctl stop "$unit" || exit 3
	if [ "$4" = containers ]; then
		for directory in /usr/local/bin /opt/rke2/bin /usr/bin; do
			[ ! -x "$directory/rke2-killall.sh" ] || "$directory/rke2-killall.sh" </dev/null >/dev/null 2>&1 || true
		done
	fi
	;;
start)
	systemctl --no-block start "$unit" || exit 3
	drop_timer
	;;
state)
	echo "active=$(systemctl is-active "$unit" || true)"
	if systemctl is-active --quiet "$timer.timer"; then echo timer=yes; else echo timer=no; fi
	;;
gateway)
	/var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml --request-timeout=15s delete pod \
		--namespace rbd-system --selector name=rbd-gateway --field-selector "spec.nodeName=$unit" --wait=false \
		--output=name || exit 3
	;;
*) exit 64 ;;
esac
