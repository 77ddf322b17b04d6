# Listens to what others announce of virtual routers (VRRP, IP protocol 112) in the network of an IPv4 address; sends
# nothing but what a switch needs to let the announcements through (IGMP for 224.0.0.18), for as long as it listens.
# Arguments: ADDRESS SECONDS. Output: a line "interface NAME"; for each different announcement a line
# "heard SOURCE VERSION ROUTER_ID PRIORITY [ADDRESS]..."; at the end a line "listened". Exit codes: 0;
# 3 the host has nothing to listen with (neither python nor perl); 4 it could not listen (words on standard error).
set -eu
address=$1 seconds=$2

with_python='
import socket, struct, sys, time
vip, seconds = sys.argv[1], float(sys.argv[2])
wanted = struct.unpack("<I", socket.inet_aton(vip))[0]
routes = [line.split() for line in open("/proc/net/route").readlines()[1:]]
fits = [(bin(int(r[7], 16)).count("1"), r[0]) for r in routes if wanted & int(r[7], 16) == int(r[1], 16)]
if not fits:
    sys.exit("no route to " + vip)
name = max(fits)[1]
print("interface " + name)
index = int(open("/sys/class/net/" + name + "/ifindex").read())
member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
group = socket.inet_aton("224.0.0.18") + bytes(bytearray(4)) + struct.pack("=i", index)
member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
ear = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
ear.bind((name, 0x0800))
end, seen = time.time() + seconds, set()
while time.time() < end and len(seen) < 200:
    ear.settimeout(max(end - time.time(), 0.01))
    try:
        packet = bytearray(ear.recv(2048))
    except socket.timeout:
        break
    if len(packet) < 28 or packet[9] != 112:
        continue
    head = (packet[0] & 15) * 4
    said = packet[head:]
    if len(said) < 8 or said[0] & 15 != 1:
        continue
    places = [said[8 + 4 * i : 12 + 4 * i] for i in range(said[3])]
    dotted = [".".join(str(byte) for byte in place) for place in places if len(place) == 4]
    source = ".".join(str(byte) for byte in packet[12:16])
    line = " ".join(["heard", source, str(said[0] >> 4), str(said[1]), str(said[2])] + dotted)
    if line not in seen:
        seen.add(line)
        print(line)
print("listened")
'

# shellcheck disable=SC2016
with_perl='
use strict;
my ($vip, $seconds) = @ARGV;
my $wanted = unpack("V", pack("C4", split(/[.]/, $vip)));
my ($name, $best) = ("", -1);
open(my $routes, "<", "/proc/net/route") or die "routes: $!\n";
<$routes>;
while (<$routes>) {
  my @r = split;
  my $bits = unpack("%32b*", pack("V", hex($r[7])));
  ($name, $best) = ($r[0], $bits) if ($wanted & hex($r[7])) == hex($r[1]) and $bits >= $best;
}
$name or die "no route to $vip\n";
$| = 1;
print "interface $name\n";
open(my $number, "<", "/sys/class/net/$name/ifindex") or die "$name: $!\n";
my $index = <$number>;
socket(my $member, 2, 2, 0) or die "socket: $!\n";
setsockopt($member, 0, 35, pack("C4", 224, 0, 0, 18) . pack("x4 i", $index)) or die "224.0.0.18: $!\n";
socket(my $ear, 17, 2, unpack("S", pack("n", 0x0800))) or die "socket: $!\n";
bind($ear, pack("S n i S C C x8", 17, 0x0800, $index, 0, 0, 0)) or die "bind: $!\n";
my ($end, %seen) = (time + $seconds);
while ((my $left = $end - time) > 0 and keys(%seen) < 200) {
  my $ready = "";
  vec($ready, fileno($ear), 1) = 1;
  last unless select($ready, undef, undef, $left) > 0;
  recv($ear, my $packet, 2048, 0);
  next if length($packet) < 28;
  my @b = unpack("C*", $packet);
  next if $b[9] != 112;
  my @said = @b[($b[0] & 15) * 4 .. $#b];
  next if @said < 8 or ($said[0] & 15) != 1;
  my @dotted;
  for my $i (0 .. $said[3] - 1) {
    push @dotted, join(".", @said[8 + 4 * $i .. 11 + 4 * $i]) if 11 + 4 * $i <= $#said;
  }
  my $line = join(" ", "heard", join(".", @b[12 .. 15]), $said[0] >> 4, $said[1], $said[2], @dotted);
  print "$line\n" unless $seen{$line}++;
}
print "listened\n";
'

for program in python3 /usr/libexec/platform-python python python2; do
  command -v "$program" >/dev/null || continue
  "$program" -c "$with_python" "$address" "$seconds" || exit 4
  exit 0
done
command -v perl >/dev/null || exit 3
perl -e "$with_perl" "$address" "$seconds" || exit 4
