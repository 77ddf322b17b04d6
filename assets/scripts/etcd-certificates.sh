# Says which certificates for the cluster's etcd this host has, by the layouts of RKE2, RKE1 and kubeadm; changes nothing.
# Arguments: ROOT, a directory in front of all paths; empty for the host itself. Runs on an etcd node, as root.
# Output, for the first layout of which any file is there: "layout NAME CA CERT KEY", "absent PATH" for each that is
# not, "ca BASE64", "cert BASE64", and "fits yes", "fits no" or "fits unknown" (no openssl). No key ever leaves the host.
# Exit code: 0.
set -u
root=$1

look() {
  name=$1 ca=$2 cert=$3 key=$4
  if [ ! -e "$root$ca" ] && [ ! -e "$root$cert" ] && [ ! -e "$root$key" ]; then return 1; fi
  echo "layout $name $ca $cert $key"
  for path in "$ca" "$cert" "$key"; do
    [ -s "$root$path" ] || echo "absent $path"
  done
  if [ -s "$root$ca" ]; then echo "ca $(head -c 100000 "$root$ca" | base64 | tr -d '\n')"; fi
  if [ -s "$root$cert" ]; then echo "cert $(head -c 100000 "$root$cert" | base64 | tr -d '\n')"; fi
  if ! command -v openssl >/dev/null || [ ! -s "$root$cert" ] || [ ! -s "$root$key" ]; then
    echo "fits unknown"
    return 0
  fi
  # Without a passphrase at hand an encrypted key fits nothing; it must not be asked for.
  ours=$(openssl pkey -in "$root$key" -passin pass: -pubout 2>/dev/null)
  theirs=$(openssl x509 -in "$root$cert" -noout -pubkey 2>/dev/null)
  if [ -n "$ours" ] && [ "$ours" = "$theirs" ]; then echo "fits yes"; else echo "fits no"; fi
}

rke2=/var/lib/rancher/rke2/server/tls/etcd
rke1=/etc/kubernetes/ssl
kubeadm=/etc/kubernetes/pki/etcd
look rke2 $rke2/server-ca.crt $rke2/client.crt $rke2/client.key ||
  look rke1 $rke1/kube-ca.pem $rke1/kube-node.pem $rke1/kube-node-key.pem ||
  look kubeadm $kubeadm/ca.crt $kubeadm/healthcheck-client.crt $kubeadm/healthcheck-client.key || :
exit 0
