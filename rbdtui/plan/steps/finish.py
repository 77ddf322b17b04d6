"""After all nodes have joined: role labels, and the proof of the whole."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.plan import vip
from rbdtui.plan.cluster import api_servers, api_url, etcd_nodes
from rbdtui.plan.kube import EtcdView, etcd_seen_by, nodes_seen_by, nodes_seen_by_any
from rbdtui.plan.step import NO_RUN_YET, Change, ChangeKind, Gate, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.led_to import tell_led_to
from rbdtui.plan.waiting import wait_for
from rbdtui.spec.model import Node
from rbdtui.together import together
from rbdtui.transport.scripts import script
from rbdtui.words import T

WORKER_LABEL: Final = "node-role.kubernetes.io/worker"
"""Rainbond's console lists nodes by role labels; RKE2 gives agents none (goodrain/rainbond-docs, cluster-connect)."""


def server_names(context: StepContext) -> list[str]:
    """Servers of the run that have an API server."""
    return [node.name for node in api_servers(context.spec) if context.takes_part(node.name)]


@dataclass(frozen=True, slots=True)
class LabelNode(Step):
    """Give a worker its role label."""

    name: ClassVar[str] = "node-labels"
    wait_s: ClassVar[float] = 180.0
    look_every_s: ClassVar[float] = 1.0

    async def pending(self, context: StepContext) -> Pending[bool]:
        """The one label; seen is whether the API knows the node."""
        answer = await nodes_seen_by_any(context, server_names(context))
        node = answer.nodes.get(self.node)
        evidence = answer.reason if node is None else str(sorted(node.labels))
        if node is not None and node.labels.get(WORKER_LABEL) == "true":
            return Pending(evidence=evidence, seen=True)
        command = f"kubectl label node {self.node} {WORKER_LABEL}=true --overwrite"
        change = Change(ChangeKind.COMMAND, T("plan.change.label", node=self.node, label=WORKER_LABEL), command)
        return Pending((change,), evidence, seen=node is not None)

    async def apply(self, context: StepContext, pending: Pending[bool]) -> None:
        """Label the node through the first server that answers, once the API knows it; raises `StepError`."""
        if not pending.seen:
            async with context.waiting():
                await asyncio.sleep(self.look_every_s)
                await wait_for(lambda: self._known(context), limit_s=self.wait_s, every_s=self.look_every_s)
        said = ""
        for server in server_names(context):
            done = await context.hosts[server].run(script("kube-label"), self.node, f"{WORKER_LABEL}=true")
            if done.ok:
                return
            said = done.error_text
        raise StepError("label_refused", node=self.node, label=WORKER_LABEL, evidence=said, retryable=True)

    async def _known(self, context: StepContext) -> StepError | None:
        """A server without an API may have started before there was one that its node could register with."""
        answer = await nodes_seen_by_any(context, server_names(context))
        if self.node in answer.nodes:
            return None
        evidence = answer.reason or f"node {self.node}: absent"
        return StepError("label_refused", node=self.node, label=WORKER_LABEL, evidence=evidence, retryable=True)


@dataclass(frozen=True, slots=True)
class ClusterProof(Gate):
    """Prove the whole: every node ready through the API's address, etcd as planned, one holder of the address."""

    name: ClassVar[str] = "cluster-proof"
    time_limit_s: ClassVar[float] = 300.0
    stall_s: ClassVar[float] = 240.0
    wait_s: ClassVar[float] = 180.0
    look_every_s: ClassVar[float] = 2.0

    async def pending(self, context: StepContext) -> Pending[None]:
        """What does not hold; when all does, whom a balancer leads to is told here already: nothing is left to do."""
        pending = await Gate.pending(self, context)
        if pending.is_done and context.run_id != NO_RUN_YET:
            await tell_led_to(context)
        return pending

    async def waiting_for(self, context: StepContext) -> StepError | None:
        """All that does not hold, which the log tells too."""
        wrong = await self._wrong(context)
        for line in wrong:
            context.report.line(line)
        return StepError("cluster_not_proven", evidence="\n".join(wrong), retryable=True) if wrong else None

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Wait until all of it holds; raises `StepError` with what does not."""
        await Gate.apply(self, context, pending)
        await tell_led_to(context)
        if not await _connects(str(context.spec.api_address), context.spec.kubernetes.api.port):
            context.report.note(T("plan.note.api_cut_off", url=api_url(context.spec)))

    async def _wrong(self, context: StepContext) -> list[str]:
        looks = [self._wrong_nodes(context), self._wrong_etcd(context)]
        if context.spec.has_vip:
            looks.append(self._wrong_holders(context))
        return [line for lines in await together(*looks) for line in lines]

    async def _wrong_nodes(self, context: StepContext) -> list[str]:
        """Asked through the API's fixed address, of the last server first: the first is likely to be its holder."""
        answer = None
        for server in reversed(server_names(context)):
            answer = await nodes_seen_by(context.hosts[server], api_url(context.spec))
            if answer.nodes:
                break
        if answer is None or not answer.nodes:
            return [f"{api_url(context.spec)}: {answer.reason if answer is not None else '-'}"]
        wrong = []
        for node in _nodes(context):
            seen = answer.nodes.get(node.name)
            if seen is None or not seen.is_ready:
                wrong.append(f"node {node.name}: {'absent' if seen is None else f'Ready={seen.ready}'}")
            elif seen.address != str(node.cluster_address):
                wrong.append(f"node {node.name}: address {seen.address}")
        return wrong

    async def _wrong_etcd(self, context: StepContext) -> list[str]:
        planned = [node for node in etcd_nodes(context.spec) if context.takes_part(node.name)]
        views = await together(*(etcd_seen_by(context.hosts[node.name]) for node in planned))
        by_node = list(zip(planned, views, strict=True))
        wrong = [line for node, view in by_node for line in etcd_faults(node, view, planned)]
        if len({view.leader for view in views if not view.errors}) > 1:
            wrong.append("etcd: " + ", ".join(f"{node.name} follows {view.leader}" for node, view in by_node))
        return wrong

    async def _wrong_holders(self, context: StepContext) -> list[str]:
        holders = await vip.look(context)
        if len(holders.names) == 1:
            return []
        return [f"{context.spec.gateway.vip}: {line}" for line in str(holders).splitlines()]


def _nodes(context: StepContext) -> list[Node]:
    return [node for node in context.spec.cluster_nodes if context.takes_part(node.name)]


def etcd_faults(node: Node, view: EtcdView, planned: Sequence[Node]) -> list[str]:
    """What is not as planned in etcd as one member sees it, raw."""
    if view.errors:
        return [f"etcd on {node.name}: {error}" for error in view.errors]
    faults = []
    expected = {str(member.cluster_address) for member in planned}
    seen = {member.peer_address for member in view.members}
    if seen != expected:
        faults.append(f"etcd on {node.name}: members {sorted(seen)}, planned {sorted(expected)}")
    faults += [f"etcd on {node.name}: {m.peer_address} not started" for m in view.members if not m.is_started]
    faults += [f"etcd on {node.name}: {m.peer_address} is a learner" for m in view.members if m.is_learner]
    if not view.has_leader:
        faults.append(f"etcd on {node.name}: no leader")
    return faults


async def _connects(address: str, port: int) -> bool:
    try:
        async with asyncio.timeout(3.0):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
