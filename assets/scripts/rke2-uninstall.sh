# Removes RKE2 with its own uninstall script; harmless when it is not there.
# Arguments: none.
# Output: the uninstall script's words; "rke2-selinux was removed with it" where that package went, too.
# Exit codes: 0 gone, or was not there; 3 the uninstall script failed; 4 it is not gone: what is left, on standard error.
# shellcheck shell=sh
set -eu
policy=no
if command -v rpm >/dev/null && rpm -q rke2-selinux >/dev/null 2>&1; then policy=yes; fi
status=0
for directory in /usr/local/bin /opt/rke2/bin /usr/bin; do
	if [ -x "$directory/rke2-uninstall.sh" ]; then
		"$directory/rke2-uninstall.sh" </dev/null 2>&1 || status=3
	fi
done
if [ $policy = yes ] && ! rpm -q rke2-selinux >/dev/null 2>&1; then echo "rke2-selinux was removed with it"; fi
# RKE2's script ends at its first failure and removes itself all the same, so only what is left tells.
for path in /var/lib/rancher/rke2 /etc/rancher/rke2 /usr/local/bin/rke2 /opt/rke2/bin/rke2; do
	if [ -e "$path" ]; then
		echo "$path is still there" >&2
		[ $status -ne 0 ] || status=4
	fi
done
[ $status -eq 0 ] || exit $status
rm -f /var/lib/rbdtui/rke2-unpacked
