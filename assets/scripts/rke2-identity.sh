# Prints to which cluster this host belongs, and nothing secret; changes nothing. Runs on a server.
# Arguments: none.
# Output: lines "etcd=yes|no" (data of a member of etcd are here), "joined=yes|no" (its configuration names a server to
# join), "token-ca=" (the digest of the CA in RKE2's own token file, or empty), "ca=" (sha256 of the file with the CA's
# certificates, or empty), an empty line, then these certificates in PEM.
# Exit codes: 0.
set -eu
directory=/var/lib/rancher/rke2/server
etcd=no joined=no token='' ca=''
[ ! -d "$directory/db/etcd/member" ] || etcd=yes
if grep -q '^server:' /etc/rancher/rke2/config.yaml 2>/dev/null; then joined=yes; fi
if [ -f "$directory/token" ]; then
	token=$(head -c 4096 "$directory/token" | sed -n 's/^K10\([0-9a-f]\{64\}\)::server:.*/\1/p' | head -n 1)
fi
if [ -f "$directory/tls/server-ca.crt" ]; then
	ca=$(sha256sum <"$directory/tls/server-ca.crt")
fi
printf '%s\n' "etcd=$etcd" "joined=$joined" "token-ca=$token" "ca=${ca%% *}" ""
[ -z "$ca" ] || head -c 65536 "$directory/tls/server-ca.crt"
