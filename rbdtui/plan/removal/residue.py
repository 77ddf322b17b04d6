"""What is left of an installation on a host, by looking there: nothing is taken from what a run says it did."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from rbdtui.facts.model import Claim
from rbdtui.plan.resources.files import BEGIN, END, without_block
from rbdtui.plan.steps.claim import read_claim
from rbdtui.plan.steps.prepare import hosts_lines
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.answers import parse_answer
from rbdtui.transport.base import Host
from rbdtui.transport.files import read_file
from rbdtui.transport.scripts import script
from rbdtui.words import T, Text

HOSTS_FILE: Final = "/etc/hosts"
LOOK_LIMIT_S: Final = 120.0
_LOOK_BYTES: Final = 2 * 1024 * 1024
"""A server may run hundreds of containers, each with processes and mounts."""
_NODES_MARKS: Final = (b"# Generate by Rainbond. DO NOT EDIT", b"# End of Section")
_RAINBOND_NAMES: Final = frozenset({b"goodrain.me", b"region.goodrain.me"})


class ResidueKind(StrEnum):
    """What sort of thing is left."""

    JOB = "job"
    UNIT = "unit"
    PROCESS = "process"
    MOUNT = "mount"
    LINK = "link"
    RULES = "rules"
    ADDRESS = "address"
    KEEPALIVED = "keepalived"
    HAPROXY = "haproxy"
    NFS_SERVER = "nfs-server"
    NFS_COPY = "nfs-copy"
    MYSQL = "mysql"
    FILE = "file"
    HOSTS = "hosts"
    PATH = "path"
    DATA = "data"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Residue:
    """One thing that is left on a host."""

    kind: ResidueKind
    what: str
    """A path, a unit's name, a process id …; raw."""
    more: str = ""
    """Of a path its size in KiB, of a file the site that it was written for, of an address its interface; raw."""

    @property
    def title(self) -> Text:
        """What becomes of it, in words."""
        return T(f"reset.item.{self.kind.value}", what=self.what, more=self.more)  # words: reset.item.*

    @property
    def command(self) -> str:
        """What removes it when it is typed on the host."""
        return _COMMANDS[self.kind].format(what=shlex.quote(self.what), more=shlex.quote(self.more))

    @property
    def size_mib(self) -> int | None:
        """How much lies there; None where that was not asked."""
        is_size = self.kind in (ResidueKind.PATH, ResidueKind.DATA) and self.more.isdecimal()
        return int(self.more) // 1024 if is_size else None


_OF_KUBERNETES: Final = frozenset(
    {
        ResidueKind.UNIT, ResidueKind.PROCESS, ResidueKind.MOUNT, ResidueKind.LINK, ResidueKind.RULES,
        ResidueKind.PATH, ResidueKind.DATA,
    }
)  # fmt: skip
"""What is not ours where the cluster was there before, nor on a balancer."""

_RULES: Final = "{what}-save | grep -Ev 'KUBE-|CNI-|cali-|cali:|CILIUM_|FLANNEL|flannel' | {what}-restore"
_COMMANDS: Final = {
    ResidueKind.JOB: "systemctl stop {what}",
    ResidueKind.UNIT: "systemctl disable --now {what}",
    ResidueKind.PROCESS: "kill -9 {what}",
    ResidueKind.MOUNT: "umount -f -l {what}",
    ResidueKind.LINK: "ip link delete {what}",
    ResidueKind.RULES: _RULES,
    ResidueKind.ADDRESS: "ip address delete {what} dev {more}",
    ResidueKind.KEEPALIVED: "systemctl disable --now keepalived.service",
    ResidueKind.HAPROXY: "systemctl disable --now haproxy.service",
    ResidueKind.NFS_SERVER: "exportfs -u {what}; systemctl disable --now nfs-server.service",
    ResidueKind.NFS_COPY: "systemctl disable --now {what}",
    ResidueKind.MYSQL: "systemctl disable --now mysql-dump-rbdtui.timer {what}",
    ResidueKind.FILE: "rm {what}",
    ResidueKind.HOSTS: "sed -i '/^# BEGIN rbdtui/,/^# END rbdtui/d; / goodrain.me$/d' {what}",
    ResidueKind.PATH: "rm -rf --one-file-system {what}",
    ResidueKind.DATA: "rm -rf --one-file-system {what}",
    ResidueKind.STATE: "rm -rf --one-file-system {what}",
}


