# Has RKE2 make new certificates on this host by its own command: stopped, rotated, started again, to the end of each.
# Arguments: UNIT, rke2-server.service or rke2-agent.service. Harmless when it was cut off and is done again.
# RKE2 keeps what it had as server/tls-SECONDS (agent/tls-SECONDS). Authorities, and so the tokens, stay as they are.
# Output: RKE2's words. Exit codes: 0; 3 RKE2's program is not there; 4 it could not be stopped; 5 it did not come up
# again (its last log lines follow); 6 RKE2 refused, and runs again with what it had.
set -eu
unit=$1
rke2=/usr/local/bin/rke2
[ -x $rke2 ] || rke2=/opt/rke2/bin/rke2
if [ ! -x $rke2 ]; then
	echo 'rke2: not found' >&2
	exit 3
fi
systemctl --quiet stop "$unit" || exit 4
status=0
$rke2 certificate rotate 2>&1 || status=$?
systemctl --quiet start "$unit" || {
	journalctl --no-pager --quiet --output=cat --lines=15 --unit="$unit" || true
	exit 5
}
[ $status -eq 0 ] || exit 6
