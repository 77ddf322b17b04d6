# Sets kernel parameters until the next boot.
# Arguments: KEY=VALUE..., dotted keys.
# Output: what was refused, on standard error.
# Exit codes: 0 all set; 3 at least one was refused or is unknown to this kernel.
set -eu
status=0
for setting; do
	key=${setting%%=*} value=${setting#*=}
	file=/proc/sys/$(echo "$key" | tr . /)
	printf '%s\n' "$value" 2>/dev/null >"$file" || {
		echo "$setting: refused by the kernel" >&2
		status=3
	}
done
exit $status
