"""A fleet of simulated servers: real SSH on loopback, one machine behind each address, and faults as verbs."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from types import TracebackType
from typing import Final, Self

from rbdtui.simulator.call import Verbs
from rbdtui.simulator.files import Disk
from rbdtui.simulator.haproxy import Haproxy
from rbdtui.simulator.keepalived import Keepalived
from rbdtui.simulator.kubernetes.cluster import Cluster, cluster_of
from rbdtui.simulator.kubernetes.kubelet import image_name
from rbdtui.simulator.kubernetes.rke2 import Rke2
from rbdtui.simulator.link import Link
from rbdtui.simulator.machine import Hardware, Machine, Sudo, System, User
from rbdtui.simulator.mysql import MysqlServer
from rbdtui.simulator.mysql_dump import dump
from rbdtui.simulator.network import Network
from rbdtui.simulator.nfs import NfsServer
from rbdtui.simulator.nfs_copy import COPY, PUSH, Push, RsyncDaemon
from rbdtui.simulator.pace import Pace
from rbdtui.simulator.sshd import Sshd
from rbdtui.simulator.verbs import VERBS
from rbdtui.together import together
from rbdtui.transport.library import asyncssh

SUBNET: Final = IPv4Network("127.77.0.0/24")
"""Where simulated machines live. Linux answers on all of 127/8 without set-up; other systems only on 127.0.0.1."""
FIRST_HOST: Final = 11
VIP_HOST: Final = 100
MOST_NODES: Final = VIP_HOST - FIRST_HOST


@dataclass(frozen=True, slots=True)
class Build:
    """How one machine of a fleet is set up."""

    user: str = "root"
    """The login that the fleet's key opens."""
    password: str | None = field(default=None, repr=False)
    sudo: Sudo = Sudo.PASSWORD
    """For a login other than root."""
    keepalived: bool = True
    """Whether the package is installed."""
    hardware: Hardware = field(default_factory=Hardware)
    system: System = field(default_factory=System)


@dataclass(slots=True)
class SimHost:
    """A machine with the way to it."""

    machine: Machine
    link: Link
    sshd: Sshd
    build: Build


