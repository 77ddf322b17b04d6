"""What servers might have answered, made by hand, so that pictures are the same every time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Interface
from typing import Final

from rbdtui.checks import check_cluster, check_node
from rbdtui.facts.model import Clock, Memory, Mount, NodeFacts, OsRelease
from rbdtui.findings import Finding, Place, Severity
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.base import (
    ConnectTimeoutError,
    HostKeyChangedError,
    HostKeyUnknownError,
    LoginRefusedError,
    SudoPasswordMissingError,
    TransportError,
)
from rbdtui.workbench.live.live import LiveNode, LiveSnapshot, LiveState
from tests.checks.support import GIB, good_facts

FINGERPRINT: Final = "SHA256:Zb2cF9mNq0sWl1T8kVYx4hRjUe7oPd3aGi5nCtLw6Kc"
OTHER_FINGERPRINT: Final = "SHA256:o4PqLrXvB1yTn8Hd0sJcWmKe6fZa2GuRi9VtYx3hMbE"


def facts_of(spec: ClusterSpec, name: str) -> NodeFacts:
    """A clean server at the node's address."""
    index = [node.name for node in spec.nodes].index(name) + 1
    good = good_facts(index)
    loopback, card = good.interfaces
    address = IPv4Interface(f"{spec.node(name).address}/24")
    return replace(
        good, node=name, hostname=name, interfaces=(loopback, replace(card, addresses=(address,))),
        routes=(good.routes[0], replace(good.routes[1], destination=address.network)),
    )  # fmt: skip


def weak(facts: NodeFacts) -> NodeFacts:
    """A server with too little of everything."""
    return replace(
        facts, os=OsRelease("centos", "7", "CentOS Linux 7 (Core)"), kernel="3.10.0-1160.el7.x86_64", cpu_count=1,
        memory=Memory(2 * GIB, GIB), mounts=(Mount("/", "/dev/vda1", "xfs", 40 * GIB, 3 * GIB),),
        clock=Clock(214.6, 0.004),
    )  # fmt: skip


def answered(
    spec: ClusterSpec, *, facts: Mapping[str, NodeFacts] | None = None, others: Mapping[str, LiveNode] | None = None
) -> LiveSnapshot:
    """All servers have answered, those named differently."""
    others = others or {}
    known = {node.name: facts_of(spec, node.name) for node in spec.nodes if node.name not in others} | dict(facts or {})
    nodes = {
        name: LiveNode(LiveState.OK, found, tuple(check_node(spec, found, Place))) for name, found in known.items()
    }
    ordered = {node.name: {**nodes, **others}[node.name] for node in spec.nodes}
    return LiveSnapshot(ordered, tuple(check_cluster(spec, known, Place)))


def failed(error: TransportError, state: LiveState = LiveState.FAILED) -> LiveNode:
    """A server that could not be checked."""
    finding = Finding(error.code, Severity.ERROR, Place(node=error.node), error.params)
    return LiveNode(state, None, (finding,), error.text, error.remedy, error.code)


def denied(name: str, address: str) -> LiveNode:
    """A server that takes neither key nor password."""
    return failed(
        LoginRefusedError(name, address=address, port=22, user="ops", tried="publickey, password", offered="publickey")
    )


def silent(name: str, address: str) -> LiveNode:
    """A server that does not answer."""
    return failed(ConnectTimeoutError(name, address=address, port=22))


def asks_for_sudo(name: str) -> LiveNode:
    """A server whose sudo wants a password."""
    return failed(SudoPasswordMissingError(name, user="ops"))


def key_unknown(name: str, address: str) -> LiveNode:
    """A server whose host key nobody has confirmed yet."""
    error = HostKeyUnknownError(name, address=address, port=22, algorithm="ssh-ed25519", fingerprint=FINGERPRINT)
    return failed(error, LiveState.KEY_UNKNOWN)


def key_changed(name: str, address: str) -> LiveNode:
    """A server that shows another key than the confirmed one."""
    error = HostKeyChangedError(
        name, address=address, port=22, algorithm="ssh-ed25519", fingerprint=FINGERPRINT, pinned=OTHER_FINGERPRINT
    )
    return failed(error, LiveState.KEY_CHANGED)


ASKING: Final = LiveNode(LiveState.ASKING)
"""A server that is being asked."""
