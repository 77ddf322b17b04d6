# Says how much a volume's directory holds on this host; changes nothing.
# Arguments: DIRECTORY. Output: KiB, nothing where there is no such directory or it cannot be read through in time.
# Exit code: 0.
set -u
[ -d "$1" ] || exit 0
timeout --foreground 45 du -skx -- "$1" 2>/dev/null | cut -f 1
exit 0
