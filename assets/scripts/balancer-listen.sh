# Listens on TCP ports for a short time, so that a balancer can be tried before anything of the plan runs.
# Arguments: UNIT LIMIT_S TOKEN HOLD_S PORT...; standard input: the script that answers a connection, which gets TOKEN
# and HOLD_S. It runs as nobody in a transient unit, which ends after LIMIT_S whatever becomes of us; no file is made.
# Output, one word: "listening"; "absent" when the host has no systemd-socket-activate; "failed" and why.
# Exit code: 0.
# shellcheck shell=sh
set -eu
unit=$1 limit=$2 token=$3 hold=$4
shift 4
program=$(command -v systemd-socket-activate || :)
if [ -z "$program" ] || ! command -v systemd-run > /dev/null || [ ! -d /run/systemd/system ]; then
  echo absent
  exit 0
fi
# systemd puts variables of its own in for $NAME in a command line; $$ is one dollar sign.
handler=$(sed 's/\$/$$/g')
listens() {
  hex=$(printf '%04X' "$1")
  grep -qE "^ *[0-9]+: [0-9A-F]+:$hex [0-9A-F]+:0000 0A " /proc/net/tcp /proc/net/tcp6 2> /dev/null
}
all_listen() {
  for one; do listens "$one" || return 1; done
}
if ! systemctl is-active --quiet "$unit.service"; then
  options=
  for port; do options="$options -l $port"; done
  # shellcheck disable=SC2086
  if ! said=$(systemd-run --quiet --collect --unit="$unit" --property=RuntimeMaxSec="$limit" --property=User=nobody \
    --property=AmbientCapabilities=CAP_NET_BIND_SERVICE --property=NoNewPrivileges=yes --property=TasksMax=256 \
    --setenv=SYSTEMD_LOG_LEVEL=err \
    "$program" --accept --inetd $options sh -c "$handler" rbdtui/balancer-answer "$token" "$hold" 2>&1); then
    echo "failed $(printf '%s' "$said" | tail -n 1)"
    exit 0
  fi
fi
tries=0
until all_listen "$@"; do
  tries=$((tries + 1))
  if [ $tries -gt 20 ] || ! systemctl is-active --quiet "$unit.service"; then
    why=$(journalctl -q -o cat -n 3 -u "$unit.service" 2> /dev/null | grep -i fail | tail -n 1 || :)
    systemctl stop "$unit.service" 2> /dev/null || :
    echo "failed $why"
    exit 0
  fi
  sleep 0.1
done
echo listening
