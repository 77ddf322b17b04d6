# Mounts an NFS directory for a few seconds in a new directory, tries a throw-away file, and takes all of it away again.
# Arguments: SERVER PATH OPTIONS VERSION...; OPTIONS are further mount options that begin with a comma, or empty.
# Output: "client absent PACKAGE" when the host cannot mount NFS, else for each version "mounted VERSION" or
# "failed VERSION WORDS" and, in it, lines "KEY VERSION VALUE": create (ok, or words), owner (uid), chown, rename,
# remove (ok or words), lock (granted, refused, twice), free (KiB), sync (microseconds for 8 KiB). Exit code: 0.
# "soft" and the limits let go of a server that does not answer; the file's name begins with .rbdtui-check-.
set -u
server=$1 path=$2 options=$3
shift 3

if ! command -v mount.nfs >/dev/null; then
  package=nfs-utils
  if command -v zypper >/dev/null; then package=nfs-client; fi
  if command -v apt-get >/dev/null; then package=nfs-common; fi
  echo "client absent $package"
  exit 0
fi

place=$(mktemp -d) || exit 0
file=$place/.rbdtui-check-$$
mounted=
take_away() {
  if [ -n "$mounted" ]; then
    rm -f -- "$file" "$file.renamed"
    umount "$place" 2>/dev/null || umount -f -l "$place"
    mounted=
  fi
}
trap 'take_away; rmdir "$place"' EXIT
trap 'exit 0' HUP INT TERM
# `timeout` stays in the foreground: else what ends this script would not end what it waits for.

words() { tr '\n' ' ' | cut -c 1-300; }
outcome() {
  key=$1
  shift
  if said=$("$@" 2>&1); then echo "$key $version ok"; else echo "$key $version $(echo "$said" | words)"; fi
}

try_lock() {
  command -v flock >/dev/null || return 0
  # The inner flock opens the file anew, as another process would.
  said=$(timeout --foreground 8 flock -n "$file" sh -c 'flock -n "$1" true && echo twice || echo granted' sh "$file" 2>/dev/null) || :
  echo "lock $version ${said:-refused}"
}

try_sync() {
  began=$(date +%s%N)
  timeout --foreground 10 dd if=/dev/zero of="$file" bs=8192 count=20 conv=notrunc oflag=dsync 2>/dev/null || return 0
  echo "sync $version $((($(date +%s%N) - began) / 20000))"
}

for version in "$@"; do
  limits="soft,timeo=30,retrans=2,retry=0,vers=$version$options"
  if ! said=$(timeout --foreground 12 mount.nfs "$server:$path" "$place" -o "$limits" 2>&1); then
    echo "failed $version $(echo "$said" | words)"
    continue
  fi
  mounted=yes
  echo "mounted $version"
  echo "free $version $(df -P -k "$place" | { read -r _; read -r _ _ _ available _; echo "$available"; })"
  outcome create sh -c ': >"$1"' sh "$file"
  if [ -e "$file" ]; then
    echo "owner $version $(stat -c %u "$file")"
    try_sync
    try_lock
    outcome chown chown 1000 "$file"
    outcome rename mv "$file" "$file.renamed"
    outcome remove rm "$file.renamed"
  fi
  take_away
done
