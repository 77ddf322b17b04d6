# Receives a part of a snapshot on standard input. Arguments: PATH OFFSET SIZE_BYTES; what PATH.part holds behind OFFSET is
# dropped. With the last byte the whole is put in place, for root alone.
# Exit codes: 0, also when all is in place already; 7 PATH.part is shorter than OFFSET.
# shellcheck shell=sh
set -eu
path=$1 offset=$2 size=$3
part=$path.part
umask 077
mkdir -p -- "${path%/*}"
if [ "$offset" -eq 0 ]; then : >"$part"; fi
size_of() { stat -c %s -- "$1" 2>/dev/null || echo -1; }
if [ ! -f "$part" ] && [ "$(size_of "$path")" -eq "$size" ]; then
  cat >/dev/null
  exit 0
fi
[ "$(size_of "$part")" -ge "$offset" ] || exit 7
truncate -s "$offset" -- "$part"
cat >>"$part"
if [ "$(size_of "$part")" -eq "$size" ]; then
  dd if=/dev/null of="$part" conv=notrunc,fsync status=none
  mv -fT -- "$part" "$path"
fi
