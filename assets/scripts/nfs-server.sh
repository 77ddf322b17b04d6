# Says how this host stands towards a directory that its NFS server gives to others, or makes it do so.
# Arguments: ACTION ARGS...
#   look PATH      changes nothing. Output, parted by tabs:
#                    path KIND COUNT          KIND: absent, directory, link, other; COUNT: entries in it, but for lost+found
#                                             and the mark
#                    mark ROLE SITE           what the mark in it says: source or copy, and for which site
#                    space TYPE KIB FREE_KIB MOUNT   of the file system that has it or will have it
#                    unit STATE               systemd's ActiveState of nfs-server; absent: there is no such unit
#                    table FILE LINE          each line of the tables of exports
#                    served LINE              each export that is in force, as a line of such a table
#   directory PATH makes it, for root, open to all who may look at files
#   serve          has the tables read again: all exports that stand in them are in force, no others
# Exit codes: 0 done; 3 refused, in the words of the program on standard error; 64 unknown action.
# shellcheck shell=sh
set -eu
action=$1

look() {
	path=$1 kind=absent count=0
	if [ -L "$path" ]; then
		kind="link"
	elif [ -d "$path" ]; then
		kind=directory
		count=$(find "$path/" -mindepth 1 -maxdepth 1 ! -name lost+found ! -name .rbdtui-nfs 2>/dev/null | wc -l)
	elif [ -e "$path" ]; then
		kind=other
	fi
	printf 'path\t%s\t%s\n' "$kind" "$((count))"
	mark=$path/.rbdtui-nfs
	if [ -f "$mark" ]; then
		printf 'mark\t%s\t%s\n' "$(sed -n 's/^role //p' "$mark" | head -n 1)" \
			"$(sed -n 's/^# Written by rbdtui for site \([^;]*\);.*/\1/p' "$mark" | head -n 1)"
	fi
	near=$path
	while [ ! -d "$near" ]; do
		near=${near%/*}
		near=${near:-/}
	done
	df -P -k -T -- "$near" 2>/dev/null | awk 'NR == 2 { printf "space\t%s\t%s\t%s\t%s\n", $2, $3, $5, $7 }'
	case $(systemctl show -p LoadState --value nfs-server.service 2>/dev/null) in
	'' | not-found) state=absent ;;
	*) state=$(systemctl show -p ActiveState --value nfs-server.service) ;;
	esac
	printf 'unit\t%s\n' "$state"
	for file in /etc/exports /etc/exports.d/*.exports; do
		[ -f "$file" ] || continue
		# A line may go on behind a backslash, and a comment ends it.
		sed -e ':more' -e '/\\$/{N;s/\\\n/ /;bmore' -e '}' -e 's/#.*//' -- "$file" | tr '\t' ' ' |
			awk -v file="$file" 'NF { printf "table\t%s\t%s\n", file, $0 }'
	done
	! command -v exportfs >/dev/null || exportfs -s 2>/dev/null | tr '\t' ' ' | awk 'NF { printf "served\t%s\n", $0 }'
}

case $action in
look) look "$2" ;;
directory)
	mkdir -p -- "$2" || exit 3
	chown root:root -- "$2" && chmod 0755 -- "$2" || exit 3
	;;
serve)
	# Without this table exportfs reads the others, and fails all the same.
	[ -e /etc/exports ] || : >/etc/exports
	exportfs -ra || exit 3
	;;
*) exit 64 ;;
esac
