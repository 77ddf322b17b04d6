# Prints how old the snapshots of etcd in a directory of this host are, without reading any; changes nothing.
# Arguments: DIRECTORY.
# Output: a line "data AGE_S", for how long this host has had data of etcd ("-" without), then for every snapshot that
# was written to its end "AGE_S BYTES NAME". Ages are by this host's own clock.
# Exit codes: 0, also where there is no such directory.
set -eu
directory=$1
now=$(date +%s)
data=/var/lib/rancher/rke2/server/db/etcd/member
if [ -d $data ]; then echo "data $((now - $(stat -c %Y $data)))"; else echo 'data -'; fi
[ -d "$directory" ] || exit 0
for path in "$directory"/*; do
	[ -f "$path" ] || continue
	case $path in *.part) continue ;; esac
	about=$(stat -L -c '%Y %s' -- "$path" 2>/dev/null) || continue
	echo "$((now - ${about% *})) ${about#* } ${path##*/}"
done
