# Gives files and directories attributes of chattr. Arguments: LETTERS PATH...; LETTERS are i, a or ia.
# Output: what was refused, on standard error. Exit codes: 0 done; 3 refused.
# shellcheck shell=sh
set -eu
letters=$1
shift
chattr "+$letters" -- "$@" || exit 3
