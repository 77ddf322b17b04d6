# Which start of this host it is: changes when it is started anew, in whatever way. Arguments: none.
# Output: one line, the kernel's word for its own start and when the first process began (a container has a kernel that
# stays). Exit codes: 0.
# shellcheck shell=sh
set -eu
read -r boot </proc/sys/kernel/random/boot_id
read -r first </proc/1/stat
# The name of the first process may hold blanks and ends with the last parenthesis.
set -- ${first##*) }
echo "$boot-${20}"
