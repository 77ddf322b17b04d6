# Prints what is installed of RKE2; changes nothing.
# Arguments: none.
# Output: lines "archive=" (sha256 of the archive that rbdtui unpacked last, or empty), "prefix=" (where), "program=yes|no",
# "units=yes|no" (both unit files are there).
# Exit codes: 0.
set -eu
archive='' prefix=/usr/local program=no units=no
if [ -f /var/lib/rbdtui/rke2-unpacked ]; then
	read -r archive prefix </var/lib/rbdtui/rke2-unpacked || true
fi
[ -x "$prefix/bin/rke2" ] && [ -s "$prefix/bin/rke2" ] && program=yes
for directory in "$prefix/lib/systemd/system" /etc/systemd/system; do
	[ -f "$directory/rke2-server.service" ] && [ -f "$directory/rke2-agent.service" ] && units=yes
done
printf '%s\n' "archive=$archive" "prefix=$prefix" "program=$program" "units=$units"
