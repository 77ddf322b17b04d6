"""A Rainbond 3.6 on three hosts, as the installer leaves it and as its page on high availability has it afterwards.

Files and containers follow goodrain/rainbond-install@v3.6, install/salt. Nothing runs: what commands would print is
kept as text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rbdtui.audit.facts import (
    DOMAIN_LOG,
    DYNAMICS,
    ENVIRONMENT,
    KEEPALIVED,
    KUBECONFIG,
    LB_DEFAULT,
    PILLAR,
    UUID_FILE,
)
from rbdtui.audit.rows.entrance import COMPOSE
from rbdtui.audit.target import OF_MANAGE, OF_VIP, Server, Target

_ON_MANAGE: Final = (
    "rbd-dns", "rbd-hub", "rbd-repo", "rbd-db", "rbd-entrance", "rbd-api", "rbd-chaos", "rbd-mq", "rbd-worker",
    "rbd-app-ui",
)  # fmt: skip
_PORTS: Final = {"manage": (2379, 5000, 8081, 8888, 6060, 7070, 8181, 6443), "balancer": (80, 443, 10002), "dns": (53,)}


@dataclass(slots=True)
class OldHost:
    """One host."""

    server: Server
    files: dict[str, str]
    containers: dict[str, str]
    """Names with their images."""
    ports: set[int]
    units: dict[str, tuple[str, str]]
    programs: set[str]
    hostname: str = ""
    """The server's name unless given."""
    mounts: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    nameservers: tuple[str, ...] = ("10.0.0.2", "10.0.0.3")
    grdata_answers: str = "yes"
    gluster: str = "== absent\n"
    region: str = "== absent\n"
    web: dict[str, str] = field(default_factory=dict)
    dns: dict[str, str] = field(default_factory=dict)
    site: Any | None = None
    """Where it does something; see `rbdtui.simulator.old_site`."""

    def command_outputs(self, names: tuple[str, ...]) -> Mapping[str, str]:
        """What the commands of the audit's facts print, by the fact's name."""
        own = self.files
        dynamic = {path: text for path, text in own.items() if path.startswith(f"{DYNAMICS}/")}
        return {
            "os_release": 'ID="centos"\nVERSION_ID="7"\nPRETTY_NAME="CentOS Linux 7 (Core)"\n',
            "hostname": f"{self.hostname or self.server.name}\n",
            "interfaces": _interfaces([self.server.address, *self.addresses]),
            "nameservers": "".join(
                ["== configured\n", *(f"nameserver {one}\n" for one in self.nameservers), "== upstream absent\n"]
            ),
            "sockets": _sockets(self.ports),
            "audit_units": "".join(f"{name} {active} {enabled}\n" for name, (active, enabled) in self.units.items()),
            "audit_programs": "".join(f"{name}\n" for name in sorted(self.programs)),
            "fstab": _marked(own.get("/etc/fstab")),
            "hosts": _marked(own.get("/etc/hosts")),
            "kubelet_environment": _marked(own.get(ENVIRONMENT)),
            "keepalived_conf": _marked(own.get(KEEPALIVED)),
            "lb_default": _marked(own.get(LB_DEFAULT)),
            "domain_log": _marked(own.get(DOMAIN_LOG)),
            "pillar": _marked(own.get(PILLAR)),
            "node_uuid": _marked(own.get(UUID_FILE)),
            "kubeconfig_server": "http://kubeapi.goodrain.me:8181\n" if KUBECONFIG in own else "== absent\n",
            "compose_files": "".join(
                f"== {path}\n{_lines(text)}"
                for path, text in sorted(own.items())
                if path.startswith(f"{COMPOSE}/") and path.endswith(".yaml")
            ),
            "dynamics": "".join(
                f"{hashlib.sha256(text.encode()).hexdigest()}  .{path.removeprefix(DYNAMICS)}\n"
                for path, text in sorted(dynamic.items())
            )
            or "== absent\n",
            "audit_mounts": "".join(f"{line}\n" for line in self.mounts),
            "grdata_answers": f"{self.grdata_answers}\n",
            "containers": "".join(f"{name}|{image}|Up 3 days\n" for name, image in self.containers.items()),
            "region_info": self.region,
            "audit_names": "".join(f"{name} {self._address(name)}\n" for name in names),
            "audit_web": "".join(f"{what} {status}\n" for what, status in self.web.items()),
            "audit_dns": "".join(f"{what} {address}\n" for what, address in self.dns.items()),
            "gluster": self.gluster,
        }

    def _address(self, name: str) -> str:
        lines = (line.partition("#")[0].split() for line in self.files.get("/etc/hosts", "").splitlines())
        return next((words[0] for words in lines if name in words[1:]), "")


