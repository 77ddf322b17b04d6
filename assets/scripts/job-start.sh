# Starts long work as a transient systemd unit, unless it is there already. The script comes on standard input.
# Arguments: UNIT LIMIT_S DIGEST NAME ARGS...: the work is the script NAME with ARGS; DIGEST stands for both and begins
# with the SHA256 of the script.
# Output, one word: "started"; "running" or "finished" when the same work was found; "restarted" when it was found
# without a process and without a result, e.g. after the host restarted. Work with another DIGEST is stopped first.
# Exit codes: 0; 6 when the script did not arrive whole; 9 when another start of the same unit does not end.
# shellcheck shell=sh
set -eu
unit=$1 limit=$2 digest=$3
shift 4
home=/var/lib/rbdtui
directory=$home/jobs/$unit
service=rbdtui-$unit.service

[ -d $home ] || mkdir -m 0700 $home || [ -d $home ]
mkdir -p $home/jobs
lock=/run/rbdtui-job-$unit.lock
# A process is known by its number and the time of its start (proc(5), stat, field 22): numbers come again.
began() {
  [ -n "${1%%*[!0-9]*}" ] && read -r line < "/proc/$1/stat" || return 0
  # shellcheck disable=SC2086
  set -- ${line##*) }
  echo "${20:-}"
} 2> /dev/null
is_alive() { [ -n "$2" ] && [ "$(began "$1")" = "$2" ]; }
tries=0
until mkdir -- "$lock" 2> /dev/null; do
  holder='' since=''
  { read -r holder since < "$lock/holder"; } 2> /dev/null || true
  tries=$((tries + 1))
  # A lock without a holder may be a moment old: its holder is about to sign.
  if ! is_alive "$holder" "$since" && { [ -n "$since" ] || [ $tries -gt 10 ]; }; then
    rm -rf -- "$lock"
  elif [ $tries -gt 40 ]; then
    exit 9
  fi
  sleep 0.5
done
trap 'rm -rf -- "$lock"' EXIT
trap 'exit 1' HUP INT TERM
echo "$$ $(began $$)" > "$lock/holder"

said=started
known=$(cat -- "$directory/digest" 2> /dev/null || echo none)
case $(systemctl is-active "$service" || true) in
  active | activating | deactivating | reloading)
    if [ "$known" = "$digest" ]; then
      echo running
      exit 0
    fi
    systemctl stop "$service"
    ;;
  *)
    if [ "$known" = "$digest" ]; then
      if [ -f "$directory/exit" ]; then
        echo finished
        exit 0
      fi
      said=restarted
    fi
    ;;
esac

quoted() { printf '%s' "$1" | sed "s/'/'\\\\''/g; 1s/^/'/; \$s/\$/'/"; }
arguments=
for argument in "$@"; do
  if [ -n "$argument" ]; then arguments="$arguments $(quoted "$argument")"; else arguments="$arguments ''"; fi
done

rm -rf -- "$directory"
mkdir -m 0700 -- "$directory"
cat > "$directory/script"
sum=$(sha256sum < "$directory/script")
case $digest in "${sum%% *}"*) ;; *) exit 6 ;; esac
# The result's room is taken beforehand, so that a disk that is full at the end cannot swallow it.
printf '%-15s\n' none > "$directory/exit.part"
: > "$directory/log"
cat > "$directory/run" << END
cd /
HOME=/root; export HOME
status=0
timeout -k 5 $limit sh '$directory/script'$arguments > '$directory/log' 2>&1 < /dev/null || status=\$?
printf '%-15s\n' \$status 1<> '$directory/exit.part'
mv -f '$directory/exit.part' '$directory/exit'
END
echo "$digest" > "$directory/digest"
systemctl reset-failed "$service" 2> /dev/null || true
options=
if systemd-run --help | grep -q -e --collect; then
  options="--collect --property=IgnoreSIGPIPE=no --property=TimeoutStopSec=20"
fi
# shellcheck disable=SC2086
systemd-run --quiet --unit="rbdtui-$unit" $options sh "$directory/run" >&2
echo $said
