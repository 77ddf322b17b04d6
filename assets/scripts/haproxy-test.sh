# Has HAProxy judge a configuration before it is put in place; changes nothing that lasts.
# Arguments: none. Payload: the configuration.
# Output: HAProxy's complaints on standard error.
# Exit codes: 0 it is good; 3 it is bad; 4 there is no HAProxy.
set -eu
command -v haproxy >/dev/null || exit 4
umask 077
candidate=$(mktemp /run/rbdtui-haproxy.XXXXXX)
trap 'rm -f "$candidate"' EXIT
cat >"$candidate"
status=0
said=$(haproxy -c -f "$candidate" 2>&1) || status=$?
[ -z "$said" ] || printf '%s\n' "$said" >&2
[ $status -eq 0 ] || exit 3
