# Runs keepalived's check of this node once, as keepalived does; changes nothing.
# Arguments: PATH of the check.
# Output: the check's words on standard error.
# Exit codes: 0 it passes; 3 it fails; 4 it is not there.
set -eu
[ -x "$1" ] || exit 4
"$1" </dev/null 1>&2 || exit 3
