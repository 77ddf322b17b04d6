# Puts away a job that ended, so that the same unit can be started anew. Arguments: UNIT STATUS.
# With STATUS 0 its directory is removed, otherwise kept as UNIT.failed until it succeeds. Exit codes: 0.
# shellcheck shell=sh
set -eu
directory=/var/lib/rbdtui/jobs/$1
rm -rf -- "$directory.failed"
if [ "$2" = 0 ]; then
  rm -rf -- "$directory"
elif [ -d "$directory" ]; then
  mv -f -- "$directory" "$directory.failed"
fi
