"""A look-alike of a Rainbond 3.6 on real hosts: audited, converted by `convert`, audited again, lost in turn.

Its files are those of the installer; rbd-lb is a real nginx with the installer's rules, GlusterFS and keepalived are
the real ones of Debian. Docker, dc-compose and what is behind them are stand-ins that listen where the real ones do.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rbdtui.audit.facts import DYNAMICS, ENVIRONMENT, LB_DEFAULT
from rbdtui.audit.target import Target, target_of
from rbdtui.simulator.rainbond_3_6 import before
from rbdtui.spec.loader import parse_spec
from tests.lab import Lab
from tests.lab.packages import host_packages

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(1800)]

HOSTS = {"manage01": "n1", "compute01": "n2", "compute02": "n3"}
SPEC = """apiVersion: rbdtui/v1
name: old-site
profile: rainbond-3.6
bundle: nothing
ssh: {{user: root, key: {key}}}
nodes:
  - {{name: manage01, address: {n1}, roles: [control-plane, etcd]}}
  - {{name: compute01, address: {n2}, roles: [worker, gateway]}}
  - {{name: compute02, address: {n3}, roles: [worker, gateway]}}
gateway: {{mode: keepalived, vip: {vip}/26, virtual_router_id: 87}}
glusterfs: {{mode: arbiter, brick: /data/glusterfs, volume: data}}
"""
DOCKER = r"""#!/bin/sh
case $1 in
ps)
  for file in /run/stand-in/*; do
    [ ! -e "$file" ] || echo "${file##*/}|$(head -n 1 "$file")|Up 2 minutes"
  done ;;
inspect)
  shift
  case $1 in
  --type=image) [ ! -e "/var/lib/stand-in-lacks/${2##*/}" ] ;;
  --format) file=/run/stand-in/$3; [ -e "$file" ] || exit 1; sed -n 2p "$file" ;;
  *) [ -e "/run/stand-in/$1" ] ;;
  esac ;;
rm) shift 2; for name; do systemctl stop "$name" 2>/dev/null; rm -f "/run/stand-in/$name"; done ;;
pull) curl -sfk -o /dev/null -m 5 https://goodrain.me/v2/ ;;
exec)
  case $* in
  *UPDATE*) address=$(echo "$*" | sed "s/.*tcpdomain='\([0-9.]*\)'.*/\1/")
    awk -v to="$address" 'BEGIN { FS = OFS = "\t" } { $2 = to; print }' /var/lib/stand-in-region >/run/region
    cat /run/region >/var/lib/stand-in-region ;;
  *SELECT*) cat /var/lib/stand-in-region ;;
  esac ;;
esac
"""
DC_COMPOSE = r"""#!/bin/sh
# As docker-compose with all files: `up -d [--remove-orphans] [NAME...]`, `stop NAME...`, `restart NAME...`.
mkdir -p /run/stand-in
action=$1
shift
orphans= names=
for word; do
  case $word in
  -d) ;;
  --remove-orphans) orphans=yes ;;
  *) names="$names $word" ;;
  esac
done
there=$(sed -n 's/^  \(rbd-[a-z-]*\):.*/\1/p' /opt/rainbond/compose/*.yaml)
stop() { [ ! -e "/etc/systemd/system/$1.service" ] || systemctl stop "$1"; rm -f "/run/stand-in/$1"; }
# The words of a command that is a list, as docker keeps them.
command_of() {
  cat /opt/rainbond/compose/*.yaml | awk -v name="  $1:" '
    /^  [a-z]/ { own = ($0 == name); inside = 0 }
    own && /^    command:/ { inside = 1; next }
    own && inside && /^    ?- / { sub(/^ *- */, ""); gsub(/"/, ""); list = list sep "\"" $0 "\""; sep = ","; next }
    own && /^    [a-z]/ { inside = 0 }
    END { print "[" list "]" }'
}
for name in ${names:-$there}; do
  case " $(echo $there) " in *" $name "*) ;; *) echo "ERROR: No such service: $name" >&2; exit 1 ;; esac
  case $action in
  stop) stop "$name" ;;
  up | restart)
    new="rainbond/$name:3.6
