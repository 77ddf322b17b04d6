# Answers one connection, which is its standard input and output, so that the caller knows where it came out.
# Arguments: TOKEN HOLD_S. Answer: HTTP/1.0 with one line "rbdtui TOKEN PEER RECEIVED", PEER as the kernel writes it
# (address in hexadecimal digits, a colon, the port), RECEIVED what came first, in hexadecimal digits. When "hold-rbdtui"
# is in that, the line "rbdtui again" follows after HOLD_S of silence.
# Exit code: 0.
# shellcheck shell=sh
set -eu
token=$1 hold=$2
# First of all the bytes: balancers look whether somebody listens every moment, and say nothing.
received=$(dd bs=4096 count=1 2> /dev/null | od -An -v -tx1)
[ -n "$received" ] || exit 0
# shellcheck disable=SC2086
set -- $received
IFS=
received="$*"
unset IFS
inode=$(readlink /proc/self/fd/0)
inode=${inode#*[}
inode=${inode%]}
peer=-
for table in /proc/net/tcp /proc/net/tcp6; do
  [ -r $table ] || continue
  while read -r _ _ remote _ _ _ _ _ _ number _; do
    if [ "$number" = "$inode" ]; then
      peer=$remote
      break
    fi
  done < $table
done
printf 'HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nrbdtui %s %s %s\n' "$token" "$peer" "$received"
case $received in
  *686f6c642d726264747569*)
    sleep "$hold"
    echo 'rbdtui again'
    ;;
esac
