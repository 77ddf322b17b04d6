# Stops a job with everything it started, and forgets it. Arguments: UNIT.
# Prints "stopped" or "absent". Exit codes: 0.
# shellcheck shell=sh
set -eu
service=rbdtui-$1.service
directory=/var/lib/rbdtui/jobs/$1
said=absent
[ ! -d "$directory" ] || said=stopped
case $(systemctl is-active "$service" || true) in
  active | activating | deactivating | reloading)
    systemctl stop "$service"
    said=stopped
    ;;
esac
systemctl reset-failed "$service" 2> /dev/null || true
rm -rf -- "$directory"
echo $said
