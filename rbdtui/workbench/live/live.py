"""Live answers of the real servers while their rows are being typed.

Each node is asked on its own, a moment after the last change of what concerns it; a newer change cancels the asking.
Everything here runs in the background loop; screens read immutable snapshots.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from pydantic import ValidationError

from rbdtui.checks import check_cluster, check_node
from rbdtui.checks.services import vip
from rbdtui.checks.services.asking import KnownSecret
from rbdtui.checks.view import ClusterView
from rbdtui.facts.gather import gather
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding, Place, Severity
from rbdtui.spec.model import ClusterSpec, Node, Role, SshSettings
from rbdtui.transport.base import HostKeyChangedError, HostKeyUnknownError, TransportError, unexpected
from rbdtui.transport.endpoints import Endpoint, endpoint_of
from rbdtui.transport.hostkeys import KnownHosts, SeenHostKey
from rbdtui.transport.pool import HostPool
from rbdtui.transport.scan import scan_host_keys
from rbdtui.words import Text
from rbdtui.workbench.background import BackgroundLoop
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.operations import is_existing
from rbdtui.workbench.live.asker import Asker
from rbdtui.workbench.live.services import ServiceLook, ServiceWatch

DEBOUNCE_S: Final = 0.6
ASK_LIMIT_S: Final = 45.0


class LiveState(StrEnum):
    """How far the asking of one node is."""

    INCOMPLETE = "incomplete"
    """Not enough is known to log in."""
    WAITING = "waiting"
    """It was changed a moment ago."""
    ASKING = "asking"
    OK = "ok"
    FAILED = "failed"
    KEY_UNKNOWN = "key-unknown"
    """Its host key is not pinned yet."""
    KEY_CHANGED = "key-changed"


@dataclass(frozen=True, slots=True)
class LiveNode:
    """What one server last answered."""

    state: LiveState
    facts: NodeFacts | None = None
    findings: tuple[Finding, ...] = ()
    error: Text | None = None
    remedy: Text | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class LiveSnapshot:
    """All answers at one moment."""

    nodes: Mapping[str, LiveNode] = field(default_factory=dict)
    """By node name."""
    cluster_findings: tuple[Finding, ...] = ()
    """What shows only when hosts are seen side by side."""
    services: Mapping[str, ServiceLook] = field(default_factory=dict)
    """What hosts see of the services that they will use, by the name of the check."""

    @property
    def busy(self) -> bool:
        """Whether an answer is still awaited."""
        return any(node.state in (LiveState.WAITING, LiveState.ASKING) for node in self.nodes.values())

    @property
    def facts(self) -> dict[str, NodeFacts]:
        """Facts of the nodes that answered."""
        return {name: node.facts for name, node in self.nodes.items() if node.facts is not None}

    @property
    def findings(self) -> list[Finding]:
        """Everything that the answers gave rise to."""
        of_nodes = (finding for node in self.nodes.values() for finding in node.findings)
        of_services = (finding for look in self.services.values() for finding in look.findings)
        return [*of_nodes, *self.cluster_findings, *of_services]

    @property
    def vip(self) -> ServiceLook:
        """Whether the virtual address is free."""
        return self.service(vip.CHECK.name)

    def service(self, check: str) -> ServiceLook:
        """What hosts see of one service."""
        return self.services.get(check, ServiceLook())


class LiveNodes:
    """Asks the servers of a draft and keeps what they answered."""

    def __init__(
        self,
        background: BackgroundLoop,
        known_hosts: KnownHosts,
        secret: Callable[[str], str],
        known_secret: KnownSecret,
        on_change: Callable[[], None],
        *,
        debounce_s: float = DEBOUNCE_S,
    ) -> None:
        self._known_hosts = known_hosts
        self._secret = secret
        self._on_change = on_change
        self._spec: ClusterSpec | None = None
        self._typed_into = ""
        self._lock = threading.RLock()
        self._asker: Asker[str, Endpoint, LiveNode] = Asker(
            background, self._ask_node, on_change, lock=self._lock, debounce_s=debounce_s,
            began=self._began, took=self._answer,
        )  # fmt: skip
        self._services = ServiceWatch(
            background, known_hosts, secret, known_secret, self._look_again, lock=self._lock, debounce_s=debounce_s
        )
        self.snapshot = LiveSnapshot()

    def follow(self, data: Data, spec: ClusterSpec | None, typed_into: str = "") -> None:
        """Take note of a changed draft; only nodes whose login changed are asked again. Returns at once.

        ``typed_into`` is the part of cluster.yaml that is being typed into; empty when none is.
        """
        endpoints = _endpoints(data)
        with self._lock:
            self._typed_into = typed_into
            self._follow(data, spec, endpoints)

    def _follow(self, data: Data, spec: ClusterSpec | None, endpoints: Mapping[str, Endpoint]) -> None:
        self._spec = spec
        asked = self._asker.questions
        for name in asked.keys() - endpoints.keys():
            self._asker.give_up(name)
        incomplete = LiveNode(LiveState.INCOMPLETE)
        known = self.snapshot.nodes
        nodes = {name: known.get(name, incomplete) if name in endpoints else incomplete for name in _names(data)}
        self.snapshot = replace(self.snapshot, nodes=nodes)
        for name, endpoint in endpoints.items():
            if asked.get(name) != endpoint:
                self._ask(name, endpoint)
        self._judge()

    def ask_again(self, name: str | None = None) -> None:
        """Ask one node, or all, once more without waiting."""
        with self._lock:
            if name is None:
                self._services.vault_changed()
            for known, endpoint in self._asker.questions.items():
                if name in (None, known):
                    self._ask(known, endpoint, at_once=True)

    async def scan(self, nodes: Collection[str], on_seen: Callable[[SeenHostKey], None]) -> list[SeenHostKey]:
        """The keys that nodes, by default all of which enough is known, show now; each is told as it comes."""
        endpoints = [endpoint for name, endpoint in self._asker.questions.items() if not nodes or name in nodes]
        return await scan_host_keys(endpoints, self._known_hosts, self._secret, on_seen=on_seen)

    def close(self) -> None:
        """Stop asking."""
        with self._lock:
            self._asker.close()
            self._services.close()

    def _ask(self, name: str, endpoint: Endpoint, *, at_once: bool = False) -> None:
        known = self._asker.questions.get(name)
        same_host = known is not None and known.address == endpoint.address
        self._put(name, LiveNode(LiveState.WAITING, facts=self._facts_of(name) if same_host else None))
        self._asker.put(name, endpoint, at_once=at_once)

    def _began(self, name: str) -> None:
        self._put(name, LiveNode(LiveState.ASKING, facts=self._facts_of(name)))
        self._judge()

    async def _ask_node(self, name: str, endpoint: Endpoint) -> LiveNode:
        try:
            async with (
                asyncio.timeout(ASK_LIMIT_S),
                HostPool({name: endpoint}, self._known_hosts, self._secret) as hosts,
            ):
                return LiveNode(LiveState.OK, await gather(hosts[name]))
        except HostKeyUnknownError as error:
            return _failed(name, error, LiveState.KEY_UNKNOWN)
        except HostKeyChangedError as error:
            return _failed(name, error, LiveState.KEY_CHANGED)
        except TransportError as error:
            return _failed(name, error, LiveState.FAILED)
        except Exception as error:
            return LiveNode(LiveState.FAILED, error=unexpected(name, error))

    def _answer(self, name: str, answer: LiveNode) -> None:
        self._put(name, answer)
        self._judge()

    def _facts_of(self, name: str) -> NodeFacts | None:
        """What is known of a host from before."""
        before = self.snapshot.nodes.get(name)
        return before.facts if before is not None else None

    def _put(self, name: str, node: LiveNode) -> None:
        self.snapshot = replace(self.snapshot, nodes={**self.snapshot.nodes, name: node})

    def _judge(self) -> None:
        """Judge the facts at hand against the draft as it is now."""
        spec, snapshot = self._spec, self.snapshot
        self._services.follow(spec, self._reachable(), self._typed_into)
        if spec is None:
            self.snapshot = replace(snapshot, services={})
            return
        names = {node.name for node in spec.nodes}
        facts = {name: known for name, known in snapshot.facts.items() if name in names}
        nodes = {
            name: replace(node, findings=tuple(check_node(spec, node.facts, _place)))
            if node.facts is not None and name in names
            else node
            for name, node in snapshot.nodes.items()
        }
        cluster = tuple(check_cluster(spec, facts, _place)) if facts else ()
        view = ClusterView(spec, facts, _place, spec.profile.limits)
        self.snapshot = LiveSnapshot(nodes, cluster, self._services.looks(view))

    def _reachable(self) -> dict[str, Endpoint]:
        """Servers that have answered."""
        known = self.snapshot.nodes
        return {
            name: endpoint
            for name, endpoint in self._asker.questions.items()
            if name in known and known[name].state is LiveState.OK
        }

    def _look_again(self) -> None:
        """A host has said what it sees of a service."""
        with self._lock:
            self._judge()
        self._on_change()


def _place(field_path: str) -> Place:
    return Place(field_path)


def _failed(name: str, error: TransportError, state: LiveState) -> LiveNode:
    finding = Finding(error.code, Severity.ERROR, Place(node=name), error.params)
    return LiveNode(state, None, (finding,), error.text, error.remedy, error.code)


def _names(data: Data) -> list[str]:
    nodes = data.get("nodes")
    listed = nodes if isinstance(nodes, list) else []
    return [str(node["name"]) for node in listed if isinstance(node, dict) and node.get("name")]


def _endpoints(data: Data) -> dict[str, Endpoint]:
    """How to log in to each node of which enough is written, whatever is wrong elsewhere in the draft."""
    if is_existing(data):
        return {}
    nodes = data.get("nodes")
    try:
        site = SshSettings.model_validate(data.get("ssh") or {})
    except ValidationError:
        return {}
    found: dict[str, Endpoint] = {}
    for node in nodes if isinstance(nodes, list) else []:
        if isinstance(node, dict):
            with suppress(ValidationError):
                known = Node.model_validate({**node, "roles": [Role.WORKER]})
                found[known.name] = endpoint_of(known, site)
    return found
