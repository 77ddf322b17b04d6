# Says how the host is at this moment. Exit: 0. Arguments, may be none: paths whose file systems are asked about, and
# names (without a slash) that this host should find.
# shellcheck shell=sh
#
# One thing a line, parted by single spaces; a path or unit that is not there is left out:
#   time SECONDS.NANOSECONDS            the clock, always the first line
#   unit NAME KEY=VALUE KEY=VALUE ...   LoadState, ActiveState and SubState as systemctl shows them
#   listens 9345                        RKE2's port for nodes that join, while something listens there
#   address IPV4                        every address that the host answers to
#   boot ID                             another one after each start of the host
#   disk USED_PERCENT SIZE_KIB AVAILABLE_KIB PATH
#   inodes USED_PERCENT PATH            where the file system has a fixed number of them
#   name NAME IPV4                      each address that the host finds for a name, in its order
#   asked NAME                          the host was asked for a name, whatever it found
set -eu

echo "time $(date +%s.%N)"

for unit in haproxy keepalived rke2-server rke2-agent; do
  states=$(systemctl show -p LoadState -p ActiveState -p SubState "$unit.service" 2>/dev/null | tr '\n' ' ') || states=
  [ -z "$states" ] || echo "unit $unit ${states% }"
done

# 9345 is 2481 in hexadecimal, and 0A is the state of a socket that listens.
if grep -qs '^ *[0-9]*: [0-9A-F]*:2481 [0-9A-F]*:0000 0A ' /proc/net/tcp /proc/net/tcp6; then echo 'listens 9345'; fi

# The routing table names every local address; `ip` may be missing on a host without iproute2.
sed -n '/|--/h; /host LOCAL/{g;s/.*|-- /address /p;}' /proc/net/fib_trie | sort -u

if read -r boot 2>/dev/null </proc/sys/kernel/random/boot_id; then echo "boot $boot"; fi

for path in "$@"; do
  case $path in /*) ;; *) continue ;; esac
  [ -e "$path" ] || continue
  df -P -k -- "$path" | {
    read -r _
    read -r _ size _ available used _
    echo "disk ${used%\%} $size $available $path"
  }
  df -P -i -- "$path" | {
    read -r _
    read -r _ _ _ _ used _
    case $used in *[0-9]%) echo "inodes ${used%\%} $path" ;; esac
  }
done

# A name may be asked of a DNS server that does not answer: all of them together get two seconds.
command -v getent >/dev/null || exit 0
names=
for name in "$@"; do
  case $name in /*) ;; *) names="$names $name" ;; esac
done
[ -n "$names" ] || exit 0
# shellcheck disable=SC2086,SC2016
timeout --foreground 2 sh -c 'for name; do getent ahostsv4 "$name" | sed -n "s/ *STREAM.*//p" | sed "s/^/name $name /"; echo "asked $name"; done' names $names || true
