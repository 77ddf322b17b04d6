# Takes the attributes i (immutable) and a (append only) off files and directories. Arguments: PATH...
# Output: what was refused, on standard error. Exit codes: 0 done; 3 refused.
# shellcheck shell=sh
set -eu
chattr -i -a -- "$@" || exit 3
