# Prints which packages are there; changes nothing.
# Arguments: PACKAGE...
# Output: per package a line "NAME VERSION"; "NAME ?" when no package of that name is installed but a program of that
# name is there; "NAME" alone when there is neither, or the package is only half installed.
# Exit codes: 0.
set -eu
for name; do
	state='' version=''
	if command -v dpkg-query >/dev/null; then
		state=$(dpkg-query --show --showformat='${db:Status-Status} ${Version}' "$name" 2>/dev/null || true)
		version=${state#* }
		state=${state%% *}
	elif command -v rpm >/dev/null && version=$(rpm --query --queryformat '%{VERSION}-%{RELEASE} ' "$name" 2>/dev/null); then
		state=installed
		version=${version%% *}
	fi
	case $state in
	installed) echo "$name $version" ;;
	'' | not-installed | config-files) if command -v "$name" >/dev/null; then echo "$name ?"; else echo "$name"; fi ;;
	*) echo "$name" ;;
	esac
done
