"""Which virtual routers are announced by others in the network of the virtual address.

Two that share an id hear each other by multicast, and the one of lower priority gives way whatever address the other
one carries (RFC 5798, section 6.4.3); by unicast each hears its peers alone (keepalived's vrrp.c binds the socket).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from rbdtui.checks.services.asking import Asking
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.scripts import script

_FIELD: Final = "gateway.virtual_router_id"
LISTEN_S: Final = 3.0
"""An announcement comes every second unless somebody has set another interval; three may be lost or late."""
_NOTHING_TO_LISTEN_WITH: Final = 3
_MOST_PRIORITY: Final = 255
_MOST_ROUTER_ID: Final = 255


@dataclass(frozen=True, slots=True)
class VrrpQuestion:
    """What gateways listen for."""

    address: IPv4Address
    """The virtual address: its network is listened to."""
    router_id: int


@dataclass(frozen=True, slots=True, order=True)
class Announcement:
    """What one virtual router says of itself."""

    source: str
    """Address of the machine that carries it now."""
    router_id: int
    priority: int
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VrrpAnswer:
    """What one gateway has heard."""

    heard: tuple[Announcement, ...] = ()
    trouble: str = ""
    """Why it could not listen, in its own words."""


class VrrpCheck:
    """Nobody else announces the virtual router, or the virtual address, in this network."""

    name = "vrrp"
    field = _FIELD
    logs_in = False

    def question(self, spec: ClusterSpec) -> VrrpQuestion | None:
        """The address and the router id, where keepalived is to carry one."""
        vip, router_id = spec.gateway.vip, spec.gateway.virtual_router_id
        if vip is None or router_id is None or not spec.has_vip:
            return None
        return VrrpQuestion(vip.ip, router_id)

    def hosts(self, spec: ClusterSpec) -> Sequence[str]:
        """Those that are to carry it."""
        return [node.name for node in spec.vip_nodes]

    async def ask(self, question: VrrpQuestion, asking: Asking) -> VrrpAnswer:
        """Listen on a gateway for `LISTEN_S`. Raises `TransportError`."""
        host = asking.host
        assert host is not None, "only gateways are asked"
        result = await host.run(script("vrrp-listen"), str(question.address), f"{LISTEN_S:g}")
        lines = [line.split() for line in result.text.splitlines()]
        if result.exit_status == _NOTHING_TO_LISTEN_WITH:
            return VrrpAnswer(trouble="python3, perl: not found")
        if ["listened"] not in lines:
            return VrrpAnswer(trouble=result.error_text.strip()[-300:] or f"exit {result.exit_status}")
        return VrrpAnswer(tuple(sorted({said for words in lines if (said := _announcement(words)) is not None})))

    def judge(self, question: VrrpQuestion, answers: Mapping[str, VrrpAnswer], view: ClusterView) -> Iterator[Finding]:
        """One finding for each foreign machine that is in the way, whoever has heard it."""
        witnesses: dict[Announcement, list[str]] = {}
        for name in (node.name for node in view.spec.nodes):
            for said in answers[name].heard if name in answers else ():
                if not _is_ours(said, view):
                    witnesses.setdefault(said, []).append(name)
        used = {said.router_id for said in witnesses}
        after = [*range(question.router_id + 1, _MOST_ROUTER_ID + 1), *range(1, question.router_id)]
        free = next((number for number in after if number not in used), 0)
        for said, names in sorted(witnesses.items()):
            same_address = str(question.address) in said.addresses
            if said.router_id != question.router_id and not same_address:
                continue
            code = "RBD-VIP-113" if same_address else "RBD-VIP-112"
            harmless = not same_address and view.spec.gateway.unicast
            yield view.finding(
                code, Severity.WARNING if harmless else Severity.ERROR, field=_FIELD,
                source=said.source, router=said.router_id,
                priority=said.priority, vip=str(question.address), addresses=", ".join(said.addresses) or "-",
                used=", ".join(map(str, sorted(used))), free=free,
                witnesses=", ".join(names), evidence=_words(said),
            )  # fmt: skip
        deaf = {name: answer.trouble for name, answer in answers.items() if answer.trouble}
        if deaf and len(deaf) == len(answers):
            nodes, evidence = ", ".join(deaf), "\n".join(dict.fromkeys(deaf.values()))
            yield view.finding(
                "RBD-VIP-114", Severity.INFO, field=_FIELD, nodes=nodes, router=question.router_id, evidence=evidence
            )


CHECK: Final = VrrpCheck()


def _announcement(words: Sequence[str]) -> Announcement | None:
    """A line of the script; None for another one, or for what no virtual router says."""
    if words[:1] != ["heard"] or len(words) < 5:
        return None
    try:
        source, addresses = IPv4Address(words[1]), [IPv4Address(word) for word in words[5:]]
        router_id, priority = int(words[3]), int(words[4])
    except ValueError:
        return None
    if not 1 <= router_id <= _MOST_ROUTER_ID or not 0 <= priority <= _MOST_PRIORITY:
        return None
    return Announcement(str(source), router_id, priority, tuple(map(str, addresses)))


def _is_ours(said: Announcement, view: ClusterView) -> bool:
    """Whether it comes from a server of this site which an earlier run has set up."""
    return any(
        said.source in {str(own.ip) for interface in facts.interfaces for own in interface.addresses}
        and view.is_ours(node.name)
        for node, facts in view.answered()
    )


def _words(said: Announcement) -> str:
    return f"VRRP {said.source} id {said.router_id} priority {said.priority} {' '.join(said.addresses)}".rstrip()
