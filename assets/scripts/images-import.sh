# Imports an archive of images into RKE2's containerd, and keeps Kubernetes from removing them when a disk fills.
# Arguments: ARCHIVE (tar, also packed with gzip or zstd), NAME... of its images as containerd has them.
# Output: what ctr says, on both streams.
# Exit codes: 0 imported; 3 containerd is not there; 4 packed with zstd, and the host has no program for that; others as
# ctr ends.
set -eu
archive=$1
shift
ctr=/var/lib/rancher/rke2/bin/ctr
socket=/run/k3s/containerd/containerd.sock
if [ ! -x $ctr ] || [ ! -S $socket ]; then
	echo "$ctr or $socket is not there" >&2
	exit 3
fi
unpack='cat'
case $(head -c 4 "$archive" | od -An -tx1 | tr -d ' \n') in
1f8b*) unpack='gzip -dc' ;;
28b52ffd | 5?2a4d18)
	command -v zstd >/dev/null || exit 4
	unpack='zstd -dc'
	;;
esac
$unpack <"$archive" | $ctr -a $socket -n k8s.io images import -
# An image that takes over the name of an older one inherits its mark, by which Kubernetes takes it for one that it has
# noted already, and never does: without the mark it looks again (containerd@v1.6.20 pkg/cri/server/image_pull.go).
for name in "$@"; do
	$ctr -a $socket -n k8s.io images label "$name" io.cri-containerd.image= io.cri-containerd.pinned=pinned \
		>/dev/null || true
done
# Names of the given ones that lead to an image without an identity in Kubernetes.
unnoted() {
	list=$(timeout 30 $ctr -a $socket -n k8s.io images ls) || return 0
	{
		printf 'wanted %s\n' "$@"
		printf '%s\n' "$list"
	} | awk '
		$1 == "wanted" { wanted[$2] = 1; next }
		$1 ~ /^sha256:/ { noted[$3] = 1; next }
		$1 in wanted { leads[$1] = $3 }
		END { for (name in leads) if (!(leads[name] in noted)) print name }'
}
tries=0
while [ $tries -lt 30 ] && [ -n "$(unnoted "$@")" ]; do
	tries=$((tries + 1))
	sleep 1
done
