# Turns all swap off until something turns it on again. Arguments: none. Output: what was refused, on standard error.
# Exit codes: 0 no swap is on any more; 3 some of it could not be turned off.
# shellcheck shell=sh
set -eu
swapoff -a || exit 3
