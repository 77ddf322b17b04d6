# Has GlusterFS do one thing on this host.
# Arguments: ACTION ARGS...
#   brick PATH                     makes the directory of a brick
#   peer NAME                      takes another server into the pool
#   create VOLUME WORD...          makes a volume
#   start VOLUME                   starts it
#   put SERVER VOLUME MARK COUNT   writes so many small files with a mark in their names to the volume's top
#   take SERVER VOLUME MARK        prints how many of them are seen from here
#   drop SERVER VOLUME MARK        removes them
# put, take and drop mount the volume for themselves and take the mount away again.
# Exit codes: 0 done; 3 refused, in the words of gluster on standard error; 64 unknown action.
# shellcheck shell=sh
set -eu
action=$1
shift

refused() {
	printf '%s\n' "$said" >&2
	exit 3
}

mounted() {
	place=$(mktemp -d /run/rbdtui-gluster.XXXXXX)
	trap 'umount -- "$place" 2>/dev/null || umount -l -- "$place" 2>/dev/null || true; rmdir -- "$place"' EXIT
	said=$(mount -t glusterfs "$1:/$2" "$place" 2>&1) || refused
}

case $action in
brick) mkdir -p -- "$1" || exit 3 ;;
peer) said=$(gluster --mode=script peer probe "$1" 2>&1) || refused ;;
create) said=$(gluster --mode=script volume create "$@" 2>&1) || refused ;;
start) said=$(gluster --mode=script volume start "$1" 2>&1) || refused ;;
put)
	mounted "$1" "$2"
	number=1
	while [ "$number" -le "$4" ]; do
		echo "$number" >"$place/.rbdtui-$3-$number" || exit 3
		number=$((number + 1))
	done
	;;
take)
	mounted "$1" "$2"
	count=0
	for file in "$place/.rbdtui-$3-"*; do
		[ ! -s "$file" ] || count=$((count + 1))
	done
	echo "$count"
	;;
drop)
	mounted "$1" "$2"
	rm -f -- "$place/.rbdtui-$3-"*
	;;
*) exit 64 ;;
esac
