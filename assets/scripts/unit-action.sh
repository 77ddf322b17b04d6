# Does things with a systemd unit, one after the other, each to its end.
# Arguments: UNIT ACTION...: daemon-reload (for all units), enable, disable, start, start-no-wait, stop, restart,
# reload, reload-or-restart, reset-failed.
# Output: on failure the unit's last log lines on standard error.
# Exit codes: 0 done; 3 systemd could not do it; 64 unknown action.
set -eu
unit=$1
shift
for action; do
	case $action in
	daemon-reload) set -- daemon-reload ;;
	start-no-wait) set -- start --no-block "$unit" ;;
	enable | disable | start | stop | restart | reload | reload-or-restart | reset-failed) set -- "$action" "$unit" ;;
	*) exit 64 ;;
	esac
	systemctl --quiet "$@" || {
		journalctl --no-pager --quiet --output=cat --lines=15 --unit="$unit" >&2 || true
		exit 3
	}
done
