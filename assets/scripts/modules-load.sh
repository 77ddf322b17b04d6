# Loads kernel modules.
# Arguments: MODULE...
# Output: modprobe's words on standard error for each module that could not be had.
# Exit codes: 0 all are loaded; 3 at least one is not.
set -eu
status=0
for module; do
	modprobe "$module" || status=3
done
exit $status
