"""The replica of a MySQL pair becomes the source, when somebody has decided that: writes stop before, and go on after.

Rainbond's operator would put workloads back that are scaled down, so it stops first and starts last; what it finds then
in RainbondCluster it carries to all of them (see `rbdtui.rainbond.shown`). Nothing here needs the offline packages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from rbdtui.plan.plan_file import Edited, pending_edit, read_plan, write_plan
from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.mysql_pair import CLOSED, OPENED, changes_of, pair_of, send, server_state
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.plan.steps.scaling import LOOK_EVERY_S, STOP_S, Workload, scaled, start, stop, workloads
from rbdtui.plan.waiting import wait_for
from rbdtui.probes.gtid import count_gtids, missing_gtids, shown_gtids
from rbdtui.probes.mysql_own import MysqlServerState, Statement
from rbdtui.rainbond.workloads import CLUSTER_PATH, OPERATOR, Json, Seen
from rbdtui.site import SPEC_NAME
from rbdtui.spec.edit import SetField
from rbdtui.words import T, Text

_DATABASES: Final = ("regionDatabase", "uiDatabase")
_DSN: Final = re.compile(r"@tcp\(([^():]+):")
_START_S: Final = 900.0
_CATCH_UP_S: Final = 300.0


def database_hosts(workload: Json) -> set[str]:
    """Where the containers of a workload look for their databases: in an argument, or in a variable."""
    template = ((workload.get("spec") or {}).get("template") or {}).get("spec") or {}
    found: set[str] = set()
    for container in template.get("containers") or ():
        found |= set(_DSN.findall(json.dumps([container.get("args"), container.get("command")])))
        found |= {str(each.get("value")) for each in container.get("env") or () if each.get("name") == "MYSQL_HOST"}
    return found


@dataclass(frozen=True, slots=True)
class _Failover(Step):
    """A step between the old source and the new one; the spec names both as they were."""

    silent: bool = field(kw_only=True)
    """Whether the old source does not answer."""

    def addresses(self, context: StepContext) -> tuple[str, str]:
        """Of the old source and of the new one."""
        source, replica = pair_of(context.spec)
        return str(source.cluster_address), str(replica.cluster_address)


@dataclass(frozen=True, slots=True)
class StopWriters(_Failover):
    """Rainbond's operator and whatever has connections to the databases stand still."""

    name: ClassVar[str] = "failover-stop"
    time_limit_s: ClassVar[float] = 2 * STOP_S + 60.0
    stall_s: ClassVar[float] = STOP_S

    async def pending(self, context: StepContext) -> Pending[list[Workload]]:
        """Those that run and look at the old source; the operator first."""
        if not has_api(context):
            return Pending(seen=[])
        async with open_api(context) as api:
            running = _writers(await scaled(api.kube), self.addresses(context)[0])
        return Pending(tuple(each.change(0) for each in running), seen=running)

    async def apply(self, context: StepContext, pending: Pending[list[Workload]]) -> None:
        """One after the other, each until its pods are gone; raises `StepError`."""
        async with open_api(context) as api:
            await stop(api.kube, pending.seen, "failover_pods")


def _writers(seen: Seen, old: str) -> list[Workload]:
    writers = [each for each in workloads(seen) if old in database_hosts(each.item)]
    operator = [each for each in workloads(seen) if each.name == OPERATOR] if writers else []
    return [each for each in (*operator, *writers) if each.replicas]


@dataclass(frozen=True, slots=True)
class CloseSource(_Failover):
    """Nobody writes to the old source any more, if it lives, and the replica has all that it is to have."""

    name: ClassVar[str] = "failover-close"
    time_limit_s: ClassVar[float] = _CATCH_UP_S + 120.0
    stall_s: ClassVar[float] = _CATCH_UP_S

    async def pending(self, context: StepContext) -> Pending[tuple[Statement, ...]]:
        """Closing the old source, and what the replica has still to carry out; raises `StepError`."""
        source, _ = pair_of(context.spec)
        statements: tuple[Statement, ...] = ()
        if not self.silent and not (await server_state(context, source.name)).super_read_only:
            statements = CLOSED
        error = await self._behind(context)
        return Pending(
            changes_of(source.name, statements), error.evidence if error else "", waits=error, seen=statements
        )

    async def apply(self, context: StepContext, pending: Pending[tuple[Statement, ...]]) -> None:
        """Close it, and wait for the replica; raises `StepError`."""
        if pending.seen:
            await send(context, pair_of(context.spec)[0].name, pending.seen)
        await wait_for(lambda: self._behind(context), limit_s=_CATCH_UP_S, every_s=LOOK_EVERY_S)

    async def _behind(self, context: StepContext) -> StepError | None:
        source, replica = pair_of(context.spec)
        below = await server_state(context, replica.name)
        if below.replication is None:
            if below.super_read_only:
                raise StepError("failover_no_copy", node=replica.name, evidence=below.evidence())
            return None  # it has been made the source by an earlier run that was cut off
        left = missing_gtids(below.replication.retrieved, below.executed)
        if not self.silent:
            above = await server_state(context, source.name)
            left = below.lacks(above)
        if not left:
            return None
        evidence = f"{below.evidence()}\n{shown_gtids(left)}"
        return StepError(
            "failover_behind", node=replica.name, count=count_gtids(left), evidence=evidence, retryable=True
        )


