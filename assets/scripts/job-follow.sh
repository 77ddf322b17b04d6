# Prints what a job wrote to its log from OFFSET on; waits up to WAIT_S for something new or for the end.
# Arguments: UNIT OFFSET WAIT_S. Output: the line "STATE STATUS COUNT", then COUNT bytes of the log. STATE is "running",
# "ended" (STATUS is its exit status), "lost" (no process and no result) or "absent" (there is no such job).
# COUNT is 0 only when there is nothing more at the moment; a job that ended is drained when it is 0.
# Exit codes: 0.
# shellcheck shell=sh
set -eu
unit=$1 offset=$2 wait_s=$3
directory=/var/lib/rbdtui/jobs/$unit
most=262144

is_active() {
  case $(systemctl is-active "rbdtui-$unit.service" || true) in
    active | activating | deactivating | reloading) return 0 ;;
  esac
  return 1
}

tick=0
while :; do
  state=running status=-
  if [ ! -d "$directory" ]; then
    state=absent
  elif [ -f "$directory/exit" ]; then
    state=ended
  elif [ $((tick % 10)) -eq 0 ] && ! is_active && [ ! -f "$directory/exit" ]; then
    state=lost
  fi
  # The size is read after the state: what is there when a job has ended is all there will be.
  size=$(stat -c %s -- "$directory/log" 2> /dev/null || echo 0)
  tick=$((tick + 1))
  if [ "$state" != running ] || [ "$size" -gt "$offset" ] || [ $tick -gt $((wait_s * 2)) ]; then break; fi
  sleep 0.5
done
count=$((size - offset))
[ $count -ge 0 ] || count=0
[ $count -le $most ] || count=$most
# Whoever else follows the job may put it away at any moment; what is open by then is still answered whole.
if [ "$state" = ended ] && ! { read -r status < "$directory/exit"; } 2> /dev/null; then state=absent status=- count=0; fi
if [ $count -gt 0 ]; then
  { { echo "$state $status $count"; tail -c "+$((offset + 1))" | head -c $count; } < "$directory/log"; } 2> /dev/null \
    && exit 0
  state=absent status=-
fi
echo "$state $status 0"
