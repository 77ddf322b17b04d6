"""One simulated server: what stays on its disk, and what is gone after a power cut."""

from __future__ import annotations

import asyncio
import hashlib
import posixpath
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface
from typing import Any, Final

from rbdtui.simulator.files import Disk, FileSystem
from rbdtui.simulator.network import Listening, Network
from rbdtui.simulator.units import Program, Systemd, Unit

UNIT_DIRECTORIES: Final = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
)
WANTS: Final = "/etc/systemd/system/multi-user.target.wants"
_GIB: Final = 1024**3
_TOOLS: Final = """
    apparmor_parser bash curl getent gzip ip iptables journalctl modprobe mount mount.nfs nft openssl ping sha256sum ss
    sysctl systemctl systemd-run tar timeout
"""


class Sudo(StrEnum):
    """What a user may do with sudo."""

    NONE = "none"
    PASSWORD = "password"  # noqa: S105 - a word, not a secret
    FREE = "free"
    """Without a password (NOPASSWD)."""
    TTY = "tty"
    """Only from a terminal (requiretty)."""
    ABSENT = "absent"
    """The program is not installed."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in."""

    name: str
    password: str | None = field(default=None, repr=False)
    keys: tuple[str, ...] = ()
    """Public keys in OpenSSH's form."""
    sudo: Sudo = Sudo.NONE


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a machine is made of."""

    arch: str = "x86_64"
    """The word of ``uname -m``."""
    cpu_count: int = 8
    memory_bytes: int = 16 * _GIB
    disk_bytes: int = 200 * _GIB
    used_bytes: int = 14 * _GIB
    swap_bytes: int = 0


@dataclass(frozen=True, slots=True)
class System:
    """The operating system that is on the disk."""

    id: str = "debian"
    version_id: str = "12"
    pretty_name: str = "Debian GNU/Linux 12 (bookworm)"
    kernel: str = "6.1.0-25-amd64"
    packages: frozenset[str] = frozenset({"keepalived", "iptables"})
    tools: frozenset[str] = frozenset(_TOOLS.split())
    selinux: str = ""
    """``enforcing``, ``permissive`` or ``disabled``; '' for a system without it."""


class Machine:
    """A server; created switched off, with an operating system on its disk."""

    disk_signature = ""
    """Of its second disk, see `rbdtui.simulator.disks`."""

    def __init__(
        self,
        name: str,
        address: IPv4Interface,
        network: Network[Machine],
        users: tuple[User, ...],
        *,
        hardware: Hardware = Hardware(),
        system: System = System(),
    ) -> None:
        self.name, self.hostname, self.address, self.network = name, name, address, network
        self.hardware, self.system = hardware, system
        self.users = {user.name: user for user in users}
        self.interface = "eth0"
        self.clock_offset_s = 0.0
        self.packages = set(system.packages)
        self.tools = set(system.tools)
        self.programs: dict[str, Callable[[Machine], Program]] = {}
        self.files = FileSystem([Disk("/", "/dev/vda1", hardware.disk_bytes, hardware.used_bytes)])
        self.powered = False
        self.booted_at = 0.0
        self.wants_reboot: Callable[[], None] = lambda: None
        """Called when its own system asks to be started anew."""
        self.addresses: list[IPv4Interface] = [address]
        self.listening: dict[tuple[str, int], Listening] = {}
        self.modules: set[str] = set()
        self.sysctl: dict[str, str] = {}
        self.definitions: dict[str, str] = {}
        """Texts of unit files as systemd has read them."""
        self.failures: list[tuple[str, int, str]] = []
        """Scripts that fail when they are next run: name, exit status, message."""
        self.greeting = ""
        """What sshd shows before a login, and login shells print before every command."""
        self._have_no_service(system)
        self.awake = asyncio.Event()
        self.awake.set()
        self.systemd = Systemd(network.pace, self._program)
        _install(self)
        if hardware.swap_bytes:
            self.files.put("/etc/fstab", "/dev/vda2 none swap sw 0 0\n")
            self.files.put("/proc/swaps", "Filename Type Size Used Priority\n/dev/vda2 partition 1 0 -2\n")

    def _have_no_service(self, system: System) -> None:
        """What services of it would know, while there is none yet."""
        self.receivers: dict[str, asyncio.Task[object]] = {}
        """Uploads under way, by the path of their part."""
        self.images: dict[str, str] = {}
        """What containerd has: digests by name, with the registry's host."""
        self.balanced: list[Any] | None = None
        """What HAProxy sees behind it while it runs; see `rbdtui.simulator.haproxy`."""
        self.exported: dict[str, list[str]] = {}
        """What its NFS server gives away while it runs; see `rbdtui.simulator.nfs`."""
        self.rsync: Any | None = None
        """rsync's daemon while it runs; see `rbdtui.simulator.nfs_copy`."""
        self.mysql: Any | None = None
        """Its MySQL server while it runs, and what lies in its data directory; see `rbdtui.simulator.mysql`."""
        self.mysql_version = "8.0.36"
        """Of the program, where it is installed."""
        self.mysql_data: Any | None = None
        self.old_rainbond: Any | None = None
        """What a Rainbond 3.6 has on it; see `rbdtui.simulator.rainbond_3_6`."""
        self.booleans: dict[str, bool] = {"haproxy_connect_any": False} if system.selinux else {}
        """Of SELinux, by name."""

    @property
    def ip(self) -> IPv4Address:
        """The address that does not move."""
        return self.address.ip

    def clock(self) -> float:
        """Unix time as this machine believes it is."""
        return time.time() + self.clock_offset_s

    def identity(self, kind: str) -> str:
        """A stable pseudo-random hexadecimal word of 32 digits, different for every machine and kind."""
        return hashlib.sha256(f"{kind} {self.name} {self.ip}".encode()).hexdigest()[:32]

    def addresses_of(self, name: str) -> list[str]:
        """All addresses of a name by the hosts file, in its order; there is no other resolver here."""
        lines = (line.partition("#")[0].split() for line in self.files.text("/etc/hosts").splitlines())
        return [words[0] for words in lines if name in words[1:]]

    def has_image(self, name: str) -> bool:
        """Whether containerd has an image, by the name that a pod gives."""
        return full_image_name(name) in self.images

    @property
    def mac(self) -> str:
        """Of its network interface."""
        word = self.identity("mac")
        return ":".join(("02", *(word[i : i + 2] for i in range(0, 10, 2))))

    # --- units -----------------------------------------------------------------------------------------------

    def unit_file(self, name: str) -> str | None:
        """Where the file of a unit stands, or None."""
        full = Systemd.full_name(name)
        places = (f"{directory}/{full}" for directory in UNIT_DIRECTORIES)
        return next((place for place in places if self.files.exists(place)), None)

    def unit_definition(self, name: str) -> str:
        """The text of a unit's file and drop-ins as they are on the disk now."""
        full = Systemd.full_name(name)
        texts = [self.files.text(self.unit_file(full) or "")]
        for directory in UNIT_DIRECTORIES:
            texts += self._texts(f"{directory}/{full}.d")
        return "\n".join(texts)

    def daemon_reload(self) -> None:
        """Let systemd read all unit files again."""
        self.definitions = {unit.name: self.unit_definition(unit.name) for unit in self.systemd.all_units()}

    def needs_daemon_reload(self, name: str) -> bool:
        """Whether a unit's files changed since systemd read them."""
        full = Systemd.full_name(name)
        return full in self.definitions and self.definitions[full] != self.unit_definition(full)

    def start_unit(self, name: str) -> Unit:
        """Begin to start a unit as systemd would, without waiting."""
        full = Systemd.full_name(name)
        self.definitions.setdefault(full, self.unit_definition(full))
        return self.systemd.begin(full, restart_s=restart_delay_s(self, full))

    def _program(self, unit: str) -> Program | None:
        if self.unit_file(unit) is None:
            return None
        make = self.programs.get(unit.removesuffix(".service"))
        return make(self) if make is not None else _idle

    def enabled(self, name: str) -> bool:
        """Whether a unit starts at boot."""
        return self.files.get(f"{WANTS}/{Systemd.full_name(name)}", follow=False) is not None

    def enable(self, name: str) -> None:
        """Make a unit start at boot; the unit must have a file."""
        place = self.unit_file(name)
        if place is None:
            raise KeyError(name)
        self.files.mkdir(WANTS)
        self.files.link(place, f"{WANTS}/{Systemd.full_name(name)}")

    def disable(self, name: str) -> None:
        """Do not start a unit at boot any more."""
        self.files.remove(f"{WANTS}/{Systemd.full_name(name)}")

    # --- sockets and addresses -------------------------------------------------------------------------------

    def listen(
        self,
        port: int,
        process: str,
        *,
        address: str = "0.0.0.0",  # noqa: S104 - of the simulated machine
        backend: tuple[str, int] | None = None,
    ) -> None:
        """Let a program wait on a TCP port; ``OSError`` (in use) as a kernel would."""
        taken = self.listener(address, port)
        if taken is not None:
            raise OSError(98, f"listen tcp {address}:{port}: bind: address already in use")
        self.listening[address, port] = Listening(address, port, process, backend=backend)

    def unlisten(self, port: int, *, address: str = "0.0.0.0") -> None:  # noqa: S104
        """Close a listening socket; harmless when it is not there."""
        self.listening.pop((address, port), None)

    def listener(self, address: str, port: int) -> Listening | None:
        """What waits on a port of one of this machine's addresses."""
        return self.listening.get((address, port)) or self.listening.get(("0.0.0.0", port))  # noqa: S104

    # --- power -----------------------------------------------------------------------------------------------

    def boot(self) -> None:
        """Switch on: apply what the disk says and start the units that are enabled."""
        self.powered, self.booted_at = True, time.time()
        self.addresses = [self.address]
        self.listening.clear()
        self.definitions.clear()
        self.modules = {"ext4", "virtio_net"} | self._listed_modules()
        self.sysctl = _KERNEL_SETTINGS | self._listed_sysctl()
        self.files.disks = [disk for disk in self.files.disks if not disk.by_hand]
        for directory in ("/run", "/tmp"):  # noqa: S108 - of the simulated machine
            self.files.remove(directory)
            self.files.mkdir(directory, mode=0o755 if directory == "/run" else 0o1777)
        self.systemd.write("init.scope", "Reached target multi-user.target - Multi-User System.")
        self.files.mkdir("/run/systemd/system")
        self.files.put("/run/udev/control", "")
        self.files.put("/run/systemd/timesync/synchronized", b"")
        if self.files.is_dir(WANTS):
            for unit in self.files.listdir(WANTS):
                self.start_unit(unit)

    async def lose_power(self) -> None:
        """Everything that runs dies at once; what is on the disk stays."""
        self.powered = False
        await self.systemd.kill_all()
        self.addresses = [self.address]
        self.listening.clear()

    def _listed_modules(self) -> set[str]:
        lines = (line for text in self._texts("/etc/modules-load.d") for line in text.splitlines())
        return {line.strip() for line in lines if line.strip() and not line.startswith("#")}

    def _listed_sysctl(self) -> dict[str, str]:
        lines = (line for text in self._texts("/etc/sysctl.d") for line in text.splitlines())
        pairs = (line.partition("=") for line in lines if "=" in line and not line.lstrip().startswith(("#", ";")))
        return {key.strip().removeprefix("-").replace("/", "."): value.strip() for key, _, value in pairs}

    def _texts(self, directory: str) -> list[str]:
        if not self.files.is_dir(directory):
            return []
        return [self.files.text(posixpath.join(directory, name)) for name in self.files.listdir(directory)]


