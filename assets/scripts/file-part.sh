# Prints a part of a file. Arguments: PATH OFFSET COUNT, both in bytes. Exit: 0; 3 there is no such file.
# shellcheck shell=sh
set -eu
path=$1 offset=$2 count=$3
[ -f "$path" ] || exit 3
tail -c "+$((offset + 1))" -- "$path" | head -c "$count"
