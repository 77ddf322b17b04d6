# Prints how systemd sees units; changes nothing.
# Arguments: UNIT... with their suffix, e.g. keepalived.service.
# Output: per unit the lines Id=, LoadState=, ActiveState=, SubState=, Result=, UnitFileState=,
# NeedDaemonReload= in any order, then an empty line. A unit that is not there has LoadState=not-found.
# Exit codes: 0; 1 when systemd does not answer.
set -eu
for unit; do
	systemctl show --property=Id,LoadState,ActiveState,SubState,Result,UnitFileState,NeedDaemonReload "$unit"
	echo
done
