# Prints one line per path: "absent", or sha256, mode, owner:group and size in bytes. Arguments: PATH...
# Symbolic links are followed. Exit: 0.
# shellcheck shell=sh
set -eu
for path in "$@"; do
  if [ -f "$path" ]; then
    sum=$(sha256sum < "$path")
    echo "${sum%% *} $(stat -L -c '%a %U:%G %s' -- "$path")"
  elif [ -e "$path" ]; then
    echo "other $(stat -L -c '%a %U:%G %s' -- "$path")"
  else
    echo absent
  fi
done
