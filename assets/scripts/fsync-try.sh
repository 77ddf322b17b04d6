# Times small writes that wait for the disk, as etcd's log makes them; at most two seconds and 200 writes of 8 KiB.
# Arguments: PATH of a directory that may not be there yet; the nearest one above it that is there is written in.
# Output: "directory PATH", then for each write a line "NANOSECONDS NANOSECONDS": the write, and the same program with
# nothing to wait for. Nothing stays behind: the marked file is removed, also when this is ended. Exit codes: 0;
# 3 the directory cannot be written (words on standard error).
set -u
directory=$1
while [ ! -d "$directory" ]; do directory=$(dirname "$directory"); done
file=$(mktemp -p "$directory" .rbdtui-check-XXXXXX) || exit 3
trap 'rm -f -- "$file"' EXIT
trap 'exit 0' HUP INT TERM

echo "directory $directory"
first=$(date +%s%N)
count=0
while [ "$count" -lt 200 ]; do
  begin=$(date +%s%N)
  dd if=/dev/zero of="$file" bs=8192 count=1 seek="$count" conv=notrunc oflag=dsync 2>/dev/null || exit 3
  between=$(date +%s%N)
  dd if=/dev/zero of=/dev/null bs=8192 count=1 2>/dev/null
  end=$(date +%s%N)
  echo "$((between - begin)) $((end - between))"
  count=$((count + 1))
  if [ $((end - first)) -gt 2000000000 ]; then break; fi
done
