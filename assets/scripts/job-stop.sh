# Stops a job with everything it started, and forgets it. Arguments: UNIT.
# Prints "stopped" or "absent". Exit codes: 0.
# shellcheck shell=sh
set -eu
service=rbdtui-$1.service
directory=/var/lib/rbdtui/jobs/$1
said=absent
# Put away first: whoever follows it must not take it for lost and start it again.
if [ -d "$directory" ]; then
  rm -rf -- "$directory.stopped"
  mv -- "$directory" "$directory.stopped"
  said=stopped
fi
case $(systemctl is-active "$service" || true) in
  active | activating | deactivating | reloading)
    systemctl stop "$service"
    said=stopped
    ;;
esac
systemctl reset-failed "$service" 2> /dev/null || true
rm -rf -- "$directory.stopped"
echo $said