def before(target: Target) -> dict[str, OldHost]:
    """As the installer leaves it: the way in, names and shared data on the managing server."""
    hosts = {}
    for server in target.servers:
        manages = server == target.manage
        files = {
            "/etc/fstab": "/dev/vda1 / xfs defaults 0 0\n",
            "/etc/hosts": _salt_hosts(target, server),
            ENVIRONMENT: _kubelet(server, target.manage.address),
            UUID_FILE: f"host_uuid={_uuid(server)}",
            KUBECONFIG: "apiVersion: v1\nclusters:\n- cluster:\n    server: http://kubeapi.goodrain.me:8181\n",
        }
        if manages:
            files |= _manage_files(target)
        else:
            files["/etc/fstab"] += f"{target.manage.address}:/grdata /grdata nfs rw 0 0\n"
        hosts[server.name] = OldHost(
            server,
            files,
            {name: f"rainbond/{name}:3.6" for name in (*_ON_MANAGE, "rbd-lb")} if manages else {},
            {22, *_PORTS["manage"], *_PORTS["balancer"], *_PORTS["dns"]} if manages else {22, 10250},
            {"docker": ("active", "enabled"), "kubelet": ("inactive", "disabled") if manages else ("active", "enabled"),
             "nfs-server": ("active", "enabled") if manages else ("unknown", "unknown"),
             "firewalld": ("inactive", "disabled")},
            {"curl", "docker", "docker-compose", "dc-compose", "rsync", *(("grctl",) if manages else ())},
            mounts=[] if manages else [f"{target.manage.address}:/grdata /grdata nfs4 rw"],
            region=_region(target, target.manage.address) if manages else "== absent\n",
            web={f"{each.name}/{what}": "000" for each in target.computes for what in ("api", "registry", "maven")},
        )  # fmt: skip
    return hosts


def after(target: Target) -> dict[str, OldHost]:
    """As the page has it, with what it leaves open done well: arbiter, checks, safe mounts."""
    hosts = before(target)
    rules = {path: text for path, text in hosts[target.manage.name].files.items() if path.startswith(DYNAMICS)}
    for server in target.servers:
        host, manages = hosts[server.name], server == target.manage
        host.files["/etc/hosts"] = _hosts(target)
        host.files["/etc/fstab"] = f"/dev/vda1 / xfs defaults 0 0\n{target.fstab_line(server)}\n"
        host.mounts = [f"{target.volume_server(server)[0].name}:/{target.volume} /grdata fuse.glusterfs rw"]
        host.programs |= {"mount.glusterfs"}
        host.web = {
            f"{each.name}/{what}": status
            for each in target.computes
            for what, status in (("api", "404"), ("registry", "200"), ("maven", "204"))
        }
        if target.arbiter or not manages:
            host.programs |= {"glusterd"}
            host.units["glusterd"] = ("active", "enabled")
            host.ports |= {24007}
            host.gluster = gluster_text(target, server)
        if not manages:
            _convert(host, target, rules)
    manage = hosts[target.manage.name]
    manage.files[f"{COMPOSE}/lb.yaml.bak"] = manage.files.pop(f"{COMPOSE}/lb.yaml")
    manage.files[f"{COMPOSE}/plugin.yaml"] = _plugin(target, target.lb_urls)
    manage.files.pop(PILLAR)
    del manage.containers["rbd-lb"]
    manage.ports -= set(_PORTS["balancer"])
    manage.region = _region(target, target.vip)
    hosts[target.computes[0].name].addresses.append(target.vip)
    return hosts


