# Holds the lock on a throw-away file of an NFS directory, or tries to get the one that another host holds there.
# Arguments: hold SERVER PATH OPTIONS NAME SECONDS | try SERVER PATH OPTIONS NAME | end NAME. OPTIONS begin with a comma,
# or are empty. "hold" makes NAME and has it locked until "end" is run on the same host, SECONDS at most, then removes it.
# Output: "client absent", "failed WORDS", "held"; of "try" also "absent", "granted" or "refused". Exit code: 0.
set -u
ask=$1
if [ "$ask" = end ]; then
  : >"/run/$2.end"
  exit 0
fi
server=$2 path=$3 options=$4 name=$5 seconds=${6:-0}

if ! command -v mount.nfs >/dev/null || ! command -v flock >/dev/null; then
  echo "client absent"
  exit 0
fi

place=$(mktemp -d) || exit 0
file=$place/$name
mounted=
take_away() {
  if [ -n "$mounted" ]; then
    if [ "$ask" = hold ]; then rm -f -- "$file"; fi
    umount "$place" 2>/dev/null || umount -f -l "$place"
    mounted=
  fi
}
trap 'take_away; rmdir "$place"; if [ "$ask" = hold ]; then rm -f -- "/run/$name.end"; fi' EXIT
trap 'exit 0' HUP INT TERM

words() { tr '\n' ' ' | cut -c 1-300; }

# Without a cache a file that another host has just made is seen.
limits="soft,timeo=30,retrans=2,retry=0,noac,lookupcache=none$options"
if ! said=$(timeout --foreground 12 mount.nfs "$server:$path" "$place" -o "$limits" 2>&1); then
  echo "failed $(echo "$said" | words)"
  exit 0
fi
mounted=yes

if [ "$ask" = try ]; then
  if [ ! -e "$file" ]; then
    echo absent
  elif timeout --foreground 8 flock -n "$file" true 2>/dev/null; then
    echo granted
  else
    echo refused
  fi
  exit 0
fi

if ! { : >"$file"; } 2>/dev/null; then
  echo "failed cannot make a file"
  exit 0
fi
exec 9<>"$file"
if ! said=$(timeout --foreground 8 flock -n 9 2>&1); then
  echo "failed flock: $(echo "$said" | words)"
  exit 0
fi
echo held
while [ "$seconds" -gt 0 ] && [ ! -e "/run/$name.end" ]; do
  sleep 1
  seconds=$((seconds - 1))
done
exec 9>&-
