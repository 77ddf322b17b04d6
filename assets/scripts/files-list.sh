# Prints the names of the files in a directory, hidden ones too, one a line; nothing when there is no such directory.
# Arguments: DIRECTORY. Symbolic links to files count as files; a name with a line break is left out. Exit: 0.
# shellcheck shell=sh
set -eu
for path in "$1"/* "$1"/.[!.]*; do
  [ -f "$path" ] || continue
  case $path in *'
'*) continue ;; esac
  printf '%s\n' "${path##*/}"
done
