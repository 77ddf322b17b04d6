# Unpacks RKE2's program archive as RKE2's own installer does with its tar method.
# Arguments: ARCHIVE (tar.gz on this host), SHA256 of it.
# Output: a line "prefix=DIRECTORY": /usr/local, or /opt/rke2 where that is read-only or a mount point of its own.
# Exit codes: 0 unpacked and noted in /var/lib/rbdtui/rke2-unpacked; 3 the archive is not the expected one, or cannot
# be unpacked (tar's words on standard error).
set -eu
archive=$1 expected=$2
found=$(sha256sum <"$archive")
if [ "${found%% *}" != "$expected" ]; then
	echo "sha256 of $archive is ${found%% *}" >&2
	exit 3
fi
prefix=/usr/local
mkdir -p $prefix 2>/dev/null || true
probe=$prefix/.rbdtui-probe.$$
if grep -q "^[^ ]* /usr/local " /proc/self/mounts || ! (: >$probe) 2>/dev/null; then
	prefix=/opt/rke2
	mkdir -p $prefix
else
	rm -f $probe
fi
rm -f /var/lib/rbdtui/rke2-unpacked
# Who packed the archive must not own programs that root runs.
tar --no-same-owner -xzf "$archive" -C $prefix || exit 3
if [ $prefix != /usr/local ]; then
	sed -i "s|/usr/local|$prefix|" $prefix/lib/systemd/system/rke2-server.service \
		$prefix/lib/systemd/system/rke2-agent.service $prefix/bin/rke2-uninstall.sh
	mv -f $prefix/lib/systemd/system/rke2-server.service $prefix/lib/systemd/system/rke2-agent.service /etc/systemd/system/
fi
systemctl daemon-reload
# The note must not outlive what it tells of when the power goes.
sync
mkdir -p /var/lib/rbdtui
printf '%s %s\n' "$expected" "$prefix" >/var/lib/rbdtui/rke2-unpacked.new
mv -f /var/lib/rbdtui/rke2-unpacked.new /var/lib/rbdtui/rke2-unpacked
echo "prefix=$prefix"
