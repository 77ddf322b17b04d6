# Says how the host is at this moment. Arguments: paths whose file systems are asked about, may be none. Exit: 0.
# shellcheck shell=sh
#
# One thing a line, parted by single spaces; a path or unit that is not there is left out:
#   time SECONDS.NANOSECONDS            the clock, always the first line
#   unit NAME KEY=VALUE KEY=VALUE ...   LoadState, ActiveState and SubState as systemctl shows them
#   address IPV4                        every address that the host answers to
#   disk USED_PERCENT SIZE_KIB AVAILABLE_KIB PATH
set -eu

echo "time $(date +%s.%N)"

for unit in keepalived rke2-server rke2-agent; do
  states=$(systemctl show -p LoadState -p ActiveState -p SubState "$unit.service" 2>/dev/null | tr '\n' ' ') || states=
  [ -z "$states" ] || echo "unit $unit ${states% }"
done

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
