# Removes a system user that nobody uses, and the group of the same name. Arguments: NAME.
# Output: what was refused, on standard error. Exit codes: 0 gone; 3 refused, also while data of etcd belongs to it.
# shellcheck shell=sh
set -eu
data=/var/lib/rancher/rke2/server/db/etcd
if [ -d "$data" ] && [ "$(stat -c %U -- "$data")" = "$1" ]; then
	echo "$data belongs to $1" >&2
	exit 3
fi
userdel -- "$1" || exit 3
