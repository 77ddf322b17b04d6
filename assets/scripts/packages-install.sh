# Installs package files that lie on the host; reaches for no repository and replaces no installed package.
# Arguments: DIRECTORY with *.deb or *.rpm files, UNIT... that must not be started by the installation.
# Output: the package manager's words.
# Exit codes: 0 installed, or nothing was missing; 3 the package manager refused; 4 nothing fits this host.
set -eu
directory=$1
shift
held=$*
release() {
	for unit in $held; do systemctl unmask --runtime --quiet "$unit"; done
}
trap release EXIT
for unit in $held; do systemctl mask --runtime --quiet "$unit"; done
set --
if command -v dpkg >/dev/null; then
	# dpkg unpacks nothing whose pre-dependencies are not configured yet, though they are among the files: the next pass
	# does, as long as the last one has come further.
	left=
	while :; do
		set --
		for file in "$directory"/*.deb; do
			[ -e "$file" ] || exit 4
			name=$(dpkg-deb --field "$file" Package)
			state=$(dpkg-query --show --showformat='${db:Status-Status}' "$name" 2>/dev/null || true)
			[ "$state" = installed ] || set -- "$@" "$file"
		done
		[ $# -gt 0 ] || exit 0
		[ $# != "$left" ] || exit 3
		left=$#
		DEBIAN_FRONTEND=noninteractive dpkg --install --force-confdef --force-confold "$@" </dev/null || continue
	done
elif command -v rpm >/dev/null; then
	for file in "$directory"/*.rpm; do
		[ -e "$file" ] || exit 4
		name=$(rpm --query --package --queryformat '%{NAME}' --nosignature "$file")
		rpm --query --quiet "$name" || set -- "$@" "$file"
	done
	[ $# -gt 0 ] || exit 0
	rpm --upgrade --nosignature "$@" </dev/null || exit 3
else
	exit 4
fi