def _convert(host: OldHost, target: Target, rules: Mapping[str, str]) -> None:
    """A compute node that takes in the traffic."""
    first = host.server == target.computes[0]
    host.mounts.append(f"{target.disk or '/dev/vdb'} {target.brick_mount} xfs rw")
    host.files["/etc/fstab"] += f"UUID=5e2c {target.brick_mount} xfs defaults,nofail 1 2\n"
    host.files |= rules
    host.files[LB_DEFAULT] = _proxy(target.manage.address)
    host.files[f"{COMPOSE}/lb.yaml"] = _LB
    host.files[f"{COMPOSE}/base.yaml"] = _dns_alone(target)
    host.files[ENVIRONMENT] = _kubelet(host.server, target.dns_servers)
    host.files[KEEPALIVED] = keepalived_text(target, host.server, priority=100 if first else 50)
    host.containers |= {"rbd-lb": "rainbond/rbd-lb:3.6", "rbd-dns": "rainbond/rbd-dns:3.6"}
    host.ports |= {*_PORTS["balancer"], *_PORTS["dns"]}
    host.units["keepalived"] = ("active", "enabled")
    host.programs |= {"keepalived"}
    wanted = {"goodrain.me": target.vip, **dict.fromkeys(OF_MANAGE, target.manage.address)}
    host.dns = {f"{each.name}/{name}": address for each in target.computes for name, address in wanted.items()}


def gluster_text(target: Target, server: Server, *, entries: str = "0", started: bool = True) -> str:
    """What gluster prints on one of the servers of the volume."""
    holders = (*target.computes, target.manage) if target.arbiter else target.computes
    peers = "".join(
        f"<peer><uuid>{_uuid(each)}</uuid><hostname>{each.name}</hostname>"
        f"<hostnames><hostname>{each.name}</hostname></hostnames><connected>1</connected><state>3</state>"
        "<stateStr>Peer in Cluster</stateStr></peer>\n"
        for each in holders
        if each != server
    )
    bricks = "".join(
        f'<brick uuid="{_uuid(each)}">{each.name}:{target.brick}<name>{each.name}:{target.brick}</name>'
        f"<hostUuid>{_uuid(each)}</hostUuid><isArbiter>{int(each == target.manage)}</isArbiter></brick>\n"
        for each in holders
    )
    nodes = "".join(
        f"<node><hostname>{each.name}</hostname><path>{target.brick}</path><peerid>{_uuid(each)}</peerid>"
        "<status>1</status><port>49152</port><pid>812</pid></node>\n"
        for each in holders
    )
    heal = "".join(
        f'<brick hostUuid="{_uuid(each)}"><name>{each.name}:{target.brick}</name><status>Connected</status>'
        f"<numberOfEntries>{entries}</numberOfEntries></brick>\n"
        for each in holders
    )
    status = (
        "<status>1</status><statusStr>Started</statusStr>"
        if started
        else "<status>0</status><statusStr>Created</statusStr>"
    )
    info = (
        f"<volInfo><volumes><volume><name>{target.volume}</name>{status}<brickCount>{len(holders)}</brickCount>"
        f"<replicaCount>{len(holders)}</replicaCount><arbiterCount>{int(target.arbiter)}</arbiterCount>"
        f"<bricks>{bricks}</bricks></volume><count>1</count></volumes></volInfo>"
    )
    return (
        "== version\nglusterfs 3.12.1\n"
        f"== peers\n{_xml(f'<peerStatus>{peers}</peerStatus>')}"
        f"== volumes\n{_xml(info)}"
        f"== status\n{_xml(f'<volStatus><volumes><volume>{nodes}</volume></volumes></volStatus>')}"
        f"== heal\n{_xml(f'<healInfo><bricks>{heal}</bricks></healInfo>')}"
    )