@dataclass(frozen=True, slots=True)
class PromoteReplica(_Failover):
    """The replica copies nobody any more, and is written to."""

    name: ClassVar[str] = "failover-promote"

    async def pending(self, context: StepContext) -> Pending[tuple[Statement, ...]]:
        """What makes it the source."""
        _, replica = pair_of(context.spec)
        state = await server_state(context, replica.name)
        statements = tuple(_promoting(state))
        return Pending(changes_of(replica.name, statements), state.evidence(), seen=statements)

    async def apply(self, context: StepContext, pending: Pending[tuple[Statement, ...]]) -> None:
        """Carry it out; raises `StepError`."""
        await send(context, pair_of(context.spec)[1].name, pending.seen)


def _promoting(state: MysqlServerState) -> Sequence[Statement]:
    words = state.words.replica
    copying = state.replication is not None
    return [
        *((Statement(f"STOP {words}"), Statement(f"RESET {words} ALL")) if copying else ()),
        *(OPENED if state.super_read_only else ()),
    ]


@dataclass(frozen=True, slots=True)
class SwitchAddress(_Failover):
    """Rainbond is told that its databases are at the new source."""

    name: ClassVar[str] = "failover-switch"

    async def pending(self, context: StepContext) -> Pending[dict[str, Any]]:
        """The address in RainbondCluster, where it is the old one."""
        if not has_api(context):
            return Pending(seen={})
        old, new = self.addresses(context)
        async with open_api(context) as api:
            found = await api.kube.find(CLUSTER_PATH)
        spec = (found or {}).get("spec") or {}
        told = [name for name in _DATABASES if str((spec.get(name) or {}).get("host")) == old]
        title = T("plan.change.database_address", old=old, new=new)
        changes = tuple(Change(ChangeKind.COMMAND, title, f"{name}.host: {old} -> {new}") for name in told)
        return Pending(changes, seen={name: {"host": new} for name in told})

    async def apply(self, context: StepContext, pending: Pending[dict[str, Any]]) -> None:
        """Patch it; raises `StepError`."""
        async with open_api(context) as api:
            await api.kube.patch(CLUSTER_PATH, {"spec": pending.seen})


@dataclass(frozen=True, slots=True)
class StartWriters(_Failover):
    """The operator carries the address to all workloads, which run again as many as before."""

    name: ClassVar[str] = "failover-start"
    time_limit_s: ClassVar[float] = 2 * _START_S + 60.0
    stall_s: ClassVar[float] = _START_S

    async def pending(self, context: StepContext) -> Pending[list[Workload]]:
        """Those that were stopped; while nothing is switched yet, those that will be."""
        if not has_api(context):
            return Pending(seen=[])
        old, _ = self.addresses(context)
        async with open_api(context) as api:
            seen = await scaled(api.kube)
        stopped = [each for each in workloads(seen) if each.kept is not None and not each.replicas]
        planned = {each.path: each for each in (*stopped, *_writers(seen, old))}
        changes = tuple(each.change(each.kept or each.replicas) for each in planned.values())
        waits = None if planned or self._is_up(seen, old) is None else self._is_up(seen, old)
        return Pending(changes, waits=waits, seen=list(planned.values()))

    async def apply(self, context: StepContext, pending: Pending[list[Workload]]) -> None:
        """The operator first; then whatever it has not started itself. Raises `StepError`."""
        old, _ = self.addresses(context)
        async with open_api(context) as api:
            await start(api.kube, [each for each in pending.seen if each.name == OPERATOR])

            async def carried() -> StepError | None:
                late = [each.name for each in workloads(await scaled(api.kube)) if old in database_hosts(each.item)]
                return StepError("failover_address", names=", ".join(late), retryable=True) if late else None

            async def up() -> StepError | None:
                return self._is_up(await scaled(api.kube), old)

            await wait_for(carried, limit_s=_START_S, every_s=LOOK_EVERY_S)
            seen = await scaled(api.kube)
            await start(api.kube, [each for each in workloads(seen) if each.kept is not None])
            await wait_for(up, limit_s=_START_S, every_s=LOOK_EVERY_S)

    @staticmethod
    def _is_up(seen: Seen, old: str) -> StepError | None:
        users = [each for each in workloads(seen) if database_hosts(each.item) or each.name == OPERATOR]
        late = [
            each.name
            for each in users
            if old in database_hosts(each.item)
            or int((each.item.get("status") or {}).get("readyReplicas") or 0) < max(1, each.replicas)
        ]
        return StepError("failover_not_up", names=", ".join(late), retryable=True) if late else None


@dataclass(frozen=True, slots=True)
class ExchangeRoles(_Failover):
    """cluster.yaml names the source and the replica as they are now; last of all, so that a cut-off run goes on."""

    name: ClassVar[str] = "failover-plan"

    async def pending(self, context: StepContext) -> Pending[Edited]:
        """The difference of the file as it is now; raises `StepError` when it cannot be changed safely."""
        source, replica = pair_of(context.spec)
        loaded = await read_plan(context)
        mysql = loaded.data.get("mysql") if loaded.data is not None else None
        if isinstance(mysql, dict) and mysql.get("source") == replica.name:
            return Pending(evidence=f"{SPEC_NAME}: {replica.name}")
        edits = [SetField("mysql.source", replica.name), SetField("mysql.replica", source.name)]
        title = T("plan.change.roles", source=replica.name, replica=source.name, file=SPEC_NAME)
        return pending_edit(loaded, edits, title, _not_edited)

    async def apply(self, context: StepContext, pending: Pending[Edited]) -> None:
        """Write it, with what was there as .bak beside it; raises `StepError`."""
        await write_plan(context, pending.seen, _not_edited)


def _not_edited(reason: Text) -> StepError:
    return StepError("failover_not_edited", reason=reason, retryable=True)