def full_image_name(name: str) -> str:
    """An image's name as containerd keeps it: with the registry's host and a tag."""
    host, slash, _ = name.partition("/")
    if not slash or not ({".", ":"} & set(host) or host == "localhost"):
        name = f"docker.io/{name if slash else f'library/{name}'}"
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"


def restart_delay_s(machine: Machine, unit: str) -> float | None:
    """How long systemd waits before it restarts a unit (``Restart=always`` in its file or a drop-in), or None."""
    pairs = (line.partition("=") for line in machine.definitions.get(unit, "").splitlines())
    settings = {key.strip(): value.strip() for key, _, value in pairs}
    if settings.get("Restart") not in {"always", "on-failure"}:
        return None
    return float(settings.get("RestartSec", "0.1").removesuffix("s"))


async def _idle(unit: Unit) -> None:
    """A service of which nothing is known but that it runs."""
    unit.ready()
    await asyncio.Event().wait()


_KERNEL_SETTINGS: Final = {
    "net.ipv4.ip_forward": "0",
    "net.bridge.bridge-nf-call-iptables": "0",
    "net.bridge.bridge-nf-call-ip6tables": "0",
    "net.ipv4.ip_nonlocal_bind": "0",
    "fs.inotify.max_user_instances": "128",
    "fs.inotify.max_user_watches": "65536",
    "vm.swappiness": "60",
    "vm.overcommit_memory": "0",
    "vm.panic_on_oom": "0",
    "kernel.panic": "0",
    "kernel.panic_on_oops": "0",
}


