"""What was seen on the three servers; a server that was not reached has its reason and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeVar

from rbdtui.audit import facts
from rbdtui.audit.facts import Container, FileText, MountLine, UnitState, facts_for
from rbdtui.audit.files.blocks import BlockFile, read_keepalived, read_nginx
from rbdtui.audit.files.compose import ComposeFile, Service, read_compose
from rbdtui.audit.files.gluster import Gluster
from rbdtui.audit.files.lines import EnvironmentFile, Fstab, HostsFile, read_environment, read_fstab, read_hosts
from rbdtui.audit.target import Server, Target
from rbdtui.facts.compose import compose, split_outputs
from rbdtui.facts.fact import Answers, Fact
from rbdtui.facts.model import Interface, OsRelease
from rbdtui.facts.network import INTERFACES, NAMESERVERS
from rbdtui.facts.ports import SOCKETS, Socket
from rbdtui.facts.system import HOSTNAME, OS_RELEASE
from rbdtui.together import together
from rbdtui.transport.answers import not_understood
from rbdtui.transport.base import Host, TransportError
from rbdtui.words import Text

NAME: Final = "audit-facts"
_TIMEOUT_S: Final = 240.0
_BYTES: Final = 4 << 20

Parsed = TypeVar("Parsed")


@dataclass
class SeenHost:
    """One server as it was seen."""

    server: Server
    unreached: Text | None = None
    failed: Mapping[str, str] = field(default_factory=dict)
    """Facts that could not be had: name to raw reason."""
    os: OsRelease = field(default_factory=OsRelease)
    hostname: str = ""
    interfaces: tuple[Interface, ...] = ()
    nameservers: tuple[str, ...] = ()
    sockets: tuple[Socket, ...] = ()
    units: Mapping[str, UnitState] = field(default_factory=dict)
    programs: frozenset[str] = frozenset()
    fstab: FileText = field(default_factory=lambda: FileText("/etc/fstab"))
    hosts: FileText = field(default_factory=lambda: FileText("/etc/hosts"))
    kubelet: FileText = field(default_factory=lambda: FileText(facts.ENVIRONMENT))
    keepalived: FileText = field(default_factory=lambda: FileText(facts.KEEPALIVED))
    lb_default: FileText = field(default_factory=lambda: FileText(facts.LB_DEFAULT))
    domain_log: FileText = field(default_factory=lambda: FileText(facts.DOMAIN_LOG))
    pillar: FileText = field(default_factory=lambda: FileText(facts.PILLAR))
    uuid: FileText = field(default_factory=lambda: FileText(facts.UUID_FILE))
    kubeconfig_server: str | None = None
    compose_files: Mapping[str, str] = field(default_factory=dict)
    dynamics: Mapping[str, str] | None = None
    mounts: tuple[MountLine, ...] = ()
    grdata_answers: str = ""
    """``yes``, ``absent``, or ``no`` with the words of the host."""
    containers: tuple[Container, ...] | None = None
    region: tuple[tuple[str, ...], ...] | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    web: Mapping[str, str] = field(default_factory=dict)
    dns: Mapping[str, str] = field(default_factory=dict)
    gluster: Gluster = field(default_factory=Gluster)

    @property
    def name(self) -> str:
        """The server's."""
        return self.server.name

    @cached_property
    def composed(self) -> Mapping[str, ComposeFile]:
        """Every compose file by its path."""
        return {path: read_compose(text) for path, text in self.compose_files.items()}

    @cached_property
    def services(self) -> Mapping[str, tuple[str, Service]]:
        """Every service of every compose file, with the file's path: ``dc-compose`` takes them all together."""
        return {
            name: (path, service) for path, file in self.composed.items() for name, service in file.services.items()
        }

    @cached_property
    def fstab_read(self) -> Fstab:
        """``/etc/fstab``."""
        return read_fstab(self.fstab.text or "")

    @cached_property
    def hosts_read(self) -> HostsFile:
        """``/etc/hosts``."""
        return read_hosts(self.hosts.text or "")

    @cached_property
    def kubelet_read(self) -> EnvironmentFile:
        """``kubelet.sh``."""
        return read_environment(self.kubelet.text or "")

    @cached_property
    def keepalived_read(self) -> BlockFile:
        """``keepalived.conf``."""
        return read_keepalived(self.keepalived.text or "")

    @cached_property
    def lb_read(self) -> BlockFile:
        """rbd-lb's ``default.http.conf``."""
        return read_nginx(self.lb_default.text or "")

    def container(self, name: str) -> Container | None:
        """A container that runs, by its name."""
        return next((each for each in self.containers or () if each.name == name), None)

    def mounted_at(self, place: str) -> MountLine | None:
        """What is mounted at a place: the last mount hides those before."""
        found = [mount for mount in self.mounts if mount.place == place]
        return found[-1] if found else None

    def listens(self, port: int) -> bool:
        """Whether anything waits on a port, TCP or UDP."""
        return any(socket.port == port for socket in self.sockets)

    def holds(self, address: str) -> bool:
        """Whether an address is on one of its interfaces."""
        return any(str(own.ip) == address for each in self.interfaces for own in each.addresses)


