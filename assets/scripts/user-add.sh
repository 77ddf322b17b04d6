# Makes a system user without a login and a group of the same name. Arguments: NAME COMMENT.
# Output: what was refused, on standard error. Exit codes: 0 made; 3 refused.
# shellcheck shell=sh
set -eu
useradd -r -c "$2" -s /sbin/nologin -M -U -- "$1" || exit 3