@dataclass(frozen=True, slots=True)
class HostResidue:
    """All that is left on a host."""

    claim: Claim | None
    items: tuple[Residue, ...] = ()
    stays: tuple[tuple[str, str], ...] = ()
    """Paths that other software uses, too, each with the units that run; raw."""
    hosts_file: tuple[bytes, bytes] | None = field(default=None, repr=False)
    """The hosts file as it is, and as it will be without what came with the installation."""

    def of(self, *kinds: ResidueKind) -> list[Residue]:
        """Those of some kinds."""
        return [item for item in self.items if item.kind in kinds]

    def written_for(self, site: str) -> bool:
        """Whether files there say that they were written for a site."""
        return any(item.more == site for item in self.of(ResidueKind.FILE))


def fixed_vip(spec: ClusterSpec) -> str:
    """The address that keepalived carries; empty where there is none, or where it is a node's own."""
    if not spec.has_vip or spec.gateway.vip is None:
        return ""
    address = str(spec.gateway.vip.ip)
    return "" if address in {str(own) for node in spec.nodes for own in node.addresses} else address


async def look(host: Host, spec: ClusterSpec, *, sizes: bool = False, only_rainbond: bool = False) -> HostResidue:
    """Ask a host what is left there, or what is of Rainbond alone; changes nothing. Raises `TransportError`."""
    claim = await read_claim(host)
    answer = await host.must(
        script("residue"), "look", fixed_vip(spec), "sizes" if sizes else "", timeout_s=LOOK_LIMIT_S,
        output_limit_bytes=_LOOK_BYTES,
    )  # fmt: skip
    lines = parse_answer(host.name, "residue", lambda: [_fields(line) for line in answer.text.splitlines()])
    before = next((what for kind, what, _ in lines if kind == "hosts-before"), "")
    hosts_file = await _hosts_file(host, spec, before, only_rainbond=only_rainbond)
    outside = spec.is_existing or host.name in {node.name for node in spec.outside_nodes}
    kinds = set(ResidueKind) - (_OF_KUBERNETES if outside else set())
    if only_rainbond:
        kinds = {ResidueKind.DATA}
    items = [Residue(ResidueKind(kind), what, more) for kind, what, more in lines if kind in kinds]
    if hosts_file is not None:
        items.append(Residue(ResidueKind.HOSTS, HOSTS_FILE))
    stays = tuple((what, more.strip()) for kind, what, more in lines if kind == "stays")
    return HostResidue(claim, tuple(items), stays, hosts_file)


def _fields(line: str) -> tuple[str, str, str]:
    kind, what, more = line.split("\t")
    return kind, what, more


async def _hosts_file(host: Host, spec: ClusterSpec, before: str, *, only_rainbond: bool) -> tuple[bytes, bytes] | None:
    present = await read_file(host, HOSTS_FILE)
    if present is None:
        return None
    original = await read_file(host, before) if before else None
    if only_rainbond:
        cleaned = without_rainbonds(present, original)
    else:
        cleaned = cleaned_hosts(present, hosts_lines(spec), original)
    return None if cleaned == present else (present, cleaned)


def cleaned_hosts(content: bytes, ours: Sequence[str], original: bytes | None) -> bytes:
    """A hosts file without our block, and without the lines that Rainbond adds to it; those that were there stay."""
    return without_rainbonds(without_block(content, tuple(ours)), original)


def without_rainbonds(content: bytes, original: bytes | None) -> bytes:
    """A hosts file without the lines that Rainbond adds outside of our block.

    Its Job appends a line with nothing but ``goodrain.me`` (goodrain/rainbond-operator, hosts-job), rbd-node of 5.17 a
    section of its own (goodrain/rainbond@v5.17.3-release, util/hosts.go). Where nothing is kept of before, such a line
    may be anybody's and stays.
    """
    if original is None:
        return content
    before, lines, is_ours = {line.strip() for line in original.splitlines()}, [], False
    for line in content.splitlines(keepends=True):
        is_ours = (is_ours or line.strip() == BEGIN) and line.strip() != END
        if is_ours or line.strip() in before or not _is_rainbonds(line):
            lines.append(line)
    return _without_section(lines, before)


def _without_section(lines: Sequence[bytes], before: Collection[bytes]) -> bytes:
    """The lines without the marks around rbd-node's section, unless they were there before."""
    marks = [line.strip() for line in lines if line.strip() in _NODES_MARKS]
    if marks != list(_NODES_MARKS) or _NODES_MARKS[0] in before:
        return b"".join(lines)
    return b"".join(line for line in lines if line.strip() not in _NODES_MARKS)


def _is_rainbonds(line: bytes) -> bool:
    names = line.split(b"#")[0].split()[1:]
    return bool(names) and set(names) <= _RAINBOND_NAMES
