"""A node that leaves the cluster: drained, deleted, and with etcd its member gone, which RKE2 sees to.

RKE2 keeps a finalizer on every node; once the node is deleted its controllers remove the member of etcd and the Secret
that guards the name (k3s-io/k3s, pkg/etcd/member_controller.go and pkg/node/controller.go). The node's own RKE2 must
not run then: a member that finds itself removed would come again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

from rbdtui.plan.cluster import api_servers, etcd_nodes
from rbdtui.plan.kube import etcd_seen_by, nodes_seen_by
from rbdtui.plan.plan_file import Edited, pending_edit, read_plan, write_plan
from rbdtui.plan.step import Change, ChangeKind, Gate, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.finish import etcd_faults
from rbdtui.site import SPEC_NAME
from rbdtui.spec.edit import RemoveNode
from rbdtui.together import together
from rbdtui.transport.base import CommandResult, Host, TransportError
from rbdtui.transport.scripts import script
from rbdtui.words import T, Text

DRAIN_LIMIT_S: Final = 300
_DELETE_LIMIT_S: Final = 90.0


@dataclass(frozen=True, slots=True)
class ApiStep(Step):
    """A step about a node that is done on another server, which stays."""

    leaving: str = field(kw_only=True)
    """The node."""

    @property
    def id(self) -> str:
        """One for each node that it is about."""
        return f"{self.name}-{self.leaving}"

    def servers(self, context: StepContext) -> list[Host]:
        """Those with an API that stay."""
        names = [node.name for node in api_servers(context.spec) if node.name != self.leaving]
        return [context.hosts[name] for name in names if context.takes_part(name)]

    async def on_a_server(self, context: StepContext, name: str, *args: str, limit_s: float = 30.0) -> CommandResult:
        """Run a script on the first server whose API answers it; raises `StepError` with the last one's words."""
        said = ""
        for host in self.servers(context):
            try:
                done = await host.run(script(name), *args, timeout_s=limit_s, on_line=context.report.line)
            except TransportError as error:
                said = str(error)
                continue
            if done.ok:
                return done
            said = done.error_text or done.text
        raise StepError("leave_refused", node=self.leaving, evidence=said, retryable=True)


@dataclass(frozen=True, slots=True)
class DrainNode(ApiStep):
    """Have what runs on the node run elsewhere, if it is alive; a dead one has nothing left to move."""

    name: ClassVar[str] = "leave-drain"
    time_limit_s: ClassVar[float] = DRAIN_LIMIT_S + 120.0
    stall_s: ClassVar[float] = 240.0
    skippable: ClassVar[bool] = True

    async def pending(self, context: StepContext) -> Pending[None]:
        """kubectl's command, while the node is ready; raises `StepError` when no API answers."""
        for host in self.servers(context):
            answer = await nodes_seen_by(host)
            if answer.nodes:
                node = answer.nodes.get(self.leaving)
                if node is None or not node.is_ready:
                    return Pending(evidence=f"{self.leaving}: {'absent' if node is None else node.ready}")
                command = f"kubectl drain {self.leaving} --ignore-daemonsets --delete-emptydir-data --force"
                return Pending((Change(ChangeKind.COMMAND, T("plan.change.drain", node=self.leaving), command),))
        raise StepError("leave_refused", node=self.leaving, retryable=True)

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Drain it; raises `StepError` when a budget or a slow pod holds it up for too long."""
        limit = str(DRAIN_LIMIT_S)
        await self.on_a_server(context, "kube-drain", self.leaving, limit, limit_s=DRAIN_LIMIT_S + 60.0)

    async def verify(self, context: StepContext) -> None:
        """kubectl's own end was the proof: the node stays ready."""


@dataclass(frozen=True, slots=True)
class ForgetNode(ApiStep):
    """Delete the node."""

    name: ClassVar[str] = "leave-delete"
    time_limit_s: ClassVar[float] = 2 * _DELETE_LIMIT_S

    async def pending(self, context: StepContext) -> Pending[None]:
        """The node and the Secret that guards its name, as far as they are there."""
        there = await _there(self, context)
        if not there:
            return Pending()
        command = f"kubectl delete node {self.leaving}"
        return Pending((Change(ChangeKind.COMMAND, T("plan.change.node_deleted", node=self.leaving), command),))

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Delete both; raises `StepError`."""
        await self.on_a_server(context, "kube-forget-node", "delete", self.leaving, limit_s=_DELETE_LIMIT_S)

    async def verify(self, context: StepContext) -> None:
        """The gate behind it waits until it is gone."""


async def _there(step: ApiStep, context: StepContext) -> list[str]:
    """What the API still has of the node."""
    text = (await step.on_a_server(context, "kube-forget-node", "look", step.leaving)).text
    return [line.partition(" ")[0] for line in text.splitlines() if line.endswith(" yes")]


@dataclass(frozen=True, slots=True)
class NodeGone(Gate, ApiStep):
    """Neither the API nor etcd knows the node any more."""

    name: ClassVar[str] = "leave-proof"
    time_limit_s: ClassVar[float] = 300.0
    stall_s: ClassVar[float] = 240.0
    wait_s: ClassVar[float] = 240.0
    look_every_s: ClassVar[float] = 2.0

    async def waiting_for(self, context: StepContext) -> StepError | None:
        """What is still there, and what is not well with the members that stay."""
        wrong = [f"{what} {self.leaving}" for what in await _there(self, context)]
        members = [node for node in etcd_nodes(context.spec) if node.name != self.leaving]
        views = await together(*(etcd_seen_by(context.hosts[node.name]) for node in members))
        for node, view in zip(members, views, strict=True):
            wrong += etcd_faults(node, view, members)
        return (
            StepError("leave_not_gone", node=self.leaving, evidence="\n".join(wrong), retryable=True) if wrong else None
        )


@dataclass(frozen=True, slots=True)
class LeavePlan(ApiStep):
    """Take the node out of cluster.yaml, which keeps its comments: the plan is what is there."""

    name: ClassVar[str] = "leave-plan"
    skippable: ClassVar[bool] = True

    async def pending(self, context: StepContext) -> Pending[Edited]:
        """The difference of the file as it is now; raises `StepError` when the node cannot be taken out safely."""
        loaded = await read_plan(context)
        nodes = loaded.data.get("nodes") if loaded.data is not None else ()
        listed = nodes if isinstance(nodes, list) else ()
        if loaded.data is not None and not any(_name_of(node) == self.leaving for node in listed):
            return Pending(evidence=f"{SPEC_NAME}: no {self.leaving}")
        title = T("plan.change.out_of_plan", node=self.leaving, file=SPEC_NAME)
        return pending_edit(loaded, [RemoveNode(self.leaving)], title, self._not_edited)

    async def apply(self, context: StepContext, pending: Pending[Edited]) -> None:
        """Write it, with what was there as .bak beside it; raises `StepError`."""
        await write_plan(context, pending.seen, self._not_edited)

    def _not_edited(self, reason: Text) -> StepError:
        return StepError("leave_not_edited", node=self.leaving, reason=reason, retryable=True)


def _name_of(node: object) -> object:
    return node.get("name") if isinstance(node, dict) else None