$(command_of "$name")"
    if [ "$action" = restart ] || [ "$new" != "$(cat "/run/stand-in/$name" 2>/dev/null)" ]; then
      [ ! -e "/etc/systemd/system/$name.service" ] || systemctl restart "$name" || exit 1
      echo "$new" >"/run/stand-in/$name"
    fi ;;
  esac
done
[ -n "$orphans" ] || exit 0
for file in /run/stand-in/*; do
  [ -e "$file" ] || continue
  case " $(echo $there) " in *" ${file##*/} "*) ;; *) stop "${file##*/}" ;; esac
done
"""
LISTEN = (
    "use IO::Socket::INET; $SIG{CHLD} = 'IGNORE'; for my $port (@ARGV) { next if fork; "
    "my $s = IO::Socket::INET->new(LocalPort => $port, Listen => 50, ReuseAddr => 1) or die; "
    "while (my $c = $s->accept) { sysread($c, my $asked, 4096); "
    "print $c qq(HTTP/1.0 200 OK\\r\\nContent-Length: 3\\r\\n\\r\\nok\\n); close $c } } sleep while 1"
)
DOCKER_UNIT = "/bin/sleep infinity\nExecStartPost=-/usr/local/bin/dc-compose up -d"
"""Containers are started again with docker, as `restart: always` has it."""
NGINX = """worker_processes 1;
events {}
http {
  access_log off;
  server_names_hash_bucket_size 128;
  include /opt/rainbond/etc/rbd-lb/dynamics/dynamic_servers/*.conf;
  server { listen 10002; location / { return 404; } }
}
"""
PROXY = """upstream lang {{
    server {at}:8081;
}}

upstream maven {{
    server {at}:8081;
}}

upstream registry {{
    server {at}:5000;
}}

server {{
    listen 80;
    server_name maven.goodrain.me;
    location / {{ proxy_pass http://maven; }}
    location /monitor {{ return 204; }}
}}

server {{
    listen 443 ssl;
    server_name goodrain.me;
    ssl_certificate /opt/rainbond/etc/rbd-lb/dynamics/dynamic_certs/goodrain.me/server.crt;
    ssl_certificate_key /opt/rainbond/etc/rbd-lb/dynamics/dynamic_certs/goodrain.me/server.key;
    location /v2/ {{ proxy_pass http://registry; }}
}}
"""
APP = "server { listen 80; server_name app.apps.lan; location / { return 200 'an application'; } }\n"
NOT_OF_THIS_LAB = {"C7", "C42"}
"""One disk each, and no resolver at all."""


def service(command: str) -> str:
    environment = f"EnvironmentFile=-{ENVIRONMENT}"
    return (
        f"[Service]\n{environment}\nExecStart={command}\nKillMode=control-group\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )


class OldSite:
    """The three hosts and a site directory."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab, self.path, self.vip = lab, directory, lab.vips[0]
        addresses = {name: host.address for name, host in lab.hosts.items()}
        text = SPEC.format(key=lab.key, vip=self.vip, **addresses)
        spec = parse_spec(text).spec
        assert spec is not None
        self.target: Target = target_of(spec)
        self.rbdtui("init", str(self.path))
        (self.path / "cluster.yaml").write_text(text)
        (self.path / "known_hosts").write_text("".join(self._keys()))
        (self.path / "passphrase").write_text("correct horse\n")
        (self.path / "passphrase").chmod(0o600)

    def _keys(self) -> Iterator[str]:
        for name, host in HOSTS.items():
            for line in self.lab.host_keys(host):
                address, _, key = line.partition(" ")
                yield f"{name} {key}\n"
                yield f"{address} {key}\n"

    def rbdtui(self, *words: str, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rbdtui", *words], capture_output=True, text=True, timeout=timeout_s, check=False,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip

    def audit(self) -> dict[str, object]:
        done = self.rbdtui("audit", str(self.path), "--json")
        assert done.stdout, done.stderr
        found: dict[str, object] = json.loads(done.stdout)
        return found

    def states(self, found: dict[str, object]) -> dict[str, str]:
        rows = found["rows"]
        assert isinstance(rows, list)
        return {row["id"]: row["state"] for row in rows}

    def on(self, name: str, command: str, *, check: bool = True, timeout_s: float = 120) -> str:
        return self.lab.ssh(HOSTS[name], command, check=check, timeout_s=timeout_s).stdout

    def put(self, name: str, path: str, text: str, mode: str = "644") -> None:
        quoted = shlex.quote(path)
        self.lab.ssh(HOSTS[name], f"mkdir -p $(dirname {quoted})")
        self.lab.ssh(HOSTS[name], f"cat >{quoted} && chmod {mode} {quoted}", stdin=text)

    def packages(self, debs: Path) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for deb in debs.glob("*.deb"):
                archive.add(deb, arcname=deb.name)
        for host in HOSTS.values():
            command = [*self.lab.ssh_command(host), "mkdir -p /root/debs && tar -x -C /root/debs"]
            subprocess.run(command, input=packed.getvalue(), check=True, timeout=120, capture_output=True)
            # What others must have configured before they are unpacked takes a pass of its own.
            passes = "for pass in 1 2 3; do dpkg -i /root/debs/*.deb && exit 0; done; exit 1"
            self.lab.ssh(host, f"export DEBIAN_FRONTEND=noninteractive; {passes}", timeout_s=500)
            self.lab.ssh(host, "systemctl disable --now nginx glusterd; rm -rf /root/debs", check=False)

    def convert(self, *groups: str) -> subprocess.CompletedProcess[str]:
        """Carry out these groups, or all."""
        words = [word for group in groups for word in ("--group", group)]
        return self.rbdtui(
            "convert", str(self.path), "--yes", *words, "--passphrase-file", str(self.path / "passphrase"),
            timeout_s=900,
        )  # fmt: skip

    def power_cycle(self, name: str) -> None:
        """A server loses its power and comes back, with the shared data mounted."""
        self.lab.off(HOSTS[name])
        self.lab.on(HOSTS[name])
        self.back(name)

    def back(self, name: str) -> None:
        """What systemd-nspawn and the stand-ins forget at a boot, and the wait for the mount."""
        self.on(name, f"hostname {name}; systemctl start kubelet etcd", check=False)
        wait("the mount", lambda: "fuse.glusterfs" in self.on(name, "findmnt -n /grdata", check=False), 90)

    def answers(self, where: str) -> str:
        """What users of an application get."""
        done = subprocess.run(
            ["curl", "-s", "-m", "2", "-H", "Host: app.apps.lan", f"http://{where}/"], capture_output=True, text=True,
            timeout=10, check=False,
        )  # fmt: skip
        return done.stdout


def wait(what: str, ready: Callable[[], bool], limit_s: float = 60.0) -> float:
    began = time.monotonic()
    while not ready():
        assert time.monotonic() - began < limit_s, what
        time.sleep(0.2)
    return time.monotonic() - began


class Asking:
    """Asks for the application all the time, at the managing server or at the VIP: whoever answers will do."""

    def __init__(self, old: OldSite) -> None:
        self._old, self._over = old, threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.longest_gap_s = 0.0

    def _ask(self) -> None:
        last = time.monotonic()
        while not self._over.is_set():
            where = (self._old.target.manage.address, self._old.vip)
            if any(self._old.answers(each) == "an application" for each in where):
                last = time.monotonic()
            self.longest_gap_s = max(self.longest_gap_s, time.monotonic() - last)
            time.sleep(0.2)

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldSite]:
    with Lab("conv", hosts=3, bundle=False, without_keepalived=()) as lab:
        site = OldSite(lab, tmp_path_factory.mktemp("old") / "site")
        site.packages(host_packages("glusterfs-server", "nginx-light", "curl", "openssl", "rsync"))
        for name, host in before(site.target).items():
            _install(site, name, host.files)
        yield site


def _install(site: OldSite, name: str, files: dict[str, str]) -> None:
    site.on(name, f"hostname {name}; echo {name} >/etc/hostname")
    for path, text in files.items():
        if path.startswith(DYNAMICS):
            continue
        if path == "/etc/fstab":
            text = site.on(name, "cat /etc/fstab", check=False) + "".join(
                f"{line}\n" for line in text.splitlines() if "/grdata" in line
            )
        site.put(name, path, text)
    site.put(name, "/usr/local/bin/docker", DOCKER, "755")
    site.put(name, "/usr/local/bin/dc-compose", DC_COMPOSE, "755")
    site.put(name, "/usr/local/bin/docker-compose", "#!/bin/sh\n", "755")
    site.put(name, "/usr/local/lib/listen.pl", LISTEN)
    site.put(name, "/etc/nginx/rbd-lb.conf", NGINX)
    units = {"rbd-lb": "/usr/sbin/nginx -c /etc/nginx/rbd-lb.conf -g 'daemon off;'",
             "rbd-dns": "/usr/bin/perl /usr/local/lib/listen.pl 53 8089",
             "docker": DOCKER_UNIT,
             "kubelet": "/bin/sh -c 'sleep infinity & wait' kubelet --cluster-dns=${DNS_SERVERS}"}  # fmt: skip
    if name == "manage01":
        units |= {
            "rbd-hub": "/usr/bin/perl /usr/local/lib/listen.pl 5000",
            "rbd-repo": "/usr/bin/perl /usr/local/lib/listen.pl 8081",
            "etcd": "/usr/bin/perl /usr/local/lib/listen.pl 2379",
        }
        address = site.target.manage.address
        site.put(name, "/var/lib/stand-in-region", f"rainbond\t{address}\tws://{address}:6060\tapps.lan\n")
        site.put(name, LB_DEFAULT, PROXY.format(at="127.0.0.1"))
        site.put(name, f"{DYNAMICS}/dynamic_servers/app.conf", APP)
        certificates = f"{DYNAMICS}/dynamic_certs/goodrain.me"
        making = "openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=goodrain.me"
        out = f"-keyout {certificates}/server.key -out {certificates}/server.crt"
        site.on(name, f"mkdir -p {certificates} && {making} {out}")
        site.on(name, "mkdir -p /grdata/services/registry /grdata/tenant && echo of-a-tenant >/grdata/tenant/.data")
    for unit, command in units.items():
        site.put(name, f"/etc/systemd/system/{unit}.service", service(command))
    site.on(name, "systemctl daemon-reload && systemctl -q enable --now docker")
    site.on(name, "systemctl -q enable --now " + ("etcd && dc-compose up -d" if name == "manage01" else "kubelet"))


def test_before_it_is_level_1_and_every_row_of_the_page_is_named(old: OldSite) -> None:
    found = old.audit()
    assert found["level"] == {"now": 1, "certain": True, "after": 2}, json.dumps(found, indent=1)
    states = old.states(found)
    assert "unknown" not in states.values(), states
    assert "broken" not in states.values(), states
    for row in ("C8", "C9", "C12", "C13", "C17", "C18", "C19", "C21", "C22", "C24", "C25b", "C26", "C29", "C33", "C37"):
        expected = {"C8": "ok"}.get(row, "differs")
        assert states[row] == expected, (row, states[row])
    assert states["C5"] == states["C4"] == states["C39"] == "ok"
    assert old.answers(old.target.manage.address) == "an application"


def test_a_dry_run_changes_nothing_and_shows_every_file(old: OldSite) -> None:
    said = old.rbdtui("convert", str(old.path), "--dry-run")
    assert said.returncode == 0, said.stderr
    for shown in ("+DNS_SERVERS=", "gluster --mode=script volume create data replica 3 arbiter 1", "lb.yaml.bak"):
        assert shown in said.stdout
    assert old.audit()["level"] == {"now": 1, "certain": True, "after": 2}


def test_who_uses_the_shared_data_is_named_and_nothing_moves(old: OldSite) -> None:
    """On the managing server a program that is none of the platform's keeps a file of it open."""
    old.on("manage01", "systemd-run --quiet --unit=user-of-grdata sh -c 'exec sleep 600 </grdata/tenant/.data'")
    said = old.convert("volume", "data")
    assert said.returncode != 0, said.stdout + said.stderr
    assert "use /grdata" in said.stdout + said.stderr
    assert "sleep" in said.stdout + said.stderr
    assert len(old.on("manage01", "docker ps").splitlines()) == 11, "the platform's own containers run again"
    assert "glusterfs" not in old.on("manage01", "cat /proc/mounts /etc/fstab")
    old.on("manage01", "systemctl stop user-of-grdata")


def test_a_power_cut_between_two_groups_leaves_it_as_it_was_or_as_it_will_be(old: OldSite) -> None:
    """The managing server dies after the data was moved: it comes back with it, and with the way in where it was."""
    said = old.convert("data")
    assert "Level of high availability: 1 now" in said.stdout, said.stdout + said.stderr
    assert old.answers(old.target.manage.address) == "an application"
    old.power_cycle("manage01")
    wait("the application", lambda: old.answers(old.target.manage.address) == "an application")
    assert old.on("manage01", "cat /grdata/tenant/.data").strip() == "of-a-tenant"


def test_it_is_converted_while_an_application_answers(old: OldSite) -> None:
    """Compute nodes lose their power between the groups; through whoever has the way in, an application goes on."""
    manage = old.target.manage.address
    with Asking(old) as asking:
        for group, cut in (("entrance", "compute01"), ("vip", "compute02"), ("names", "compute01")):
            said = old.convert(group)
            assert "Level of high availability: 1 now" in said.stdout, said.stdout + said.stderr
            old.power_cycle(cut)
        said = old.convert()
    assert said.returncode == 0, said.stdout + said.stderr
    assert asking.longest_gap_s < 5, "through the managing server until it leaves, then through the VIP"
    wait("the VIP", lambda: old.answers(old.vip) == "an application")
    assert old.answers(manage) == "", "rbd-lb has left it"
    assert old.on("compute02", "cat /grdata/tenant/.data").strip() == "of-a-tenant", "written on one, read on another"
    assert "nothing to do" in old.convert().stdout


def test_afterwards_it_is_level_2_and_nothing_is_left_to_do_but_what_the_lab_has_not(old: OldSite) -> None:
    wait("healed", lambda: old.states(old.audit())["C13"] == "ok")
    found = old.audit()
    assert found["level"] == {"now": 2, "certain": True, "after": 2}, json.dumps(found, indent=1)
    wrong = {row: state for row, state in old.states(found).items() if state not in ("ok", "note", "weak")}
    assert set(wrong) <= NOT_OF_THIS_LAB, json.dumps(found, indent=1)


def test_the_address_moves_within_four_seconds(old: OldSite) -> None:
    holder = next(name for name in ("compute01", "compute02") if old.vip in old.on(name, "ip -o -4 address show"))
    with Asking(old) as asking:
        old.on(holder, "systemctl stop keepalived")
        time.sleep(6)
    assert asking.longest_gap_s < 4
    old.on(holder, "systemctl start keepalived")
    assert old.vip not in old.on("manage01", "ip -o -4 address show")


@pytest.mark.parametrize("name", ["manage01", "compute01", "compute02"])
def test_each_host_may_lose_its_power(old: OldSite, name: str) -> None:
    survivor = next(other for other in ("compute02", "compute01") if other != name)
    old.lab.off(HOSTS[name])
    gap = wait("the application through the VIP", lambda: old.answers(old.vip) == "an application")
    assert gap < 20
    old.on(survivor, f"echo {name} >/grdata/tenant/.lost-{name}", timeout_s=120)
    found = old.audit()
    states = old.states(found)
    level = found["level"]
    assert isinstance(level, dict)
    assert level["certain"] is False
    assert "unknown" in states.values()
    old.lab.on(HOSTS[name])
    old.back(name)
    if name != "manage01":
        wait("keepalived", lambda: "active" in old.on(name, "systemctl is-active keepalived", check=False))
    wait("well again", lambda: old.audit()["level"] == {"now": 2, "certain": True, "after": 2}, 180)
    assert old.on(name, f"cat /grdata/tenant/.lost-{name}").strip() == name
