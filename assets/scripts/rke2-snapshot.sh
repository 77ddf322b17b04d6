# Has RKE2 save or delete snapshots of etcd; its words are the output.
# Arguments: save NAME [OPTION...], or delete NAME...
# RKE2 may end with 0 although it saved nothing: whoever asks looks at the files.
# Exit codes: 0; 3 RKE2's program is not there; 64 another verb; otherwise RKE2's own.
set -eu
verb=$1
shift
rke2=/usr/local/bin/rke2
[ -x $rke2 ] || rke2=/opt/rke2/bin/rke2
if [ ! -x $rke2 ]; then
	echo 'rke2: not found' >&2
	exit 3
fi
case $verb in
save)
	name=$1
	shift
	exec $rke2 etcd-snapshot save --name "$name" "$@" 2>&1
	;;
delete) exec $rke2 etcd-snapshot delete "$@" 2>&1 ;;
esac
exit 64
