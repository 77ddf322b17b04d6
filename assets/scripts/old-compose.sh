# Has dc-compose and docker of a Rainbond 3.6 do one thing on this host.
# Arguments: ACTION ARGS...
#   up NAME...        starts containers, anew where their file has changed
#   restart NAME...   starts them anew
#   all               starts all that the files have, and takes away what they do not have any more
#   drop NAME...      takes containers away
#   image NAME...     prints those images that are not here
#   pull IMAGE        has docker pull an image
#   command NAME      prints the words that a container was started with, as long as it runs
#   kubelet           prints the resolvers that the running kubelet gives to containers
#   region COLUMN VALUE  writes a column of console.region_info: tcpdomain or wsurl
# Exit codes: 0 done; 3 refused, in the words of the program on standard error; 64 unknown action.
# shellcheck shell=sh
set -eu
action=$1
shift

refused() {
	printf '%s\n' "$said" | tail -n 30 >&2
	exit 3
}

case $action in
up) said=$(dc-compose up -d "$@" 2>&1) || refused ;;
restart) said=$(dc-compose restart "$@" 2>&1) || refused ;;
all) said=$(dc-compose up -d --remove-orphans 2>&1) || refused ;;
drop)
	for name; do
		docker inspect "$name" >/dev/null 2>&1 || continue
		said=$(docker rm -f "$name" 2>&1) || refused
	done
	;;
image)
	for name; do
		docker inspect --type=image "$name" >/dev/null 2>&1 || echo "$name"
	done
	;;
pull) said=$(docker pull "$1" 2>&1) || refused ;;
command) docker inspect --format '{{if .State.Running}}{{json .Config.Cmd}}{{end}}' "$1" 2>/dev/null || true ;;
kubelet)
	pid=$(systemctl show -p MainPID kubelet.service 2>/dev/null)
	pid=${pid#MainPID=}
	[ "${pid:-0}" -gt 0 ] || exit 0
	tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | sed -n 's/^--cluster-dns=//p'
	;;
region)
	case $1 in tcpdomain | wsurl) ;; *) exit 64 ;; esac
	case $2 in *[!0-9A-Za-z.:/-]*) exit 64 ;; esac
	said=$(docker exec rbd-db mysql -e "UPDATE console.region_info SET $1='$2'" 2>&1) || refused
	;;
*) exit 64 ;;
esac
