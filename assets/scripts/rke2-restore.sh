# Has RKE2 restore a snapshot on this host, as its only member of etcd: RKE2's own cluster-reset, to its end.
# Arguments: PATH of the snapshot, further options of `rke2 server`.
# RKE2 refuses it while its configuration names a server to join, so it is given a copy without that line.
# Output: RKE2's log, which ends with "restart without --cluster-reset flag now" when it was done.
# Exit codes: 0; 3 RKE2's program or configuration is not there; 5 RKE2 runs; otherwise RKE2's own.
set -eu
path=$1
shift
etc=/etc/rancher/rke2 work=/var/lib/rbdtui/restore
rke2=/usr/local/bin/rke2
[ -x $rke2 ] || rke2=/opt/rke2/bin/rke2
[ -x $rke2 ] && [ -f $etc/config.yaml ] || exit 3
case $(systemctl is-active rke2-server.service || true) in
active | activating | reloading) exit 5 ;;
esac
umask 077
rm -rf $work
mkdir -p $work
sed '/^server:/d' $etc/config.yaml >$work/config.yaml
[ ! -d $etc/config.yaml.d ] || ln -s $etc/config.yaml.d $work/config.yaml.d
umask 022
db=/var/lib/rancher/rke2/server/db
before=$(ls -d $db/etcd-old-* 2>/dev/null || true)
status=0
$rke2 server --config $work/config.yaml --cluster-reset --cluster-reset-restore-path="$path" "$@" 2>&1 || status=$?
rm -rf $work
# What a restore that failed has moved is put back: this host is then a member as it was.
if [ $status -ne 0 ]; then
	for old in "$db"/etcd-old-*; do
		[ -d "$old" ] || continue
		case "
$before
" in *"
$old
"*) continue ;; esac
		rm -rf $db/etcd $db/reset-flag /var/lib/rancher/rke2/force-restart
		mv "$old" $db/etcd
		echo "put back $old"
	done
fi
exit $status
