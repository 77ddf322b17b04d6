# Writes a file, atomically, and only if something differs: content, mode or owner.
# Arguments: PATH MODE OWNER:GROUP BACKUP_DIR ("" for none). The old file is kept as BACKUP_DIR/PATH, once.
# Standard input: a line with the SHA256 of the content, then the content. A command line would show the digest to every
# user of the host, and a short secret in a known frame can be found from it.
# Prints "written" or "same". Exit: 0; 6 what arrived does not have the SHA256.
# shellcheck shell=sh
set -eu
path=$1 mode=$2 owner=$3 backup_dir=$4
read -r sha256
[ ! -L "$path" ] || path=$(readlink -f -- "$path")
if [ -f "$path" ] && [ "$(stat -c '%a %U:%G' -- "$path")" = "$mode $owner" ]; then
  sum=$(sha256sum < "$path")
  if [ "${sum%% *}" = "$sha256" ]; then
    echo same
    exit 0
  fi
fi
if [ -d "$path" ]; then
  echo "$path is a directory" >&2
  exit 1
fi
case :$path:$backup_dir/ in *:/var/lib/rbdtui/*) [ -d /var/lib/rbdtui ] || mkdir -m 0700 /var/lib/rbdtui || [ -d /var/lib/rbdtui ] ;; esac
directory=$(dirname -- "$path")
mkdir -p -- "$directory"
if [ -n "$backup_dir" ] && [ -f "$path" ] && [ ! -e "$backup_dir$path" ]; then
  mkdir -p -- "$(dirname -- "$backup_dir$path")"
  cp -p -- "$path" "$backup_dir$path.part"
  mv -f -- "$backup_dir$path.part" "$backup_dir$path"
fi
temporary=$(mktemp -- "$directory/.rbdtui-XXXXXXXX")
trap 'rm -f -- "$temporary"' EXIT
trap 'exit 1' HUP INT TERM
dd of="$temporary" bs=65536 conv=fsync status=none
sum=$(sha256sum < "$temporary")
[ "${sum%% *}" = "$sha256" ] || exit 6
chown -- "$owner" "$temporary"
chmod -- "$mode" "$temporary"
mv -f -- "$temporary" "$path"
sync -- "$directory" 2> /dev/null || true
if command -v restorecon > /dev/null; then restorecon -F -- "$path" || true; fi
echo written
