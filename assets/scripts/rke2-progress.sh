# Prints how far a starting RKE2 has come and what it logged since the last call; changes nothing.
# Arguments: UNIT (rke2-server.service or rke2-agent.service), CURSOR of the journal as an earlier call printed it,
# or "" for the newest 20 lines.
# Output: lines "active=", "restarts=", "supervisor=yes|no" (9345 listens), "api=yes|no" (/readyz of this host's API
# server answers; only asked once the unit is active and 6443 listens), "cursor=", an empty line, then the log lines.
# Of a line the first 600 bytes are printed.
# Exit codes: 0; 1 when systemd does not answer.
set -eu
unit=$1 cursor=$2
listens() {
	grep -Eiq "^ *[0-9]+: [0-9A-F]+:$1 [0-9A-F:]+ 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null
}
shown=$(systemctl show --property=ActiveState,NRestarts "$unit")
value() { printf '%s\n' "$shown" | sed -n "s/^$1=//p"; }
supervisor=no api=no
if listens 2481; then supervisor=yes; fi
if [ "$(value ActiveState)" = active ] && listens 192B && timeout 3 /var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml \
	get --raw /readyz --request-timeout=2s >/dev/null 2>&1; then api=yes; fi
if [ -n "$cursor" ]; then
	set -- --after-cursor="$cursor" --lines=400
else
	set -- --lines=20
fi
log=$(journalctl --no-pager --quiet --output=cat --show-cursor --unit="$unit" "$@" || true)
next=$(printf '%s\n' "$log" | sed -n 's/^-- cursor: //p' | tail -n 1)
printf '%s\n' "active=$(value ActiveState)" "restarts=$(value NRestarts)" \
	"supervisor=$supervisor" "api=$api" "cursor=${next:-$cursor}" ""
printf '%s\n' "$log" | sed '/^-- cursor: /d' | cut -b 1-600
