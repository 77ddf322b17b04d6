# Removes RKE2 with its own uninstall script; harmless when it is not there.
# Arguments: none.
# Output: the uninstall script's words.
# Exit codes: 0 gone, or was not there; 3 the uninstall script failed.
set -eu
for directory in /usr/local/bin /opt/rke2/bin /usr/bin; do
	if [ -x "$directory/rke2-uninstall.sh" ]; then
		"$directory/rke2-uninstall.sh" </dev/null 2>&1 || exit 3
	fi
done
rm -f /var/lib/rbdtui/rke2-unpacked