def _install(machine: Machine) -> None:
    """Put the files of a fresh operating system on the disk."""
    system = machine.system
    files = machine.files
    for directory in ("/boot", "/home", "/opt", "/proc", "/sys", "/usr/local/bin", "/var/lib", "/var/log", "/root"):
        files.mkdir(directory, mode=0o700 if directory == "/root" else 0o755)
    files.put(
        "/etc/os-release",
        f'PRETTY_NAME="{system.pretty_name}"\nVERSION_ID="{system.version_id}"\nID={system.id}\n',
    )
    files.put("/etc/hostname", machine.hostname + "\n")
    files.put("/etc/hosts", f"127.0.0.1\tlocalhost\n127.0.1.1\t{machine.hostname}\n")
    files.put("/etc/resolv.conf", "nameserver 198.51.100.53\n")
    files.put("/etc/machine-id", machine.identity("machine-id") + "\n", mode=0o444)
    timesync = "systemd-timesyncd"
    files.put(f"/usr/lib/systemd/system/{timesync}.service", "[Service]\nType=notify\nRestart=always\n")
    machine.enable(timesync)
    if "keepalived" in machine.packages:
        install_keepalived(machine)


def install_haproxy(machine: Machine) -> None:
    """What the package haproxy brings; Debian's starts it with a configuration that forwards nothing."""
    machine.packages.add("haproxy")
    machine.tools.add("haproxy")
    machine.files.put("/usr/sbin/haproxy", b"\x7fELF haproxy\n", mode=0o755)
    machine.files.mkdir("/etc/haproxy")
    machine.files.put("/etc/haproxy/haproxy.cfg", "global\n\tuser haproxy\n\ndefaults\n\tmode http\n")
    machine.files.put(
        "/usr/lib/systemd/system/haproxy.service",
        "[Unit]\nDescription=HAProxy Load Balancer\nAfter=network-online.target\n\n"
        "[Service]\nType=notify\nExecStart=/usr/sbin/haproxy -Ws -f /etc/haproxy/haproxy.cfg\n"
        "ExecReload=/bin/kill -USR2 $MAINPID\nRestart=always\n\n[Install]\nWantedBy=multi-user.target\n",
    )


