# Does one thing with a systemd unit, waiting for its end.
# Arguments: UNIT ACTION, which is one of enable, disable, start, start-no-wait, stop, restart, reload-or-restart,
# reload, reset-failed, daemon-reload (UNIT is then "-").
# Output: on failure the unit's last log lines on standard error.
# Exit codes: 0 done; 3 systemd could not do it; 64 unknown action.
set -eu
unit=$1 action=$2
case $action in
daemon-reload)
	systemctl daemon-reload
	exit 0
	;;
start-no-wait) set -- start --no-block "$unit" ;;
enable | disable | start | stop | restart | reload-or-restart | reload | reset-failed) set -- "$action" "$unit" ;;
*) exit 64 ;;
esac
if ! systemctl --quiet "$@"; then
	journalctl --no-pager --quiet --output=cat --lines=15 --unit="$unit" >&2 || true
	exit 3
fi
