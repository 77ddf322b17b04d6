#!/bin/sh
$header
# Dumps Rainbond's databases every night: on the replica, or on a server that nobody copies from. Dumps older than 30
# days go once a new one is whole.
set -eu
umask 077
directory=/var/backups/rbdtui-mysql
mkdir -p "$$directory"
part=$$directory/.part
question="SELECT @@GLOBAL.super_read_only = 1 OR NOT EXISTS
	(SELECT 1 FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%')"
if [ "$$(mysql --defaults-extra-file=$options -N -B -e "$$question")" != 1 ]; then
	echo "The replica dumps."
	exit 0
fi
trap 'rm -f "$$part" "$$part.gz"' EXIT
# MariaDB's mysqldump, which some systems have in place of MySQL's, knows no GTIDs and leaves them out by itself.
gtids=
! mysqldump --help 2>/dev/null | grep -q -- --set-gtid-purged || gtids=--set-gtid-purged=OFF
spaces=
! mysqldump --help 2>/dev/null | grep -q -- --no-tablespaces || spaces=--no-tablespaces
# shellcheck disable=SC2086
mysqldump --defaults-extra-file=$options --single-transaction --routines --triggers --events $$gtids $$spaces \
	--databases console region >"$$part"
# The last line says that nothing is cut off.
tail -n 1 "$$part" | grep -q '^-- Dump completed'
gzip -c "$$part" >"$$part.gz"
mv "$$part.gz" "$$directory/$$(date -u +%Y%m%dT%H%M%SZ).sql.gz"
find "$$directory" -maxdepth 1 -name '*.sql.gz' -mtime +30 -delete
