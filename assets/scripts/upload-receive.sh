# Receives the rest of a file on standard input, behind what TARGET.part holds, and puts the whole in place at the end.
# Arguments: TARGET OFFSET SIZE_BYTES SHA256 MODE; what lies behind OFFSET in the part is dropped.
# Exit codes: 0; 6 the whole does not have the SHA256 (the part is removed); 7 the part is shorter than OFFSET;
# 8 standard input ended too early (the part stays).
# shellcheck shell=sh
set -eu
target=$1 offset=$2 size=$3 sha256=$4 mode=$5
part=$target.part
[ -f "$part" ] && [ "$(stat -c %s -- "$part")" -ge "$offset" ] || exit 7
read -r _ _ _ _ group _ < "/proc/$$/stat"
echo "$$ $group" > "$part.by"
truncate -s "$offset" -- "$part"

# What is hashed is what is written: one pass over the data, on a processor of its own.
digest=$({
  cat -- "$part"
  if tee --output-error=exit /dev/null < /dev/null 2> /dev/null; then
    tee -a --output-error=exit -- "$part"
  else
    tee -a -- "$part"
  fi
} | sha256sum)

arrived=$(stat -c %s -- "$part")
if [ "$arrived" -ne "$size" ]; then
  echo "$part has $arrived of $size bytes" >&2
  exit 8
fi
if [ "${digest%% *}" != "$sha256" ]; then
  rm -f -- "$part" "$part.by"
  exit 6
fi
dd if=/dev/null of="$part" conv=notrunc,fsync status=none
chmod -- "$mode" "$part"
chown root:root -- "$part"
mv -fT -- "$part" "$target"
rm -f -- "$part.by"
sync -- "$(dirname -- "$target")" 2> /dev/null || true
