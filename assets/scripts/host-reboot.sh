# Starts this host anew, in a moment, so that whoever asks hears that it will. Arguments: none.
# Output: none. Exit codes: 0 it will; 3 systemd refused (its words on standard error).
# shellcheck shell=sh
set -eu
systemd-run --quiet --collect --unit=rbdtui-reboot --on-active=2 systemctl reboot || exit 3
