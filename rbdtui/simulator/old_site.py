"""A Rainbond 3.6 that does something: its files lie on simulated machines, and what reads them follows them.

Containers as dc-compose has them (goodrain/rainbond-install@v3.6, init/files/bin/dc-compose), one GlusterFS pool with
one volume, and /grdata by what fstab says. `rbdtui.simulator.rainbond_3_6` says how its hosts are in the beginning.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import yaml

from rbdtui.audit.facts import ENVIRONMENT, LB_DEFAULT
from rbdtui.audit.rows.dns import records_of
from rbdtui.audit.rows.entrance import COMPOSE
from rbdtui.audit.target import GRDATA, HUB_PORT, OF_MANAGE, OF_VIP, Target
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.rainbond_3_6 import OldHost, gluster_text
from rbdtui.simulator.units import Unit
from rbdtui.simulator.verbs.system import unit_file_state

HELD: Final = "/var/lib/rbdtui/held-by-convert"
_UNITS: Final = ("docker", "kubelet", "glusterd", "keepalived")
_PORTS: Final = {"rbd-lb": (80, 443, 10002), "rbd-dns": (53, 8089), "rbd-hub": (HUB_PORT,), "rbd-repo": (8081,)}
_BASE_PORTS: Final = {True: {22, 2379, 8888, 6060, 7070, 8181, 6443}, False: {22, 10250}}
_REGISTRY: Final = re.compile(r"upstream registry \{\s*server ([^;]+);")


class OldError(Exception):
    """A program refuses; the words are its own."""


@dataclass(eq=False, slots=True)
class OldSite:
    """The three machines, with what they share."""

    target: Target
    hosts: dict[str, OldHost]
    machines: dict[str, Machine]
    data: dict[str, str] = field(default_factory=dict)
    """What lies in /grdata on the managing server's own disk."""
    on_volume: dict[str, str] = field(default_factory=dict)
    pool: set[str] = field(default_factory=set)
    volume: tuple[str, ...] = ()
    """Words by which it was made."""
    started: bool = False
    busy: dict[str, list[str]] = field(default_factory=dict)
    """Processes that use /grdata, by server."""
    lacks: set[str] = field(default_factory=set)
    """Images that are nowhere."""
    taken: dict[str, set[int]] = field(default_factory=dict)
    """Ports on which something of the server's own waits."""
    commands: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """What a container was started with, by server and name."""
    resolvers: dict[str, str] = field(default_factory=dict)
    """What a running kubelet gives to containers."""
    refuses: set[tuple[str, str, str]] = field(default_factory=set)
    """Server, script and action that are refused the next time."""
    heard: Callable[[tuple[str, str, str]], None] = lambda _: None
    """Told of every server, script and action before anything is done."""
    spoils: bool = False
    """Whether the volume does not keep what it is given."""

    # --- what the audit's commands see -----------------------------------------------------------------------------

    def look(self, name: str) -> OldHost:
        """A host as it is now."""
        host, machine = self.hosts[name], self.machines[name]
        files = machine.files
        roots = ("/etc", "/opt/rainbond", "/srv")
        host.files = {path: files.text(path) for root in roots for path in files.walk(root) if not files.is_dir(path)}
        host.addresses = [str(own.ip) for own in machine.addresses if own.ip != machine.ip]
        for unit in _UNITS:
            if machine.unit_file(f"{unit}.service") is not None:
                active = machine.systemd.unit(unit).active.value
                host.units[unit] = (active, unit_file_state(machine, f"{unit}.service"))
        host.ports = _BASE_PORTS[name == self.target.manage.name] | self.taken.get(name, set())
        host.ports |= {port for container in host.containers for port in _PORTS.get(container, ())}
        host.ports |= {24007} if host.units.get("glusterd", ("", ""))[0] == "active" else set()
        host.web = {f"{each.name}/{what}": status for each in self.target.computes
                    for what, status in self._web(each.name).items()}  # fmt: skip
        host.dns = {f"{each.name}/{asked}": address for each in self.target.computes
                    for asked, address in self._dns(each.name).items()}  # fmt: skip
        host.gluster = self._gluster(name)
        return host

    def _web(self, name: str) -> Mapping[str, str]:
        if not self.machines[name].powered or "rbd-lb" not in self.hosts[name].containers:
            return dict.fromkeys(("api", "registry", "maven"), "000")
        found = _REGISTRY.search(self.machines[name].files.text(LB_DEFAULT))
        there = found is not None and found[1] == f"{self.target.manage.address}:{HUB_PORT}"
        up = there and "rbd-hub" in self.hosts[self.target.manage.name].containers
        return {"api": "404", "registry": "200" if up else "502", "maven": "204"}

    def _dns(self, name: str) -> Mapping[str, str]:
        words = self.commands.get((name, "rbd-dns"), [])
        if "rbd-dns" not in self.hosts[name].containers:
            return {}
        records = next((records_of(word.partition("=")[2]) for word in words if word.startswith("--recoders=")), {})
        return {asked: records.get(asked, records.get("*.goodrain.me", "")) for asked in (OF_VIP[0], *OF_MANAGE)}

    def _gluster(self, name: str) -> str:
        if "glusterd" not in self.hosts[name].programs:
            return "== absent\n"
        server = next(each for each in self.target.servers if each.name == name)
        if name in self.pool and self.volume:
            return gluster_text(self.target, server, started=self.started)
        peers = "".join(
            f"<peer><hostname>{other}</hostname><connected>1</connected><stateStr>Peer in Cluster</stateStr></peer>"
            for other in sorted(self.pool - {name})
        ) if name in self.pool else ""  # fmt: skip
        head = '<?xml version="1.0"?>\n<cliOutput><opRet>0</opRet>'
        none = head.replace(">0<", ">-1<") + "<opErrstr>Volume does not exist</opErrstr></cliOutput>\n"
        return (
            f"== version\nglusterfs 3.12.1\n== peers\n{head}<peerStatus>{peers}</peerStatus></cliOutput>\n"
            f"== volumes\n{head}<volInfo><volumes/></volInfo></cliOutput>\n== status\n{none}== heal\n{none}"
        )

    # --- GlusterFS -------------------------------------------------------------------------------------------------

    def probe(self, asking: str, name: str) -> None:
        """``gluster peer probe``."""
        for each in (asking, name):
            if each not in self.machines or self.machines[each].systemd.unit("glusterd").active.value != "active":
                raise OldError("peer probe: failed: Probe returned with Transport endpoint is not connected")
        if not self.machines[asking].addresses_of(name):
            raise OldError(f"peer probe: failed: {name} is not a valid hostname")
        self.pool |= {asking, name}

    def create(self, asking: str, words: tuple[str, ...]) -> None:
        """``gluster volume create``."""
        bricks = [word for word in words if ":" in word]
        if self.volume:
            raise OldError(f"volume create: {words[0]}: failed: Volume {words[0]} already exists")
        for brick in bricks:
            server, _, path = brick.partition(":")
            if server not in self.pool:
                raise OldError(f"volume create: {words[0]}: failed: Host {server} is not in 'Peer in Cluster' state")
            if not self.machines[server].files.is_dir(path.rpartition("/")[0]):
                raise OldError(f"volume create: {words[0]}: failed: Failed to create brick directory for brick {brick}")
        self.volume = words

    def start(self) -> None:
        """``gluster volume start``."""
        if not self.volume or self.started:
            raise OldError("volume start: failed: already started" if self.volume else "volume start: does not exist")
        self.started = True

    def need_volume(self, client: str, server: str) -> None:
        """What ``mount -t glusterfs`` needs."""
        if not self.started or not self.machines[client].addresses_of(server):
            raise OldError("Mounting glusterfs failed.")

    # --- /grdata ---------------------------------------------------------------------------------------------------

    def mount(self, name: str) -> None:
        """``umount /grdata; mount /grdata``: what fstab says."""
        self.unmount(name)
        lines = (line.split() for line in self.machines[name].files.text("/etc/fstab").splitlines())
        found = [words for words in lines if len(words) > 3 and words[0][0] != "#" and words[1] == GRDATA]
        if not found:
            raise OldError(f"mount: {GRDATA}: can't find in /etc/fstab.")
        device, _, kind = found[0][:3]
        if kind == "glusterfs":
            self.need_volume(name, device.partition(":")[0])
        shown = {"glusterfs": "fuse.glusterfs", "nfs": "nfs4"}.get(kind, kind)
        self.hosts[name].mounts.append(f"{device} {GRDATA} {shown} rw")

    def unmount(self, name: str) -> None:
        """``umount /grdata``."""
        if self.busy.get(name):
            raise OldError(f"umount: {GRDATA}: target is busy.")
        host = self.hosts[name]
        host.mounts = [line for line in host.mounts if line.split()[1] != GRDATA]

    def shared(self, name: str) -> dict[str, str]:
        """What a server sees there."""
        is_moved = any(f" {GRDATA} fuse.glusterfs " in line for line in self.hosts[name].mounts)
        return self.on_volume if is_moved else self.data

    # --- containers ------------------------------------------------------------------------------------------------

    def services(self, name: str) -> dict[str, Any]:
        """What all compose files together say; one that is no YAML refuses all, as docker-compose does."""
        files = self.machines[name].files
        found: dict[str, Any] = {}
        there = files.listdir(COMPOSE) if files.is_dir(COMPOSE) else []
        for file in (each for each in there if each.endswith(".yaml")):
            try:
                data = yaml.safe_load(files.text(f"{COMPOSE}/{file}"))
            except yaml.YAMLError as error:
                raise OldError(f"ERROR: yaml.parser.ParserError: {error}") from error
            found |= (data or {}).get("services") or {}
        return found

    def up(self, name: str, *containers: str) -> None:
        """``dc-compose up -d``."""
        services = self.services(name)
        for container in containers or services:
            if container not in services:
                raise OldError(f"ERROR: No such service: {container}")
            image = services[container].get("image", "")
            if image in self.lacks:
                raise OldError(f"ERROR: Get https://registry-1.docker.io/v2/: no such host ({image})")
            command = services[container].get("command") or []
            self.hosts[name].containers[container] = image
            self.commands[name, container] = shlex.split(command) if isinstance(command, str) else list(command)
        self.listen(name)

    def remove_orphans(self, name: str) -> None:
        """``dc-compose up -d --remove-orphans``."""
        self.up(name)
        for container in set(self.hosts[name].containers) - set(self.services(name)):
            self.stop(name, container)

    def stop(self, name: str, *containers: str) -> None:
        """Those containers run no more."""
        for container in containers:
            self.hosts[name].containers.pop(container, None)
        self.listen(name)

    def listen(self, name: str) -> None:
        """rbd-lb waits on its API's port as long as it runs."""
        machine, port = self.machines[name], _PORTS["rbd-lb"][-1]
        machine.unlisten(port)
        if "rbd-lb" in self.hosts[name].containers and machine.powered:
            machine.listen(port, "nginx")

    def pull(self, name: str) -> None:
        """``docker pull goodrain.me/...``: by the name, to whoever has the address, to its rbd-lb."""
        (address, *_) = self.machines[name].addresses_of(OF_VIP[0]) or [""]
        for other, machine in self.machines.items():
            holds = any(str(own.ip) == address for own in machine.addresses) and machine.powered
            if holds and (other == self.target.manage.name or self._web(other)["registry"] == "200"):
                return
        raise OldError(
            f"Error response from daemon: Get https://goodrain.me/v2/: dial tcp {address}:443: no route to host"
        )


