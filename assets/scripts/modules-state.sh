# Prints whether kernel modules are there; changes nothing.
# Arguments: MODULE...
# Output: per module a line "NAME loaded" (or built in), "NAME available" or "NAME absent".
# Exit codes: 0.
set -eu
present() {
	[ -e "/sys/module/$1" ] && return 0
	grep -q "^$1 " /proc/modules && return 0
	grep -q "/$1\.ko" "/lib/modules/$(uname -r)/modules.builtin" 2>/dev/null && return 0
	case $1 in
	overlay) grep -q "[[:space:]]overlay$" /proc/filesystems ;;
	br_netfilter) [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ] ;;
	*) return 1 ;;
	esac
}
for module; do
	if present "$module"; then
		echo "$module loaded"
	elif modprobe --dry-run --quiet "$module" 2>/dev/null; then
		echo "$module available"
	else
		echo "$module absent"
	fi
done