def install_nfs_server(machine: Machine) -> None:
    """What the package nfs-kernel-server brings."""
    machine.packages.add("nfs-kernel-server")
    machine.tools.add("exportfs")
    machine.files.put("/usr/sbin/exportfs", b"\x7fELF exportfs\n", mode=0o755)
    machine.files.put("/etc/exports", "# /etc/exports: the access control list for filesystems which may be exported\n")
    machine.files.put(
        "/usr/lib/systemd/system/nfs-server.service",
        "[Unit]\nDescription=NFS server and services\nRequires=network.target proc-fs-nfsd.mount\n\n"
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/sbin/rpc.nfsd\n"
        "ExecReload=-/usr/sbin/exportfs -r\n\n"
        "[Install]\nWantedBy=multi-user.target\n",
    )


def install_mysql_server(machine: Machine) -> None:
    """What the package mysql-community-server brings: MySQL's postinst makes the data directory."""
    machine.packages.add("mysql-community-server")
    machine.tools |= {"mysqld", "mysqldump", "mysql"}
    machine.users.setdefault("mysql", User("mysql"))
    machine.files.put("/usr/sbin/mysqld", b"\x7fELF mysqld\n", mode=0o755)
    machine.files.put("/etc/mysql/mysql.conf.d/mysqld.cnf", "[mysqld]\ndatadir\t= /var/lib/mysql\n")
    for name in ("mysql", "performance_schema", "sys"):
        machine.files.mkdir(f"/var/lib/mysql/{name}")
    for end in ("source", "replica", "master", "slave"):  # 8.0 brings those of both ages from 8.0.26 on
        machine.files.put(f"/usr/lib/mysql/plugin/semisync_{end}.so", b"\x7fELF plug-in\n")
    machine.files.put(
        "/usr/lib/systemd/system/mysql.service",
        "[Unit]\nDescription=MySQL Community Server\nAfter=network.target\n\n"
        "[Service]\nType=notify\nExecStart=/usr/sbin/mysqld\nRestart=on-failure\n\n"
        "[Install]\nWantedBy=multi-user.target\n",
    )


def install_keepalived(machine: Machine) -> None:
    """What the package keepalived brings."""
    machine.packages.add("keepalived")
    machine.tools.add("keepalived")
    machine.files.put("/usr/sbin/keepalived", b"\x7fELF keepalived\n", mode=0o755)
    machine.files.mkdir("/etc/keepalived")
    machine.files.put(
        "/usr/lib/systemd/system/keepalived.service",
        "[Unit]\nDescription=Keepalive Daemon (LVS and VRRP)\nAfter=network-online.target\n"
        "ConditionFileNotEmpty=/etc/keepalived/keepalived.conf\n\n"
        "[Service]\nType=notify\nExecStart=/usr/sbin/keepalived --dont-fork\nExecReload=/bin/kill -HUP $MAINPID\n\n"
        "[Install]\nWantedBy=multi-user.target\n",
    )
