# Prints the snapshots of etcd in a directory of this host; changes nothing.
# Arguments: DIRECTORY, PREFIX (only names that begin with it; "" for all).
# Output: a line "room BYTES DATABASE_BYTES" (what is available there, and how large etcd's database is; 0 where there is
# none), then for every file "STATE BYTES SECONDS DIGEST NAME": SECONDS is the Unix time of its last change, DIGEST "-"
# unless STATE is "whole". A snapshot ends with the sha256 of all before it:
#   whole     that is so
#   damaged   it is not
#   cut       it cannot be, by the length of the file
#   part      being written, or left by a snapshot that was cut off
#   zip       compressed: not looked into
# Exit codes: 0, also where there is no such directory.
set -eu
directory=$1 prefix=$2
database=/var/lib/rancher/rke2/server/db/etcd/member/snap/db
size_of() { stat -L -c %s -- "$1" 2>/dev/null || echo 0; }
there=$directory
while [ ! -d "$there" ]; do there=$(dirname -- "$there"); done
df -P -k -- "$there" | {
	read -r _
	read -r _ _ _ available _
	echo "room $((available * 1024)) $(size_of $database)"
}
[ -d "$directory" ] || exit 0
for path in "$directory"/"$prefix"*; do
	[ -f "$path" ] || continue
	size=$(size_of "$path") state=cut digest=-
	case $path in
	*.part) state=part ;;
	*.zip) state=zip ;;
	*)
		if [ $((size % 512)) -eq 32 ] && [ "$size" -gt 32 ]; then
			told=$(tail -c 32 -- "$path" | od -An -v -tx1 | tr -d ' \n')
			found=$(head -c $((size - 32)) -- "$path" | sha256sum)
			state=damaged
			if [ "$told" = "${found%% *}" ]; then state=whole digest=$told; fi
		fi
		;;
	esac
	changed=$(stat -L -c %Y -- "$path" 2>/dev/null) || continue
	echo "$state $size $changed $digest ${path##*/}"
done
