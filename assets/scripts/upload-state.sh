# Says what is on the host of a file that is to be uploaded, and makes room for a new try.
# Arguments: TARGET SIZE_BYTES SHA256 MODE. Output, one line: "done" when the target is there already (it gets the mode);
# else "part OFFSET SHA256 FREE": how much an earlier try left in TARGET.part, its digest, and the free bytes there.
# Exit codes: 0.
# shellcheck shell=sh
set -eu
target=$1 size=$2 sha256=$3 mode=$4
part=$target.part
case $target in /var/lib/rbdtui/*) [ -d /var/lib/rbdtui ] || mkdir -m 0700 /var/lib/rbdtui || [ -d /var/lib/rbdtui ] ;; esac
mkdir -p -- "$(dirname -- "$target")"

# A receiver whose link was lost may still hold the part open; its group is that of its own `timeout`.
if [ -f "$part.by" ]; then
  read -r process group < "$part.by" || true
  if grep -qz '^rbdtui/upload-receive$' "/proc/${process:-none}/cmdline" 2> /dev/null; then
    # In this form every shell takes the number of a group.
    kill -s KILL -- "-$group" || true
    tries=0
    while kill -s 0 "$process" 2> /dev/null && [ $tries -lt 50 ]; do
      tries=$((tries + 1))
      sleep 0.05
    done
  fi
  rm -f -- "$part.by"
fi

if [ -f "$target" ] && [ "$(stat -L -c %s -- "$target")" = "$size" ]; then
  sum=$(sha256sum < "$target")
  if [ "${sum%% *}" = "$sha256" ]; then
    chmod -- "$mode" "$target"
    rm -f -- "$part"
    echo "done"
    exit 0
  fi
fi
if [ -f "$part" ] && [ "$(stat -c %s -- "$part")" -gt "$size" ]; then rm -f -- "$part"; fi
[ -f "$part" ] || : > "$part"
sum=$(sha256sum < "$part")
echo "part $(stat -c %s -- "$part") ${sum%% *} $(($(stat -f -c '%a * %S' -- "$part")))"
