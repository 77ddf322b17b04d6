# Ends listeners before their time. Arguments: UNIT. Output: none. Exit code: 0, also when there are none.
# shellcheck shell=sh
set -eu
command -v systemctl > /dev/null || exit 0
systemctl stop "$1.service" 2> /dev/null || :
systemctl reset-failed "$1.service" 2> /dev/null || :