@dataclass
class SeenSite:
    """All three, and what the page wants of them."""

    target: Target
    hosts: Mapping[str, SeenHost]

    @property
    def manage(self) -> SeenHost:
        """The managing server."""
        return self.hosts[self.target.manage.name]

    @property
    def computes(self) -> tuple[SeenHost, ...]:
        """The two compute nodes."""
        return tuple(self.hosts[server.name] for server in self.target.computes)

    @property
    def all(self) -> tuple[SeenHost, ...]:
        """All three, the managing one first."""
        return (self.manage, *self.computes)


async def see_site(
    target: Target, hosts: Mapping[str, Host], on_seen: Callable[[str], None] = lambda _: None
) -> SeenSite:
    """Ask all three in parallel; one that fails costs only itself."""

    async def one(server: Server) -> SeenHost:
        try:
            seen = await _see(target, server, hosts[server.name])
        except TransportError as error:
            seen = SeenHost(server, unreached=error.text)
        except Exception as error:  # one server's odd answer must not take the others' with it
            seen = SeenHost(server, unreached=not_understood(server.name, NAME, error).text)
        on_seen(server.name)
        return seen

    found = await together(*(one(server) for server in target.servers))
    return SeenSite(target, {seen.name: seen for seen in found})


async def _see(target: Target, server: Server, host: Host) -> SeenHost:
    return await see_host(server, host, facts_for(target))


async def see_host(server: Server, host: Host, asked: tuple[Fact[Any], ...]) -> SeenHost:
    """Ask one server these facts; of all others it says that there was no answer. Raises `TransportError`."""
    await host.connect()
    result = await host.must(compose(asked, NAME), timeout_s=_TIMEOUT_S, output_limit_bytes=_BYTES)
    return seen_from(server, asked, Answers(split_outputs(result.text, result.error_text)))


def seen_from(server: Server, asked: tuple[Fact[Any], ...], answers: Answers) -> SeenHost:
    """A server out of the answers of its script."""
    of_site = {fact.name: fact for fact in asked}
    value = answers.value

    def found(name: str, absent: Any) -> Any:
        return value(of_site[name]) if name in of_site else absent

    nameservers = value(NAMESERVERS)
    return SeenHost(
        server,
        failed=answers.failed,
        os=value(OS_RELEASE),
        hostname=value(HOSTNAME),
        interfaces=value(INTERFACES),
        nameservers=nameservers.configured or (),
        sockets=value(SOCKETS),
        units=value(facts.UNIT_STATES),
        programs=value(facts.PROGRAMS_FOUND),
        fstab=value(facts.FSTAB),
        hosts=value(facts.HOSTS),
        kubelet=value(facts.KUBELET),
        keepalived=value(facts.KEEPALIVED_CONF),
        lb_default=value(facts.LB_CONF),
        domain_log=value(facts.DOMAIN),
        pillar=value(facts.SALT),
        uuid=value(facts.UUID),
        kubeconfig_server=value(facts.SERVER_OF_KUBECONFIG),
        compose_files=value(facts.COMPOSE_FILES),
        dynamics=value(facts.DYNAMIC_FILES),
        mounts=found("audit_mounts", ()),
        grdata_answers=value(facts.GRDATA_ANSWERS),
        containers=value(facts.CONTAINERS),
        region=value(facts.REGION),
        names=found("audit_names", {}),
        web=found("audit_web", {}),
        dns=found("audit_dns", {}),
        gluster=found("gluster", Gluster()),
    )
