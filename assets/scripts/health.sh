# Says how the host is at this moment. Arguments: paths whose file systems are asked about, may be none. Exit: 0.
# shellcheck shell=sh
#
# One thing a line, parted by single spaces; a path or unit that is not there is left out:
#   time SECONDS.NANOSECONDS            the clock, always the first line
#   unit NAME KEY=VALUE KEY=VALUE ...   LoadState, ActiveState and SubState as systemctl shows them
#   listens 9345                        RKE2's port for nodes that join, while something listens there
#   address IPV4                        every address that the host answers to
#   disk USED_PERCENT SIZE_KIB AVAILABLE_KIB PATH
set -eu

echo "time $(date +%s.%N)"

for unit in keepalived rke2-server rke2-agent; do
  states=$(systemctl show -p LoadState -p ActiveState -p SubState "$unit.service" 2>/dev/null | tr '\n' ' ') || states=
  [ -z "$states" ] || echo "unit $unit ${states% }"
done

# 9345 is 2481 in hexadecimal, and 0A is the state of a socket that listens.
if grep -qs '^ *[0-9]*: [0-9A-F]*:2481 [0-9A-F]*:0000 0A ' /proc/net/tcp /proc/net/tcp6; then echo 'listens 9345'; fi

# The routing table names every local address; `ip` may be missing on a host without iproute2.
sed -n '/|--/h; /host LOCAL/{g;s/.*|-- /address /p;}' /proc/net/fib_trie | sort -u

for path in "$@"; do
  [ -e "$path" ] || continue
  df -P -k -- "$path" | {
    read -r _
    read -r _ size _ available used _
    echo "disk ${used%\%} $size $available $path"
  }
done
