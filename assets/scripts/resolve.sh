# Says which IPv4 addresses a name leads to on this host, by whatever the host itself asks; changes nothing.
# Arguments: NAME. Output: one address a line, none when the name leads nowhere; "getent absent" where nobody can tell.
# Exit code: 0.
set -u
if ! command -v getent >/dev/null; then
  echo "getent absent"
  exit 0
fi
timeout --foreground 12 getent ahostsv4 "$1" | cut -d ' ' -f 1 | sort -u
exit 0
