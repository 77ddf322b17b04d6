# Prints kernel parameters; changes nothing.
# Arguments: KEY..., dotted, e.g. net.ipv4.ip_forward.
# Output: per key a line "KEY=VALUE"; "KEY=" when the kernel has no such key.
# Exit codes: 0.
set -eu
for key; do
	file=/proc/sys/$(echo "$key" | tr . /)
	value=
	[ -r "$file" ] && value=$(cat "$file")
	echo "$key=$value"
done