def install(target: Target, hosts: dict[str, OldHost], machines: Mapping[str, Machine]) -> OldSite:
    """Put a site on machines that run, whose names are those of the target's servers."""
    site = OldSite(target, hosts, dict(machines))
    site.data = {"services/registry/v2": "layers", "tenant/.data": "of-a-tenant"}
    for name, machine in site.machines.items():
        host = hosts[name]
        machine.old_rainbond, host.site = host, site
        for path, text in host.files.items():
            machine.files.put(path, text)
        machine.programs |= {
            "docker": partial(_Daemon, site, name),
            "kubelet": partial(_Kubelet, site, name),
        }
        for unit in ("docker", "kubelet", *(("glusterd",) if "glusterd" in host.programs else ())):
            machine.files.put(f"/usr/lib/systemd/system/{unit}.service", "[Service]\nType=notify\n")
        machine.daemon_reload()
        for container in host.containers:
            if container in site.services(name):
                site.up(name, container)
        for unit in ("docker",) if name == target.manage.name else ("docker", "kubelet"):
            machine.enable(unit)
    return site


@dataclass(slots=True)
class _Daemon:
    """docker: containers that ran are started again with it."""

    site: OldSite
    name: str
    machine: Machine

    async def __call__(self, unit: Unit) -> None:
        """Run until stopped."""
        self.site.listen(self.name)
        unit.ready()
        await asyncio.Event().wait()


@dataclass(slots=True)
class _Kubelet:
    """kubelet: takes its resolvers from its environment when it is started."""

    site: OldSite
    name: str
    machine: Machine

    async def __call__(self, unit: Unit) -> None:
        """Run until stopped."""
        text = self.site.machines[self.name].files.text(ENVIRONMENT)
        found = re.search(r"^DNS_SERVERS=(.*)$", text, re.MULTILINE)
        self.site.resolvers[self.name] = found[1].strip() if found else ""
        unit.ready()
        await asyncio.Event().wait()
