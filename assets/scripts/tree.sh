# A directory of this host as one archive: given out, or put in the place of what is there.
# Arguments: ACTION PATH [BACKUP_DIR]
#   pack PATH              writes a tar archive of what is in it to standard output
#   put PATH BACKUP_DIR    takes an archive from standard input, and exchanges the directory for it at once; the old one
#                          is kept as BACKUP_DIR/PATH, the first time only
#   back PATH BACKUP_DIR   puts the kept one back; where none was kept, the directory is removed
# Exit codes: 0 done; 2 no such directory; 3 what arrived is no archive; 64 unknown action.
# shellcheck shell=sh
set -eu
action=$1 path=$2
case $action in
pack)
	[ -d "$path" ] || exit 2
	exec tar -c -C "$path" .
	;;
put)
	backup=$3
	case $backup/ in /var/lib/rbdtui/*) [ -d /var/lib/rbdtui ] || mkdir -m 0700 /var/lib/rbdtui ;; esac
	mkdir -p -- "$(dirname -- "$path")" "$(dirname -- "$backup$path")"
	new=$(mktemp -d "$path.rbdtui-XXXXXX")
	trap 'rm -rf -- "$new"' EXIT
	chmod 0755 "$new"
	tar -x -p -C "$new" || exit 3
	sync
	if [ -d "$path" ]; then
		if [ -e "$backup$path" ]; then rm -rf -- "$path"; else mv -- "$path" "$backup$path"; fi
	fi
	mv -T -- "$new" "$path"
	;;
back)
	rm -rf -- "$path"
	[ ! -e "$3$path" ] || mv -T -- "$3$path" "$path"
	;;
*) exit 64 ;;
esac