def _xml(inside: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<cliOutput>\n'
        f"<opRet>0</opRet><opErrno>0</opErrno><opErrstr/>\n{inside}\n</cliOutput>\n"
    )


def keepalived_text(target: Target, server: Server, *, priority: int, checked: bool = True) -> str:
    """keepalived's file on a compute node."""
    check = 'vrrp_script rbd_lb {\n  script "/etc/keepalived/check_rbd_lb.sh"\n}\n' if checked else ""
    track = "  track_script {\n    rbd_lb\n  }\n" if checked else ""
    return f"""! of {server.name}
global_defs {{
   router_id {server.name}
}}
{check}vrrp_instance VI_1 {{
  state BACKUP
  interface eth0
  virtual_router_id {target.router_id}
  priority {priority}   # of two
  advert_int 1
  authentication {{
    auth_type PASS
    auth_pass masked
  }}
  virtual_ipaddress {{
    {target.vip}/{target.prefix_length}
  }}
{track}}}
"""


_LB: Final = f"""version: '2.1'
services:
  rbd-lb:
    image: rainbond/rbd-lb:3.6
    container_name: rbd-lb
    environment:
      DEFAULT_PORT: 80
      HTTP_SUFFIX_URL: aaaa.grapps.cn
    volumes:
    - {DYNAMICS}:/usr/local/openresty/nginx/conf/dynamics
    network_mode: host
    restart: always
"""


def _dns_service(records: str) -> str:
    return f"""  rbd-dns:
    image: rainbond/rbd-dns:3.6
    container_name: rbd-dns
    mem_limit: 1024M
    environment:
      - VERBOSE=true
    command:
    - --kubecfg-file=/etc/kubernetes/admin.kubeconfig
    - --v=3
    - --healthz-port=8089
    - --nameservers=10.0.0.2,10.0.0.3
    - --recoders={records}
    network_mode: host
"""


def _dns_alone(target: Target) -> str:
    own = ",".join(f"{name}={target.manage.address}" for name in OF_MANAGE)
    records = f"{own},goodrain.me={target.vip},*.goodrain.me={target.vip}"
    return f"version: '2.1'\nservices:\n{_dns_service(records)}"


def _manage_files(target: Target) -> dict[str, str]:
    manage = target.manage.address
    more = "".join(
        f"  {name}:\n    image: rainbond/{image}\n    volumes:\n    - {volume}\n"
        for name, image, volume in (
            ("rbd-hub", "rbd-registry:2.3.1", "/grdata/services/registry:/var/lib/registry"),
            (
                "rbd-repo",
                "rbd-repo:3.6",
                f"/grdata/services/artifactory-{target.manage.name}:/var/opt/jfrog/artifactory",
            ),
            ("rbd-db", "rbd-db:3.6", "/opt/rainbond/data/rbd-db:/data"),
        )
    )
    return {
        f"{COMPOSE}/base.yaml": "version: '2.1'\nservices:\n"
        + _dns_service(f"goodrain.me={manage},*.goodrain.me={manage}") + more,
        f"{COMPOSE}/lb.yaml": _LB,
        f"{COMPOSE}/plugin.yaml": _plugin(target, "http://127.0.0.1:10002"),
        f"{COMPOSE}/ui.yaml": "version: '2.1'\nservices:\n  rbd-app-ui:\n    image: rainbond/rbd-app-ui:3.6\n"
        "    environment:\n      MYSQL_PASS: masked\n    volumes:\n    - /grdata/services/console:/data\n",
        LB_DEFAULT: _proxy("127.0.0.1"),
        f"{DYNAMICS}/dynamic_servers/app.conf": "server { listen 80; server_name app.aaaa.grapps.cn; }\n",
        f"{DYNAMICS}/dynamic_certs/goodrain.me/server.crt": "certificate\n",
        DOMAIN_LOG: "aaaa.grapps.cn\n",
        PILLAR: f"rbd-version: 3.6\nvip: {manage}\n",
    }  # fmt: skip


