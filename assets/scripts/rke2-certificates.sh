# Prints the certificates that RKE2 keeps on this host; changes nothing, and reads no key.
# Arguments: none.
# Output: for every file a line "file AGE_S PATH" (AGE_S: how long ago it was written, by this host's clock; PATH below
# RKE2's directory), what stands in the file, and a line "end". Copies that RKE2 has put aside are not among them.
# Exit codes: 0, also where there are none.
set -eu
base=/var/lib/rancher/rke2
now=$(date +%s)
for path in $base/server/tls/*.crt $base/server/tls/*/*.crt $base/agent/*.crt; do
	[ -f "$path" ] || continue
	changed=$(stat -L -c %Y -- "$path" 2>/dev/null) || continue
	echo "file $((now - changed)) ${path#"$base/"}"
	head -c 65536 -- "$path"
	echo
	echo end
done
