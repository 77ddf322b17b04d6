# Turns swap on that was on before. Arguments: FILE or DEVICE... Output: what was refused, on standard error.
# Exit codes: 0 all of it is on; 3 some of it could not be turned on.
# shellcheck shell=sh
set -eu
for device; do
	swapon -- "$device" || exit 3
done
