# Says whether another machine in this host's network answers to an IPv4 address; changes nothing that lasts.
# Arguments: ADDRESS [ping | forget]. Output: a line "own" when this host holds the address itself, else one line
# "neighbour MAC INTERFACE" per entry of the neighbour table that has a hardware address. Exit code: 0.
# The table knows only whom the host has lately talked to: the caller has it connect there before, or, where that is
# impossible, asks for "ping", which is then tried if the host has it; a line "pinged" says so.
# With "forget" the entries are only dropped from the table, as the kernel itself does after a while, and a line
# "forgotten" is printed for each; without `ip` on the host none is.
set -eu
address=$1 how=${2:-}

entries() {
  while read -r entry _type flags mac _mask interface; do
    if [ "$entry" = "$address" ] && [ "$flags" != 0x0 ] && [ "$mac" != 00:00:00:00:00:00 ]; then
      echo "neighbour $mac $interface"
    fi
  done </proc/net/arp
}

if [ "$how" = forget ]; then
  command -v ip >/dev/null || exit 0
  entries | while read -r _word _mac interface; do
    ip neigh del "$address" dev "$interface" && echo forgotten
  done
  exit 0
fi
if sed -n '/|-- /{s/.*|-- //;h;};/\/32 host LOCAL/{g;p;}' /proc/net/fib_trie | grep -qxF "$address"; then
  echo own
  exit 0
fi
if [ "$how" = ping ] && command -v ping >/dev/null; then
  timeout 3 ping -c 1 -W 1 "$address" >/dev/null 2>&1 || :
  echo pinged
fi
entries
