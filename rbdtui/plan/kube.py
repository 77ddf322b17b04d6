"""What the API server and etcd say about the cluster, asked on a server through RKE2's own kubectl."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from rbdtui.plan.step import StepContext
from rbdtui.transport.answers import UNREADABLE
from rbdtui.transport.base import Host, TransportError
from rbdtui.transport.scripts import script

NODES_BYTES: Final = 4 * 1024 * 1024
"""Of all nodes with their labels: hundreds of nodes have a megabyte of them."""


@dataclass(frozen=True, slots=True)
class KubeNode:
    """A node as the API server knows it."""

    name: str
    ready: str
    """Status of the Ready condition: ``True``, ``False``, ``Unknown``, or empty."""
    address: str
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        """Whether pods can run there."""
        return self.ready == "True"


@dataclass(frozen=True, slots=True)
class Answer:
    """The nodes, or why they could not be had."""

    nodes: dict[str, KubeNode]
    """By name; empty when the API did not answer."""
    reason: str = ""
    """The last words of what was tried, raw; empty when the API answered."""


async def nodes_seen_by(host: Host, url: str = "") -> Answer:
    """Ask on one server, its own API server or (with an URL) through another address."""
    try:
        answer = await host.run(
            script("kube-nodes"), *([url] if url else []), timeout_s=20.0, output_limit_bytes=NODES_BYTES
        )
    except TransportError as error:
        return Answer({}, str(error))
    if not answer.ok:
        return Answer({}, (answer.error_text.strip() or f"exit {answer.exit_status}")[-500:])
    nodes = [_node(line) for line in answer.text.splitlines() if line.count("\t") >= 4]
    return Answer({node.name: node for node in nodes})


def _node(line: str) -> KubeNode:
    name, ready, addresses, _version, labels = line.split("\t", 4)
    try:
        parsed = json.loads(labels)
    except UNREADABLE:
        parsed = {}
    values = {str(key): str(value) for key, value in parsed.items()} if isinstance(parsed, dict) else {}
    return KubeNode(name, ready, addresses.split(" ")[0], values)


async def nodes_seen_by_any(context: StepContext, servers: Sequence[str]) -> Answer:
    """Ask one server after the other until one answers."""
    last = Answer({}, "")
    for name in servers:
        if context.takes_part(name):
            last = await nodes_seen_by(context.hosts[name])
            if last.nodes:
                return last
    return last


@dataclass(frozen=True, slots=True)
class EtcdMember:
    """A member of etcd as another one lists it."""

    peer_address: str
    """IP address of its peer URL."""
    is_started: bool
    is_learner: bool


@dataclass(frozen=True, slots=True)
class EtcdView:
    """etcd as one member sees it."""

    members: tuple[EtcdMember, ...] = ()
    leader: str = ""
    """Id of the leader; empty or ``0`` when there is none."""
    errors: tuple[str, ...] = ()
    """What the member complains of, or why it could not be asked."""

    @property
    def has_leader(self) -> bool:
        """Whether the members agree on somebody."""
        return self.leader not in ("", "0")


async def etcd_seen_by(host: Host) -> EtcdView:
    """Ask the member on one host. The shape of the answers: etcd.io, v3.5 gRPC gateway (rpc.proto)."""
    try:
        answer = await host.run(script("etcd-members"), timeout_s=20.0)
    except TransportError as error:
        return EtcdView(errors=(str(error),))
    if not answer.ok:
        return EtcdView(errors=((answer.error_text.strip() or f"exit {answer.exit_status}")[-500:],))
    try:
        listed, status = (json.loads(line) for line in answer.text.splitlines() if line.strip())
        return EtcdView(
            members=tuple(_member(member) for member in listed.get("members", [])),
            leader=str(status.get("leader", "")),
            errors=tuple(str(error) for error in status.get("errors") or ()),
        )
    except UNREADABLE as error:
        return EtcdView(errors=(f"{type(error).__name__}: {answer.text[:300]}",))


def _member(data: dict[str, object]) -> EtcdMember:
    urls = data.get("peerURLs")
    first = str(urls[0]) if isinstance(urls, list) and urls else ""
    return EtcdMember(
        peer_address=first.partition("://")[2].rpartition(":")[0],
        is_started=bool(data.get("name")),
        is_learner=data.get("isLearner") is True,
    )
