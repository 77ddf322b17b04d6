# Says which processes listen on TCP ports of this host, and to which pod each belongs; changes nothing.
# Arguments: PORT... Output, one process a line: "PORT PROCESS POD_UID", with "-" for what cannot be told or is no pod.
# A port on which nothing listens has no line. Exit code: 0.
# shellcheck shell=sh
set -u
for port in "$@"; do
	hex=$(printf '%04X' "$port")
	# The tenth column is the inode of the socket; 0A is the state of one that listens.
	inodes=$(grep -hsE "^ *[0-9]+: [0-9A-F]+:$hex [0-9A-F]+:[0-9A-F]{4} 0A " /proc/net/tcp /proc/net/tcp6 |
		sed 's/^ *//; s/  */ /g' | cut -d ' ' -f 10 | sort -u)
	for inode in $inodes; do
		pids=$(ls -lnU /proc/[0-9]*/fd 2>/dev/null |
			sed -n -e '/^\/proc/h' -e "/socket:\[$inode\]/{g;s/^\/proc\/\([0-9]*\)\/fd:.*/\1/p;}" | sort -un)
		[ -n "$pids" ] || echo "$port - -"
		for pid in $pids; do
			name=$(tr ' ' _ <"/proc/$pid/comm" 2>/dev/null) || continue
			# systemd's groups write the UID with underscores, and need no other word to be told from it.
			pod=$(sed -n 's/.*kubepods.*pod\([0-9a-f]\{8\}[-_0-9a-f]*\).*/\1/p' "/proc/$pid/cgroup" 2>/dev/null |
				head -n 1 | tr _ -)
			echo "$port ${name:--} ${pod:--}"
		done
	done
done | sort -u
exit 0
