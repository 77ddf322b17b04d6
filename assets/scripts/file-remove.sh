# Removes a file. Arguments: PATH BACKUP_DIR ("" for none). The file is kept as BACKUP_DIR/PATH, once.
# Prints "removed" or "absent". Exit: 0.
# shellcheck shell=sh
set -eu
path=$1 backup_dir=$2
if [ ! -e "$path" ] && [ ! -L "$path" ]; then
  echo absent
  exit 0
fi
if [ -n "$backup_dir" ] && [ -f "$path" ] && [ ! -e "$backup_dir$path" ]; then
  case $backup_dir/ in /var/lib/rbdtui/*) [ -d /var/lib/rbdtui ] || mkdir -m 0700 /var/lib/rbdtui || [ -d /var/lib/rbdtui ] ;; esac
  mkdir -p -- "$(dirname -- "$backup_dir$path")"
  cp -p -- "$path" "$backup_dir$path.part"
  mv -f -- "$backup_dir$path.part" "$backup_dir$path"
fi
rm -f -- "$path"
echo removed
