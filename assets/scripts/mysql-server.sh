# Says how this host stands towards the MySQL server that is made of it.
# Arguments: ACTION
#   look   changes nothing. Output, parted by tabs:
#            program VERSION    the line of `mysqld --version`; left out where there is no such program
#            unit UNIT STATE    systemd's ActiveState of its service; STATE absent: there is no such unit
#            config PATH        where settings of ours are read last; PATH is a guess as long as nothing is installed
#            site SITE          what such a file there was written for
#            database NAME      each database in the data directory, but for the system's own
#            space TYPE KIB FREE_KIB MOUNT   of the file system that has the data or will have them
#            dump SECONDS COUNT when the newest nightly dump was written, since 1970, and how many there are
# Exit codes: 0 done; 64 unknown action.
# shellcheck shell=sh
set -eu
data=/var/lib/mysql
dumps=/var/backups/rbdtui-mysql
[ "$1" = look ] || exit 64

if command -v mysqld >/dev/null; then
	printf 'program\t%s\n' "$(mysqld --version 2>/dev/null | tr '\t' ' ' | head -n 1)"
fi
unit=mysql state=absent
for name in mysql mysqld; do
	case $(systemctl show -p LoadState --value $name.service 2>/dev/null) in
	'' | not-found) ;;
	*)
		unit=$name state=$(systemctl show -p ActiveState --value $name.service)
		break
		;;
	esac
done
printf 'unit\t%s.service\t%s\n' "$unit" "$state"
# MySQL's own packages for Red Hat read nothing but /etc/my.cnf.
if [ -d /etc/mysql/mysql.conf.d ] || command -v dpkg >/dev/null; then
	config=/etc/mysql/mysql.conf.d/zz-rbdtui.cnf
elif [ ! -e /etc/my.cnf ] || grep -qs '^[[:space:]]*!includedir[[:space:]]*/etc/my.cnf.d' /etc/my.cnf; then
	config=/etc/my.cnf.d/zz-rbdtui.cnf
else
	config=/etc/my.cnf
fi
printf 'config\t%s\n' "$config"
site=$(head -n 3 -- $config 2>/dev/null | sed -n 's/^# Written by rbdtui for site \([^;]*\);.*/\1/p' | head -n 1)
[ -z "$site" ] || printf 'site\t%s\n' "$site"
for place in "$data"/*/; do
	[ -d "$place" ] || continue
	name=${place%/} name=${name##*/}
	case $name in mysql | performance_schema | sys | '#'* | lost+found) ;; *) printf 'database\t%s\n' "$name" ;; esac
done
near=$data
while [ ! -d "$near" ]; do
	near=${near%/*}
	near=${near:-/}
done
df -P -k -T -- "$near" 2>/dev/null | awk 'NR == 2 { printf "space\t%s\t%s\t%s\t%s\n", $2, $3, $5, $7 }'
newest=0 count=0
for file in $dumps/*.sql.gz; do
	[ -f "$file" ] || continue
	count=$((count + 1))
	written=$(stat -c %Y -- "$file")
	[ "$written" -le "$newest" ] || newest=$written
done
printf 'dump\t%s\t%s\n' "$newest" "$count"
