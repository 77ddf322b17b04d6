# Tries whether packets pass between this host and others that do the same at the same time: sends some to each, and
# says whose arrive. Those of VRRP (IP protocol 112) carry virtual router id 0, which no virtual router may have (RFC
# 5798, section 5.2.3), and those to a port of VXLAN lack the flag of a valid network identifier (RFC 7348, section 5),
# so that a keepalived and a kernel at work pay no heed to them.
# Arguments: WAY OWN SECONDS MARK TARGET...; WAY is `vrrp` or a UDP port, OWN this host's address, MARK sixteen
# hexadecimal digits that all who try together share, a TARGET another's address, or 224.0.0.18 for all of the network.
# Output: a line "heard OWN-OF-THE-OTHER" for each; "unsent TARGET WORDS" for what this host itself does not let out;
# at the end "tried". Exit codes: 0; 3 the host has neither python nor perl; 4 it could not try (words on standard
# error); 5 the port is taken.
set -eu

with_python='
import binascii, errno, socket, struct, sys, time
way, own, seconds, mark, targets = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4], sys.argv[5:]
mark, here, port = binascii.unhexlify(mark), socket.inet_aton(own), 0 if way == "vrrp" else int(way)
packet = struct.pack(">BBBBBBH", 0xF0, 0, 0, 0, 0, 0, 0) + mark + here
if port:
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
else:
    wire = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
    wire.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
    wire.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    wire.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
    wire.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
if "224.0.0.18" in targets:
    wire.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.18") + here)
else:
    try:
        wire.bind((own, port))
    except socket.error as error:
        if error.errno == errno.EADDRINUSE:
            sys.exit(5)
        raise
start = time.time()
end, due, told = start + seconds, start, set()
def tell(line):
    if line not in told:
        told.add(line)
        print(line)
while time.time() < end:
    if time.time() >= due:
        due += 0.1
        for target in targets:
            try:
                wire.sendto(packet, (target, port))
            except socket.error as error:
                tell("unsent " + target + " " + str(error.strerror or error))
    wire.settimeout(max(min(due, end) - time.time(), 0.01))
    try:
        came = bytes(wire.recv(2048))
    except socket.timeout:
        continue
    except socket.error:
        continue
    said = came if port else came[(bytearray(came)[0] & 15) * 4:]
    if len(said) == 20 and said[8:16] == mark and said[16:] != here:
        tell("heard " + socket.inet_ntoa(said[16:]))
print("tried")
'

# shellcheck disable=SC2016
with_perl='
use strict;
my ($way, $own, $seconds, $mark, @targets) = @ARGV;
$mark = pack("H16", $mark);
my $port = $way eq "vrrp" ? 0 : $way;
my $here = pack("C4", split(/[.]/, $own));
my $packet = pack("C6 n", 0xF0, 0, 0, 0, 0, 0, 0) . $mark . $here;
my $place = sub { pack("S n a4 x8", 2, $port, pack("C4", split(/[.]/, shift))) };
my $wire;
if ($port) {
  socket($wire, 2, 2, 17) or die "socket: $!\n";
} else {
  socket($wire, 2, 3, 112) or die "socket: $!\n";
  setsockopt($wire, 0, 2, pack("i", 255));
  setsockopt($wire, 0, 33, pack("i", 255));
  setsockopt($wire, 0, 34, pack("i", 0));
  setsockopt($wire, 0, 32, $here) or die "$own: $!\n";
}
if (grep { $_ eq "224.0.0.18" } @targets) {
  setsockopt($wire, 0, 35, pack("C4", 224, 0, 0, 18) . $here) or die "224.0.0.18: $!\n";
} elsif (!bind($wire, $place->($own))) {
  exit(5) if $! == 98; # EADDRINUSE of Linux
  die "$own: $!\n";
}
$| = 1;
my %told;
my $tell = sub { print "$_[0]\n" unless $told{$_[0]}++ };
my ($rest, $due) = ($seconds, 0);
while ($rest > 0) {
  if ($due <= 0) {
    $due += 0.1;
    for my $target (@targets) {
      defined(send($wire, $packet, 0, $place->($target))) or $tell->("unsent $target $!");
    }
  }
  my $asked = $due > 0.001 ? $due : 0.001;
  my $ready = "";
  vec($ready, fileno($wire), 1) = 1;
  my ($found, $left) = select($ready, undef, undef, $asked);
  $rest -= $asked - $left;
  $due -= $asked - $left;
  next unless $found > 0;
  defined(recv($wire, my $came, 2048, 0)) or next;
  my $said = $port ? $came : substr($came, (ord($came) & 15) * 4);
  next unless length($said) == 20 and substr($said, 8, 8) eq $mark;
  my $who = substr($said, 16);
  $tell->("heard " . join(".", unpack("C4", $who))) if $who ne $here;
}
print "tried\n";
'

ended() {
  [ "$1" -eq 0 ] || [ "$1" -eq 5 ] || exit 4
  exit "$1"
}

for program in python3 /usr/libexec/platform-python python python2; do
  command -v "$program" >/dev/null || continue
  status=0
  "$program" -c "$with_python" "$@" || status=$?
  ended "$status"
done
command -v perl >/dev/null || exit 3
status=0
perl -e "$with_perl" "$@" || status=$?
ended "$status"
