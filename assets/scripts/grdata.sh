# The shared data of a Rainbond 3.6 on this host, /grdata: who uses it, its copy on a GlusterFS volume, and its mount.
# Arguments: ACTION ARGS...
#   users                 prints "PID NAME" of processes that use it: files of theirs that are open, and mounts of it
#                         in containers
#   space SERVER VOLUME   prints KIB needed, and KIB free on the volume
#   copy SERVER VOLUME    makes the volume equal to it: owners, times, links, attributes; what it lacks is removed there
#   compare SERVER VOLUME prints "different PATH..." for at most 20 paths by checksums, then "files COUNT"
#   hold NAME...          stops containers of dc-compose, whose names are kept on the disk until they are let go
#   held                  prints the names that are held
#   release               starts those that are held, and forgets them
#   mount                 unmounts whatever is mounted there, and mounts it as fstab says; the directory is made
#   unmount               unmounts whatever is mounted there
# Exit codes: 0 done; 3 refused, in the words of the program on standard error; 5 still in use; 64 unknown action.
# shellcheck shell=sh
set -eu
action=$1
shift
shared=/grdata
note=/var/lib/rbdtui/held-by-convert

refused() {
	printf '%s\n' "$said" >&2
	exit 3
}

mounted() {
	place=$(mktemp -d /run/rbdtui-grdata.XXXXXX)
	trap 'umount -- "$place" 2>/dev/null || umount -l -- "$place" 2>/dev/null || true; rmdir -- "$place"' EXIT
	said=$(mount -t glusterfs "$1:/$2" "$place" 2>&1) || refused
}

device() {
	awk -v place="$shared" '$5 == place { found = $3 } END { if (found != "") print found }' /proc/self/mountinfo
}

users() {
	device=$(device)
	own=$(readlink /proc/self/ns/mnt)
	find /proc/[0-9]*/fd /proc/[0-9]*/cwd /proc/[0-9]*/root -maxdepth 1 \
		\( -lname "$shared" -o -lname "$shared/*" \) 2>/dev/null | cut -d / -f 3 >"$1.pids" || true
	seen=" $own "
	for process in /proc/[0-9]*; do
		space=$(readlink "$process/ns/mnt" 2>/dev/null) || continue
		case $seen in *" $space "*) continue ;; esac
		seen="$seen$space "
		# A bind mount shows the directory that it came from; of a mount of its own, the device says whose it is.
		if awk -v device="$device" -v root="$shared" '
			device == "" ? ($4 == root || index($4, root "/") == 1) : $3 == device { found = 1 }
			END { exit !found }' "$process/mountinfo" 2>/dev/null; then
			echo "${process#/proc/}" >>"$1.pids"
		fi
	done
	sort -un "$1.pids" | while read -r pid; do
		[ "$pid" = $$ ] || echo "$pid $(cat "/proc/$pid/comm" 2>/dev/null || echo '?')"
	done
	rm -f -- "$1.pids"
}

unmounted() {
	tries=0
	while [ -n "$(device)" ]; do
		said=$(umount -- "$shared" 2>&1) || {
			tries=$((tries + 1))
			[ $tries -lt 5 ] || {
				printf '%s\n' "$said" >&2
				exit 5
			}
			sleep 1
		}
	done
}

case $action in
users) users "$(mktemp /run/rbdtui-users.XXXXXX)" && rm -f /run/rbdtui-users.* ;;
space)
	mounted "$1" "$2"
	du -sk -- "$shared" 2>/dev/null | awk '{ print $1 }'
	df -P -k -- "$place" | awk 'NR == 2 { print $4 }'
	;;
copy)
	mounted "$1" "$2"
	said=$(rsync -aHAX --numeric-ids --delete --exclude=/.trashcan "$shared/" "$place/" 2>&1) || refused
	;;
compare)
	mounted "$1" "$2"
	said=$(rsync -aHAXnc --numeric-ids --delete --itemize-changes --exclude=/.trashcan "$shared/" "$place/" 2>&1) || refused
	[ -z "$said" ] || printf '%s\n' "$said" | head -n 20 | sed 's/^/different /'
	echo "files $(find "$place" -path "$place/.trashcan" -prune -o ! -type d -print | wc -l)"
	;;
hold)
	[ -d /var/lib/rbdtui ] || mkdir -m 0700 /var/lib/rbdtui
	{
		[ ! -f "$note" ] || cat "$note"
		printf '%s\n' "$@"
	} | sort -u >"$note.new"
	mv -f -- "$note.new" "$note"
	said=$(dc-compose stop "$@" 2>&1) || refused
	;;
held) [ ! -f "$note" ] || cat "$note" ;;
release)
	[ -f "$note" ] || exit 0
	# shellcheck disable=SC2046 # names of services are words
	said=$(dc-compose up -d $(cat "$note") 2>&1) || refused
	rm -f -- "$note"
	;;
mount)
	unmounted
	mkdir -p -- "$shared" || exit 3
	said=$(mount "$shared" 2>&1) || refused
	;;
unmount) unmounted ;;
*) exit 64 ;;
esac
