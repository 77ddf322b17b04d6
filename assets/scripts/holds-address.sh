# Prints whether this host holds IPv4 addresses now; changes nothing.
# Arguments: ADDRESS...
# Output: per address a line "ADDRESS yes" or "ADDRESS no".
# Exit codes: 0.
set -eu
own=$(sed -n '/|-- /{s/.*|-- //;h;};/\/32 host LOCAL/{g;p;}' /proc/net/fib_trie)
for address; do
	if printf '%s\n' "$own" | grep -qxF "$address"; then echo "$address yes"; else echo "$address no"; fi
done
