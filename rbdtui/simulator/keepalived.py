"""The keepalived of a simulated host: reads its configuration, elects with the others, carries the address."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Interface
from typing import Final

from rbdtui.simulator.kubernetes.cluster import cluster_of
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.units import ServiceFailed, Unit

CONFIG_FILE: Final = "/etc/keepalived/keepalived.conf"
FREE_SCRIPTS: Final = "/usr/libexec/keepalived"
"""What the policy of fedora-selinux labels ``keepalived_unconfined_script_exec_t``."""
_TOP_LEVEL: Final = frozenset({"global_defs", "vrrp_script", "vrrp_instance", "vrrp_sync_group", "include"})
_INSTANCE_WORDS: Final = """
    state interface virtual_router_id priority advert_int nopreempt preempt_delay unicast_src_ip unicast_peer
    authentication virtual_ipaddress track_script track_interface garp_master_delay garp_master_refresh
    dont_track_primary notify notify_master notify_backup notify_fault version mcast_src_ip use_vmac
"""
_INSTANCE: Final = frozenset(_INSTANCE_WORDS.split())
_SCRIPT: Final = frozenset({"script", "interval", "timeout", "fall", "rise", "weight", "user", "init_fail"})


class ConfigError(Exception):
    """The configuration cannot be used; the words are keepalived's."""


@dataclass(slots=True)
class Block:
    """A statement of the configuration with what stands in its braces."""

    words: list[str]
    line: int
    children: list[Block] = field(default_factory=list)

    def child(self, name: str) -> Block | None:
        """The first statement of that name inside."""
        return next((child for child in self.children if child.words[0] == name), None)

    def value(self, name: str, otherwise: str = "") -> str:
        """The word after a name inside."""
        found = self.child(name)
        return found.words[1] if found is not None and len(found.words) > 1 else otherwise


def parse(text: str) -> list[Block]:
    """Read a configuration; raises `ConfigError`."""
    root = Block([""], 0)
    open_blocks = [root]
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.split(r"[#!]", raw, maxsplit=1)[0].strip()
        for part in (piece.strip() for piece in re.split(r"([{}])", line)):
            if part == "}":
                if len(open_blocks) == 1:
                    raise ConfigError(f"(Line {number}) Unexpected '}}' - ignoring")
                open_blocks.pop()
            elif part == "{":
                if not open_blocks[-1].children:
                    raise ConfigError(f"(Line {number}) Unexpected '{{' - ignoring")
                open_blocks.append(open_blocks[-1].children[-1])
            elif part:
                open_blocks[-1].children.append(Block(shlex.split(part), number))
    if len(open_blocks) > 1:
        raise ConfigError(f"(Line {open_blocks[-1].line}) Missing '}}' at end of block")
    for block in root.children:
        _check(block)
    return root.children


def _check(block: Block) -> None:
    if block.words[0] not in _TOP_LEVEL:
        raise ConfigError(f"(Line {block.line}) Unknown keyword '{block.words[0]}'")
    known = {"vrrp_instance": _INSTANCE, "vrrp_script": _SCRIPT}.get(block.words[0])
    for child in block.children if known is not None else ():
        if known is not None and child.words[0] not in known:
            raise ConfigError(f"(Line {child.line}) Unknown keyword '{child.words[0]}'")


@dataclass(slots=True)
class Result:
    """What keepalived knows of a check: how often in a row it went how, and what it makes of that."""

    passed: int = 0
    failed: int = 0
    good: bool | None = None
    """None until it has run for the first time."""


@dataclass(eq=False, slots=True)
class VrrpInstance:
    """A VRRP instance that takes part in the election of its router id."""

    machine: Machine
    name: str
    router_id: int
    base_priority: int
    advert_s: float
    no_preempt: bool
    password: str
    peers: frozenset[IPv4Address]
    """Empty: multicast."""
    addresses: list[IPv4Interface]
    checks: list[Block]
    state: str = "INIT"
    heard_s: float = 0.0
    """Simulated time of the last advertisement."""
    results: dict[str, Result] = field(default_factory=dict)
    """Of its checks, by name."""

    @property
    def rank(self) -> tuple[int, int]:
        """Who wins: priority, then address."""
        return self.base_priority, int(self.machine.ip)

    @property
    def patience_s(self) -> float:
        """Silence after which the address is taken."""
        return 3 * self.advert_s + self.skew_s

    @property
    def skew_s(self) -> float:
        """The part of the silence that the priority decides."""
        return (256 - self.base_priority) / 256 * self.advert_s

    def hears(self, other: VrrpInstance) -> bool:
        """Whether the other's advertisements arrive here and are taken."""
        if self is other or other.state != "MASTER" or other.router_id != self.router_id:
            return False
        if not self.machine.network.linked(self.machine, other.machine) or other.password != self.password:
            return False
        if not self.peers or not other.peers:
            return not self.peers and not other.peers
        return self.machine.ip in other.peers and other.machine.ip in self.peers


