# Prints a file. Arguments: PATH LIMIT_BYTES. Exit: 0; 3 there is no such file.
# Of a larger file one byte more than the limit is printed.
# shellcheck shell=sh
set -eu
path=$1 limit=$2
[ -e "$path" ] || exit 3
head -c "$((limit + 1))" -- "$path"
