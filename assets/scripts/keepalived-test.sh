# Has keepalived judge a configuration before it is put in place; changes nothing that lasts.
# Arguments: none. Payload: the configuration.
# Output: keepalived's complaints on standard error.
# Exit codes: 0 it is good, or this keepalived cannot test; 3 it is bad; 4 there is no keepalived.
set -eu
command -v keepalived >/dev/null || exit 4
umask 077
candidate=$(mktemp /run/rbdtui-keepalived.XXXXXX)
trap 'rm -f "$candidate"' EXIT
cat >"$candidate"
status=0
said=$(keepalived --config-test --use-file "$candidate" 2>&1) || status=$?
case $said in
*"unrecognized option"* | *"unrecognised option"* | *"invalid option"*) exit 0 ;;
esac
[ -z "$said" ] || printf '%s\n' "$said" >&2
[ $status -eq 0 ] || exit 3