def _plugin(target: Target, urls: str) -> str:
    etcd = f"http://{target.manage.address}:2379"
    plain = "".join(
        f"  {name}:\n    image: rainbond/{name}:3.6\n    command: --etcd-endpoints={etcd} --log-level=info\n"
        "    volumes:\n    - /grdata:/grdata\n"
        for name in ("rbd-api", "rbd-chaos", "rbd-mq", "rbd-worker")
    )
    return f"""version: '2.1'
services:
  rbd-entrance:
    image: rainbond/rbd-entrance:3.6
    mem_limit: 1024M
    command:
    - --plugin-name=openresty
    - --plugin-opts=urls={urls}
    - --kube-conf=/etc/goodrain/kubernetes/admin.kubeconfig
    - --etcd-endpoints={etcd}
    - --run-mode=sync
{plain}"""


def _proxy(at: str) -> str:
    return f"""upstream lang {{
    server {at}:8081;
}}

upstream maven {{
    server {at}:8081;
}}

upstream registry {{
    server {at}:5000;
}}

server {{
    listen 443;
    server_name goodrain.me;
    location /v2/ {{
        proxy_pass http://registry;
        proxy_set_header Host $http_host; # for docker
    }}
}}
"""


def _salt_hosts(target: Target, server: Server) -> str:
    names = "".join(f"{target.manage.address}\t\t{name}\n" for name in (*OF_VIP, *OF_MANAGE))
    return f"127.0.0.1 localhost\n{names}{server.address}\t\t{server.name}\n{server.address}\t\t{_uuid(server)}\n"


def _hosts(target: Target) -> str:
    computes = "".join(f"{server.address} {server.name}\n" for server in target.computes)
    manage = target.manage
    return (
        "127.0.0.1 localhost\n"
        f"{manage.address} {manage.name} {_uuid(manage)} {' '.join(OF_MANAGE)}\n"
        f"{target.vip} {' '.join(OF_VIP)}\n{computes}"
    )


def _kubelet(server: Server, resolvers: str) -> str:
    return f'HOST_UUID={_uuid(server)}\nDNS_SERVERS={resolvers}\nHOST_IP={server.address}\nREG="false"'


def _region(target: Target, tcp: str) -> str:
    return f"rainbond\t{tcp}\tws://{tcp}:6060\taaaa.grapps.cn\n"


def _uuid(server: Server) -> str:
    word = hashlib.sha256(server.name.encode()).hexdigest()
    return f"{word[:8]}-{word[8:12]}-{word[12:16]}-{word[16:20]}-{word[20:32]}"


def _marked(text: str | None) -> str:
    return "== absent\n" if text is None else f"== file\n{_lines(text)}"


def _lines(text: str) -> str:
    return "".join(f"|{line}\n" for line in text.splitlines())


def _interfaces(addresses: list[str]) -> str:
    lines = "".join(f"2: eth0    inet {address}/24 scope global eth0\n" for address in addresses)
    return f"== link\neth0 02:00:00:00:00:01 1500 0x1003\n== ip\n{lines}"


def _sockets(ports: set[int]) -> str:
    lines = "".join(
        f"   {number}: 00000000:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 "
        f"{2000 + number} 1 0000000000000000 100 0 0 10 0\n"
        for number, port in enumerate(sorted(ports))
    )
    return f"== tcp\n{lines}== tcp6\n== udp\n== udp6\n"
