# Tries whether packets of VRRP (IP protocol 112) pass between this host and others that do the same at the same time:
# sends some to each, as keepalived sends its own, and says whose arrive. They carry virtual router id 0, which no
# virtual router may have (RFC 5798, section 5.2.3), so that a keepalived at work pays no heed to them.
# Arguments: OWN SECONDS MARK TARGET...; OWN is this host's address, MARK sixteen hexadecimal digits that all who try
# together share, a TARGET another's address or 224.0.0.18 for all of the network.
# Output: a line "heard OWN-OF-THE-OTHER" for each; "unsent TARGET WORDS" for what this host itself does not let out;
# at the end "tried". Exit codes: 0; 3 the host has neither python nor perl; 4 it could not try (words on standard error).
set -eu

with_python='
import binascii, socket, struct, sys, time
own, seconds, mark, targets = sys.argv[1], float(sys.argv[2]), binascii.unhexlify(sys.argv[3]), sys.argv[4:]
here = socket.inet_aton(own)
packet = struct.pack(">BBBBBBH", 0xF0, 0, 0, 0, 0, 0, 0) + mark + here
wire = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
wire.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
wire.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
wire.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
wire.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
if "224.0.0.18" in targets:
    wire.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.18") + here)
else:
    wire.bind((own, 0))
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
                wire.sendto(packet, (target, 0))
            except socket.error as error:
                tell("unsent " + target + " " + str(error.strerror or error))
    wire.settimeout(max(min(due, end) - time.time(), 0.01))
    try:
        came = bytes(wire.recv(2048))
    except socket.timeout:
        continue
    head = (bytearray(came)[0] & 15) * 4
    said = came[head + 8:]
    if said[:8] == mark and len(said) == 12 and said[8:] != here:
        tell("heard " + socket.inet_ntoa(said[8:]))
print("tried")
'

# shellcheck disable=SC2016
with_perl='
use strict;
my ($own, $seconds, $mark, @targets) = @ARGV;
$mark = pack("H16", $mark);
my $here = pack("C4", split(/[.]/, $own));
my $packet = pack("C6 n", 0xF0, 0, 0, 0, 0, 0, 0) . $mark . $here;
my $place = sub { pack("S n a4 x8", 2, 0, pack("C4", split(/[.]/, shift))) };
socket(my $wire, 2, 3, 112) or die "socket: $!\n";
setsockopt($wire, 0, 2, pack("i", 255));
setsockopt($wire, 0, 33, pack("i", 255));
setsockopt($wire, 0, 34, pack("i", 0));
setsockopt($wire, 0, 32, $here) or die "$own: $!\n";
if (grep { $_ eq "224.0.0.18" } @targets) {
  setsockopt($wire, 0, 35, pack("C4", 224, 0, 0, 18) . $here) or die "224.0.0.18: $!\n";
} else {
  bind($wire, $place->($own)) or die "$own: $!\n";
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
  recv($wire, my $came, 2048, 0);
  my $said = substr($came, (ord($came) & 15) * 4 + 8);
  next unless length($said) == 12 and substr($said, 0, 8) eq $mark;
  my $who = substr($said, 8);
  $tell->("heard " . join(".", unpack("C4", $who))) if $who ne $here;
}
print "tried\n";
'

for program in python3 /usr/libexec/platform-python python python2; do
  command -v "$program" >/dev/null || continue
  "$program" -c "$with_python" "$@" || exit 4
  exit 0
done
command -v perl >/dev/null || exit 3
perl -e "$with_perl" "$@" || exit 4