class Keepalived:
    """One start of keepalived on a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._pace = machine.network.pace

    async def __call__(self, unit: Unit) -> None:
        """Run until stopped."""
        text = self._machine.files.text(CONFIG_FILE)
        if not text.strip():
            return
        try:
            speakers = list(self._speakers(parse(text)))
        except (ConfigError, ValueError) as error:
            unit.log(str(error))
            raise ServiceFailed(2) from None
        unit.log("Starting VRRP child process")
        unit.ready()
        if not speakers:
            while True:
                await self._pace.sleep(60)
        unit.reload = lambda: self._reread(unit, speakers[0])
        await self._take_part(unit, speakers[0])

    def _reread(self, unit: Unit, own: VrrpInstance) -> None:
        """Take the present configuration in, without giving the address up."""
        unit.log("Reloading ...")
        try:
            new = next(self._speakers(parse(self._machine.files.text(CONFIG_FILE))))
        except (ConfigError, ValueError, StopIteration) as error:
            unit.log(f"Configuration not taken: {error}")
            return
        own.base_priority, own.advert_s, own.no_preempt = new.base_priority, new.advert_s, new.no_preempt
        own.password, own.peers, own.checks, own.router_id = new.password, new.peers, new.checks, new.router_id
        own.results = {name: result for name, result in own.results.items() if name in _names(own.checks)}
        for name, result in own.results.items():
            if result.good is not None:
                unit.log(f"VRRP_Script({name}) considered {'' if result.good else 'un'}successful on reload")
        if own.addresses != new.addresses:
            held = own.state == "MASTER"
            self._drop(own)
            own.addresses = new.addresses
            if held:
                self._take(unit, own)

    def _speakers(self, blocks: list[Block]) -> Iterator[VrrpInstance]:
        scripts = {block.words[1]: block for block in blocks if block.words[0] == "vrrp_script"}
        for block in blocks:
            if block.words[0] != "vrrp_instance":
                continue
            name = block.words[1]
            interface = block.value("interface")
            if interface != self._machine.interface:
                raise ConfigError(f"({name}) WARNING - interface {interface} for vrrp_instance {name} doesn't exist")
            tracked = block.child("track_script") or Block([""], 0)
            peers = block.child("unicast_peer") or Block([""], 0)
            addresses = block.child("virtual_ipaddress") or Block([""], 0)
            auth = block.child("authentication") or Block([""], 0)
            yield VrrpInstance(
                machine=self._machine,
                name=name,
                router_id=int(block.value("virtual_router_id", "0")),
                base_priority=int(block.value("priority", "100")),
                advert_s=float(block.value("advert_int", "1")),
                no_preempt=block.child("nopreempt") is not None,
                password=auth.value("auth_pass")[:8],
                peers=frozenset(IPv4Address(peer.words[0]) for peer in peers.children),
                addresses=[IPv4Interface(address.words[0]) for address in addresses.children],
                checks=[scripts[child.words[0]] for child in tracked.children if child.words[0] in scripts],
            )

    async def _take_part(self, unit: Unit, own: VrrpInstance) -> None:
        network = self._machine.network
        # An address that a killed keepalived left behind is taken off again by the next one.
        self._drop(own)
        own.heard_s = self._pace.now_s
        self._enter(unit, own, "BACKUP")
        network.speakers.append(own)
        try:
            while True:
                self._elect(unit, own)
                await self._pace.sleep(own.advert_s / 2)
        finally:
            network.speakers.remove(own)
            if not unit.killed:
                self._resign(own)

    def _elect(self, unit: Unit, own: VrrpInstance) -> None:
        heard = [other for other in self._machine.network.speakers if own.hears(other)]
        if not self._healthy(unit, own):
            if own.state != "FAULT":
                self._resign(own)
                self._enter(unit, own, "FAULT")
            return
        if own.state == "FAULT":
            own.heard_s = self._pace.now_s
            self._enter(unit, own, "BACKUP")
        if own.state == "MASTER":
            if any(other.rank > own.rank for other in heard):
                self._drop(own)
                self._enter(unit, own, "BACKUP")
        elif heard:
            own.heard_s = self._pace.now_s
            if not own.no_preempt and all(other.rank < own.rank for other in heard):
                self._take(unit, own)
        elif self._pace.now_s - own.heard_s > own.patience_s:
            unit.log(f"({own.name}) Backup received priority 0 advertisement or none in time")
            self._take(unit, own)

    def _take(self, unit: Unit, own: VrrpInstance) -> None:
        self._enter(unit, own, "MASTER")
        for address in own.addresses:
            if address not in self._machine.addresses:
                self._machine.addresses.append(address)
            unit.log(f"Sending gratuitous ARP on {self._machine.interface} for {address.ip}")

    def _drop(self, own: VrrpInstance) -> None:
        self._machine.addresses = [address for address in self._machine.addresses if address not in own.addresses]

    def _resign(self, own: VrrpInstance) -> None:
        """Give the address up and tell the others, who then wait no longer than their skew."""
        if own.state == "MASTER":
            for other in self._machine.network.speakers:
                if other.hears(own):
                    other.heard_s = self._pace.now_s - 3 * other.advert_s
        self._drop(own)
        own.state = "INIT"

    def _enter(self, unit: Unit, own: VrrpInstance, state: str) -> None:
        own.state = state
        unit.log(f"({own.name}) Entering {state} STATE")

    def _healthy(self, unit: Unit, own: VrrpInstance) -> bool:
        """Whether the tracked scripts are good, with ``fall`` and ``rise`` counted in intervals."""
        for check in own.checks:
            result = own.results.setdefault(check.words[1], Result())
            self._look(unit, own, check, result)
        return all(own.results[name].good is not False for name in _names(own.checks))

    def _look(self, unit: Unit, own: VrrpInstance, check: Block, result: Result) -> None:
        """Run a check; the first run decides alone, later it takes ``rise`` or ``fall`` in a row."""
        passes = check_passes(self._machine, check.value("script"))
        result.passed, result.failed = (result.passed + 1, 0) if passes else (0, result.failed + 1)
        period = float(check.value("interval", "1")) / (own.advert_s / 2)
        runs = 1 if result.good is None else int(check.value("rise" if passes else "fall", "1"))
        if result.good is passes or result.passed + result.failed < runs * period:
            return
        result.good = passes
        unit.log(f"VRRP_Script({check.words[1]}) {'succeeded' if passes else 'failed (exited with status 1)'}")


def _names(checks: list[Block]) -> list[str]:
    return [check.words[1] for check in checks]


def check_passes(machine: Machine, command: str) -> bool:
    """Whether a check that keepalived runs is good: what it asks is told from its text.

    SELinux lets keepalived run what lies below ``/usr/libexec/keepalived`` only.
    """
    path = command.split(" ")[0]
    entry = machine.files.get(path)
    if entry is None or not entry.mode & 0o111:
        return False
    if machine.system.selinux == "enforcing" and not path.startswith(f"{FREE_SCRIPTS}/"):
        return False
    asked = _asked_by(bytes(entry.content))
    cluster = cluster_of(machine)
    if asked.of_api:
        if cluster is None:
            return False
        servers = [member.machine for member in cluster.members]
        is_better_elsewhere = any(map(cluster.serves, servers)) or not asked.of_others
        if not cluster.serves(machine) and is_better_elsewhere:
            return False
    return all(machine.listener("127.0.0.1", port) is not None for port in asked.ports)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the text of a check asks for."""

    of_api: bool
    of_others: bool
    """Whether other servers' API counts, too."""
    ports: tuple[int, ...]
    """That must be listened on here."""


@lru_cache(maxsize=256)
def _asked_by(script: bytes) -> _Asked:
    """Looked for once: keepalived runs its checks all the time."""
    text = script.decode("utf-8", "replace")
    can_ask, asks = "server() {" in text, re.search(r"^server 127\.0\.0\.1", text, re.MULTILINE) is not None
    ports = re.findall(r"127\.0\.0\.1[:/](\d+)", text)
    return _Asked("/readyz" in text and (asks or not can_ask), "elsewhere" in text, tuple(map(int, ports)))
