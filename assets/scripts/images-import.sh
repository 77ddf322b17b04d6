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
for name in "$@"; do
	$ctr -a $socket -n k8s.io images label "$name" io.cri-containerd.pinned=pinned >/dev/null || true
done
