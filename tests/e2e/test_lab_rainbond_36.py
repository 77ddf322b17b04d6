"""A look-alike of a Rainbond 3.6 on real hosts: audited, converted by hand by its page, audited again, lost in turn.

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
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rbdtui.audit.facts import DYNAMICS, KUBECONFIG, LB_DEFAULT
from rbdtui.audit.rows.entrance import COMPOSE
from rbdtui.audit.target import Target, target_of
from rbdtui.simulator.rainbond_3_6 import after, before
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
    [ ! -e "$file" ] || echo "${file##*/}|$(cat "$file")|Up 2 minutes"
  done ;;
exec)
  case $* in
  *UPDATE*) address=$(echo "$*" | sed "s/.*tcpdomain='\([0-9.]*\)'.*/\1/")
    printf 'rainbond\t%s\tws://%s:6060\tapps.lan\n' "$address" "$address" >/var/lib/stand-in-region ;;
  *SELECT*) cat /var/lib/stand-in-region ;;
  esac ;;
esac
"""
DC_COMPOSE = r"""#!/bin/sh
# up -d: what the files have runs, and what they do not have any more is stopped.
mkdir -p /run/stand-in
wanted=$(sed -n 's/^  \(rbd-[a-z-]*\):.*/\1/p' /opt/rainbond/compose/*.yaml)
for file in /run/stand-in/*; do
  [ -e "$file" ] || continue
  name=${file##*/}
  case " $(echo $wanted) " in *" $name "*) ;; *) systemctl stop "$name" 2>/dev/null; rm -f "$file" ;; esac
done
for name in $wanted; do
  [ ! -e "/etc/systemd/system/$name.service" ] || systemctl restart "$name" || exit 1
  echo "rainbond/$name:3.6" >"/run/stand-in/$name"
done
"""
LISTEN = (
    "use IO::Socket::INET; $SIG{CHLD} = 'IGNORE'; for my $port (@ARGV) { next if fork; "
    "my $s = IO::Socket::INET->new(LocalPort => $port, Listen => 50, ReuseAddr => 1) or die; "
    "while (my $c = $s->accept) { sysread($c, my $asked, 4096); "
    "print $c qq(HTTP/1.0 200 OK\\r\\nContent-Length: 3\\r\\n\\r\\nok\\n); close $c } } sleep while 1"
)
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
    return f"[Service]\nExecStart={command}\nKillMode=control-group\n[Install]\nWantedBy=multi-user.target\n"


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

    def _keys(self) -> Iterator[str]:
        for name, host in HOSTS.items():
            for line in self.lab.host_keys(host):
                address, _, key = line.partition(" ")
                yield f"{name} {key}\n"
                yield f"{address} {key}\n"

    def rbdtui(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rbdtui", *words], capture_output=True, text=True, timeout=300, check=False,
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


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldSite]:
    with Lab("old36", hosts=3, bundle=False, without_keepalived=()) as lab:
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
             "docker": "/bin/sleep infinity", "kubelet": "/bin/sleep infinity"}  # fmt: skip
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


def test_the_page_is_carried_out_by_hand(old: OldSite) -> None:
    target = old.target
    first, second = (server.name for server in target.computes)
    wanted = after(target)
    for server in target.servers:
        old.put(server.name, "/etc/hosts", wanted[server.name].files["/etc/hosts"])
        old.on(server.name, f"systemctl -q enable --now glusterd; mkdir -p {target.brick} /grdata")
    for other in (second, target.manage.name):
        old.on(first, f"gluster peer probe {other}")
    bricks = " ".join(target.bricks)
    wait("peers", lambda: old.on(first, "gluster peer status").count("(Connected)") == 2)
    old.on(first, f"gluster --mode=script volume create data replica 3 arbiter 1 {bricks} force")
    old.on(first, "gluster volume start data")
    old.on("manage01", "mount -t glusterfs compute01:/data /mnt")
    old.on("manage01", "rsync -aHAX --numeric-ids --delete /grdata/ /mnt/")
    assert old.on("manage01", "rsync -aHAXnc --delete --itemize-changes /grdata/ /mnt/; umount /mnt") == ""
    for server in target.servers:
        old.on(server.name, r"sed -i '\|[[:space:]]/grdata[[:space:]]|s/^/# /' /etc/fstab")
        old.on(server.name, f"echo '{target.fstab_line(server)}' >>/etc/fstab; mount /grdata")
    for name in (first, second):
        for path in (f"{COMPOSE}/lb.yaml", f"{COMPOSE}/base.yaml", "/opt/rainbond/envs/kubelet.sh", KUBECONFIG):
            old.put(name, path, wanted[name].files[path])
        rules = old.on("manage01", f"tar -c -C {DYNAMICS} . | base64")
        old.lab.ssh(HOSTS[name], f"mkdir -p {DYNAMICS} && base64 -d | tar -x -C {DYNAMICS}", stdin=rules)
        old.put(name, LB_DEFAULT, PROXY.format(at=target.manage.address))
        old.on(name, "dc-compose up -d && systemctl restart kubelet")
        text = wanted[name].files["/etc/keepalived/keepalived.conf"]
        interface = old.on(name, "ip -o -4 route show to default | sed 's/.* dev \\([^ ]*\\).*/\\1/'").strip()
        text = text.replace("interface eth0", f"interface {interface}").replace("auth_pass masked", "auth_pass old36")
        old.put(name, "/etc/keepalived/keepalived.conf", text)
        old.put(name, "/etc/keepalived/check_rbd_lb.sh",
                "#!/bin/sh\nexec curl -s -o /dev/null -m 2 http://127.0.0.1:10002/\n", "755")  # fmt: skip
        old.on(name, "systemctl -q enable keepalived && systemctl restart keepalived")
    old.on(
        "manage01", f"sed -i 's|--plugin-opts=urls=[^ ]*|--plugin-opts=urls={target.lb_urls}|' {COMPOSE}/plugin.yaml"
    )
    old.on("manage01", f"mv {COMPOSE}/lb.yaml {COMPOSE}/lb.yaml.bak && dc-compose up -d --remove-orphans")
    old.on("manage01", f"docker exec rbd-db mysql -e \"UPDATE console.region_info SET tcpdomain='{target.vip}'\"")
    wait("the VIP", lambda: old.answers(target.vip) == "an application")
    assert old.on(second, "cat /grdata/tenant/.data").strip() == "of-a-tenant", "written on one, read on another"


def test_afterwards_it_is_level_2_and_nothing_is_left_to_do_but_what_the_lab_has_not(old: OldSite) -> None:
    wait("healed", lambda: old.states(old.audit())["C13"] == "ok")
    found = old.audit()
    assert found["level"] == {"now": 2, "certain": True, "after": 2}, json.dumps(found, indent=1)
    wrong = {row: state for row, state in old.states(found).items() if state not in ("ok", "note", "weak")}
    assert set(wrong) <= NOT_OF_THIS_LAB, json.dumps(found, indent=1)


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
    old.on(name, f"hostname {name}; dc-compose up -d; systemctl start kubelet etcd", check=False)
    old.on(name, "mountpoint -q /grdata || mount /grdata", check=False)
    if name != "manage01":
        wait("keepalived", lambda: "active" in old.on(name, "systemctl is-active keepalived", check=False))
    wait("well again", lambda: old.audit()["level"] == {"now": 2, "certain": True, "after": 2}, 180)
    assert old.on(name, f"cat /grdata/tenant/.lost-{name}").strip() == name
