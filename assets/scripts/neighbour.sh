# Says whether another machine in this host's network answers to an IPv4 address; changes nothing.
# Arguments: ADDRESS. Output: a line "own" when this host holds the address itself, else one line
# "neighbour MAC INTERFACE" per entry of the neighbour table that has a hardware address. Exit code: 0.
# Where the host has ping, it asks once, so that the table is fresh; elsewhere the caller has made it ask before.
set -eu
address=$1
if sed -n '/|-- /{s/.*|-- //;h;};/\/32 host LOCAL/{g;p;}' /proc/net/fib_trie | grep -qxF "$address"; then
  echo own
  exit 0
fi
if command -v ping >/dev/null; then
  timeout 3 ping -c 1 -W 1 "$address" >/dev/null 2>&1 || :
fi
while read -r entry _type flags mac _mask interface; do
  if [ "$entry" = "$address" ] && [ "$flags" != 0x0 ] && [ "$mac" != 00:00:00:00:00:00 ]; then
    echo "neighbour $mac $interface"
  fi
done </proc/net/arp
