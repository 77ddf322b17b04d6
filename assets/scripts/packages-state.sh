# Prints which packages are installed; changes nothing.
# Arguments: PACKAGE...
# Output: per package a line "NAME VERSION"; "NAME" alone when it is not installed.
# Exit codes: 0; 3 when the host has neither dpkg nor rpm.
set -eu
if command -v dpkg-query >/dev/null; then
	for name; do
		state=$(dpkg-query --show --showformat='${db:Status-Status} ${Version}' "$name" 2>/dev/null || true)
		case $state in
		installed\ *) echo "$name ${state#installed }" ;;
		*) echo "$name" ;;
		esac
	done
elif command -v rpm >/dev/null; then
	for name; do
		if version=$(rpm --query --queryformat '%{VERSION}-%{RELEASE}\n' "$name" 2>/dev/null); then
			echo "$name ${version%%
*}"
		else
			echo "$name"
		fi
	done
else
	exit 3
fi
