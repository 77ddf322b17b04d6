# Puts the data of this host's member of etcd aside, so that RKE2 joins the cluster anew. Snapshots stay where they are.
# Arguments: none. Output: where the data are now; nothing when there were none.
# Exit codes: 0; 5 RKE2 or etcd runs.
set -eu
db=/var/lib/rancher/rke2/server/db
case $(systemctl is-active rke2-server.service || true) in
active | activating | reloading) exit 5 ;;
esac
if grep -Eiq '^ *[0-9]+: [0-9A-F]+:094C [0-9A-F:]+ 0A ' /proc/net/tcp /proc/net/tcp6 2>/dev/null; then exit 5; fi
rm -f $db/reset-flag
[ -d $db/etcd ] || exit 0
aside=$db/etcd-old-$(date +%s)
mv $db/etcd "$aside"
sync
echo "$aside"