class UnusableLoopbackError(Exception):
    """This system does not answer on loopback addresses other than 127.0.0.1."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.address, self.reason = address, reason


class SimulatedFleet:
    """Machines ``node1``, ``node2``, … on 127.77.0.11 and on; an async context manager.

    ``builds`` says how each is set up; the last one holds for all that follow. ``rate_bytes_per_s`` is how fast a
    machine takes data, in simulated seconds; None: as fast as it goes.
    """

    def __init__(
        self,
        count: int = 4,
        *,
        speed: float = 1.0,
        builds: Sequence[Build] = (Build(),),
        rate_bytes_per_s: float | None = None,
        seed: int = 1,
        verbs: Verbs = VERBS,
    ) -> None:
        if not 1 <= count <= MOST_NODES:
            raise ValueError(f"a fleet has 1 to {MOST_NODES} machines")
        self.pace = Pace(speed)
        self.network: Network[Machine] = Network(self.pace, seed)
        self.client_key = asyncssh.generate_private_key("ssh-ed25519")
        self.stations: dict[str, SimHost] = {}
        self._reboots: set[asyncio.Task[None]] = set()
        for number in range(count):
            build = builds[min(number, len(builds) - 1)]
            self._add(f"node{number + 1}", SUBNET[FIRST_HOST + number], build, rate_bytes_per_s, verbs)

    def _add(self, name: str, address: IPv4Address, build: Build, rate: float | None, verbs: Verbs) -> None:
        public = self.client_key.export_public_key().decode()
        users = [User("root", None if build.user != "root" else build.password, (public,))]
        if build.user != "root":
            users[0] = User("root")
            users.append(User(build.user, build.password, (public,), build.sudo))
        interface = IPv4Interface(f"{address}/{SUBNET.prefixlen}")
        machine = Machine(
            name, interface, self.network, tuple(users), hardware=build.hardware, system=_with_packages(build)
        )
        machine.programs |= {
            "haproxy": Haproxy,
            "keepalived": Keepalived,
            "mysql": MysqlServer,
            "mysql-dump-rbdtui": lambda own: lambda unit: dump(own, unit),
            "nfs-server": NfsServer,
            COPY: RsyncDaemon,
            PUSH: Push,
            "rke2-agent": lambda own: Rke2(own, server=False),
            "rke2-server": lambda own: Rke2(own, server=True),
        }
        machine.wants_reboot = partial(self._reboot_soon, name)
        link = Link(self.pace, rate_bytes_per_s=rate)
        sshd = Sshd(machine, link, verbs, asyncssh.generate_private_key("ssh-ed25519"))
        self.network.machines.append(machine)
        self.stations[name] = SimHost(machine, link, sshd, build)

    @property
    def machines(self) -> Mapping[str, Machine]:
        """Machines by name."""
        return {name: station.machine for name, station in self.stations.items()}

    @property
    def vip(self) -> IPv4Interface:
        """An address of the segment that nobody has."""
        return IPv4Interface(f"{SUBNET[VIP_HOST]}/{SUBNET.prefixlen}")

    @property
    def known_hosts(self) -> str:
        """The host keys of all machines in the form of a ``known_hosts`` file."""
        return "".join(station.sshd.known_hosts_line + "\n" for station in self.stations.values())

    async def start(self) -> None:
        """Switch all machines on, on one port where that is free; raises `UnusableLoopbackError`.

        Only Linux answers on loopback addresses other than 127.0.0.1.
        """
        for name, station in self.stations.items():
            try:
                await self._first_power_on(name)
            except OSError as error:
                await self.close()
                address = str(station.machine.ip)
                raise UnusableLoopbackError(address, error.strerror or str(error)) from error

    @property
    def port(self) -> int:
        """Where the first machine's sshd listens, and the others' as well unless something else was there."""
        return next(iter(self.stations.values())).sshd.port

    async def _first_power_on(self, name: str) -> None:
        sshd = self.stations[name].sshd
        sshd.port = self.port
        try:
            await self.power_on(name)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            sshd.port = 0
            await self.power_on(name)

    async def close(self) -> None:
        """Switch all machines off."""
        for task in list(self._reboots):
            task.cancel()
        await asyncio.gather(*self._reboots, return_exceptions=True)
        await together(*(self.power_off(name) for name in self.stations))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- faults ----------------------------------------------------------------------------------------------

    async def power_off(self, name: str) -> None:
        """Cut the power: everything that runs dies, the disk stays, connections break."""
        station = self.stations[name]
        await together(station.machine.lose_power(), station.sshd.stop())

    async def power_on(self, name: str) -> None:
        """Boot a machine; harmless when it runs."""
        station = self.stations[name]
        if station.machine.powered:
            return
        await station.sshd.start()
        station.machine.boot()
        address = (str(station.machine.ip), station.sshd.port)
        station.machine.listen(station.sshd.port, "sshd", backend=address)

    async def reboot(self, name: str, *, down_s: float = 8.0) -> None:
        """Switch off, wait for simulated seconds, switch on."""
        await self.power_off(name)
        await self.pace.sleep(down_s)
        await self.power_on(name)

    def _reboot_soon(self, name: str) -> None:
        async def reboot() -> None:
            await self.pace.sleep(2.0)
            await self.reboot(name)

        task = asyncio.create_task(reboot())
        self._reboots.add(task)
        task.add_done_callback(self._reboots.discard)

    def cut(self, name: str) -> None:
        """Unplug the network: nothing passes, nobody is told."""
        self.stations[name].link.cut()
        self.network.cut(name)

    def mend(self, name: str) -> None:
        """Plug the network in again."""
        self.stations[name].link.mend()
        self.network.mend(name)

    def slow(self, name: str, delay_ms: float) -> None:
        """Add a delay to the way to a machine and back; 0 takes it away."""
        self.stations[name].link.delay_s = delay_ms / 1000

    def fail_next(self, name: str, script: str, *, status: int = 1, message: str = "simulated failure") -> None:
        """Let the next run of a script on a machine end with a status and a message on standard error."""
        self.machines[name].failures.append((script, status, message))

    def hang(self, name: str) -> None:
        """Let every script wait on a machine; logins still work."""
        self.machines[name].awake.clear()

    def wake(self, name: str) -> None:
        """End what `hang` began."""
        self.machines[name].awake.set()

    def full_disk(self, name: str, path: str = "/") -> None:
        """Leave no byte on the disk that holds a path."""
        disk = self.machines[name].files.disk_of(path)
        disk.other_bytes += disk.available_bytes

    def free_disk(self, name: str, path: str = "/") -> None:
        """Give back what `full_disk` took."""
        disk = self.machines[name].files.disk_of(path)
        disk.other_bytes = self.stations[name].build.hardware.used_bytes

    def read_only(self, name: str, path: str) -> None:
        """Mount an empty file system at a directory, which nobody can write to until the next boot."""
        disk = Disk(path, "/dev/vdz1", 1024**3, 0, read_only=True, by_hand=True)
        self.machines[name].files.disks.append(disk)

    def greet(self, name: str, text: str) -> None:
        """Let a machine show a text to everybody who logs in, and its login shells print it before every command."""
        self.machines[name].greeting = text

    def change_host_key(self, name: str) -> None:
        """Show another host key from the next connection on; open connections break."""
        sshd = self.stations[name].sshd
        sshd.key = asyncssh.generate_private_key("ssh-ed25519")
        sshd.drop_connections()

    def skew(self, name: str, seconds: float) -> None:
        """Let a machine's clock be wrong by seconds; 0 puts it right."""
        self.machines[name].clock_offset_s = seconds

    def _cluster_of(self, name: str) -> Cluster:
        cluster = cluster_of(self.machines[name])
        if cluster is None:
            raise ValueError(f"{name} is in no cluster yet")
        return cluster

    def crash_component(self, name: str, component: str = "rbd-worker") -> None:
        """Let a component of Rainbond end with a panic again and again, in the cluster that a machine is in."""
        self._cluster_of(name).faults.crashing[component] = "panic: simulated failure"

    def lose_image(self, name: str, image: str = "rbd-chaos") -> None:
        """Take an image from a machine, and the pods that run it there with it, so that they begin anew."""
        cluster, machine = self._cluster_of(name), self.machines[name]
        for full in [full for full in machine.images if image_name(full) == image]:
            cluster.faults.lost_images.append((machine.name, full, machine.images.pop(full)))
        kind = cluster.store.kind("", "pods")
        for pod in cluster.store.listed(kind):
            names = [image_name(container["image"]) for container in pod["spec"]["containers"]]
            if image in names and pod["spec"].get("nodeName") == machine.hostname:
                cluster.store.delete(kind, pod["metadata"]["namespace"], pod["metadata"]["name"])

    def silence_database(self, name: str) -> None:
        """Let Rainbond's own database answer nobody, in the cluster that a machine is in."""
        self._cluster_of(name).faults.database_silent = True

    def silence_nfs(self, name: str) -> None:
        """Let no NFS server answer whoever mounts something anew, in the cluster that a machine is in."""
        self._cluster_of(name).faults.nfs_silent = True

    def heal_rainbond(self, name: str) -> None:
        """End what the four before began."""
        faults = self._cluster_of(name).faults
        faults.nfs_silent = False
        faults.crashing.clear()
        faults.database_silent = False
        while faults.lost_images:
            machine, full, digest = faults.lost_images.pop()
            self.machines[machine].images[full] = digest

    async def kill(self, name: str, unit: str) -> None:
        """End a service with SIGKILL; systemd starts it again where its unit says so."""
        await self.machines[name].systemd.kill(unit)

    def squat(self, address: str) -> None:
        """Let a foreign device on the segment answer for an address."""
        self.network.squatters.add(IPv4Address(address))

    def unsquat(self, address: str) -> None:
        """Take the foreign device away."""
        self.network.squatters.discard(IPv4Address(address))


def _with_packages(build: Build) -> System:
    system = build.system
    if build.keepalived:
        return system
    return System(
        system.id, system.version_id, system.pretty_name, system.kernel, system.packages - {"keepalived"}, system.tools
    )
