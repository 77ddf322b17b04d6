# Says how this host stands towards the copy of an NFS server's directory; changes nothing.
# Output, parted by tabs:
#   push STATE, copy STATE     systemd's ActiveState of the service that copies, and of the one that takes the copy;
#                              absent: there is no such unit
#   complete SECONDS           since 1970: all that was there then is on the copy; left out before the first pass
#   took SECONDS               of the last pass
#   directories COUNT          that are to be watched
#   watching yes|no WORDS      whether changes are told; WORDS: why not
#   failed WORDS               of the last pass, where it failed
#   watches MOST               directories that one user may watch here
#   now SECONDS                of this host's clock
# Exit codes: 0 done.
# shellcheck shell=sh
set -eu
for kind in push copy; do
	unit=nfs-$kind-rbdtui.service
	case $(systemctl show -p LoadState --value $unit 2>/dev/null) in
	'' | not-found) state=absent ;;
	*) state=$(systemctl show -p ActiveState --value $unit) ;;
	esac
	printf '%s\t%s\n' $kind "$state"
done
file=/var/lib/rbdtui/nfs-copy/state
[ ! -f $file ] || tr '\t' ' ' <$file | sed -n 's/^\(complete\|took\|directories\|watching\|failed\) \(.\)/\1\t\2/p'
printf 'watches\t%s\n' "$(cat /proc/sys/fs/inotify/max_user_watches 2>/dev/null || echo 0)"
printf 'now\t%s\n' "$(date +%s)"
