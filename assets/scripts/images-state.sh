# Prints which images RKE2's containerd has for Kubernetes; changes nothing.
# Arguments: none.
# Output: a line per name of an image, "NAME DIGEST": of its configuration, by which Kubernetes calls the image; the
# digest is missing while Kubernetes has not taken notice of it.
# Exit codes: 0; 3 containerd is not there or does not answer (its words on standard error).
set -eu
ctr=/var/lib/rancher/rke2/bin/ctr
socket=/run/k3s/containerd/containerd.sock
if [ ! -x $ctr ] || [ ! -S $socket ]; then
	echo "$ctr or $socket is not there" >&2
	exit 3
fi
list=$(timeout 30 $ctr -a $socket -n k8s.io images ls) || exit 3
# Beside each image stands one that is called after the digest of its configuration, and leads to the same manifest.
printf '%s\n' "$list" | awk '
	NR == 1 { next }
	$1 ~ /^sha256:/ { id[$3] = $1; next }
	{ names[++count] = $1; leads[count] = $3 }
	END { for (i = 1; i <= count; i++) print names[i], id[leads[i]] }'
