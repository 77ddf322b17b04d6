"""A MySQL server on a host: settings that source and replica share, its administrator, and the nightly dump.

Which of the two is written to stands in no file: both begin read-only, and the servers keep it themselves
(``SET PERSIST``), so that roles change without a restart. The administrator is made by ``init_file``, which a server
reads at every start before it lets anybody in: it needs no first password, whatever the packages have set.
Sources: MySQL reference manual 8.0, 5.1.7 (init_file, super_read_only), 5.1.9.3 (persisted variables), 17.1.6.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.plan.content import Content, SecretRef, fill_asset
from rbdtui.plan.resources.base import Resource, Target
from rbdtui.plan.resources.files import ManagedFile, header
from rbdtui.plan.resources.units import RunningUnit, digest_of, unit_action
from rbdtui.plan.step import Change, ChangeKind, Pending, StepContext, StepError
from rbdtui.plan.steps.base import StepOfResources
from rbdtui.probes.mysql_host_state import MysqlHostState, read_host_state
from rbdtui.probes.mysql_own import native_hash
from rbdtui.probes.mysql_semi_sync import semi_sync_names
from rbdtui.spec.mysql_accounts import ADMIN, ADMIN_SECRET, DUMP, DUMP_SECRET
from rbdtui.words import T

DUMP_SCRIPT: Final = "/usr/local/sbin/rbdtui-mysql-dump"
DUMP_SERVICE: Final = "mysql-dump-rbdtui.service"
DUMP_TIMER: Final = "mysql-dump-rbdtui.timer"
_UNITS: Final = "/etc/systemd/system"
_DUMP_LIMIT_S: Final = 1800.0
"""Of the first one: Rainbond has written nothing yet, or what a small site has."""


def init_file(config: str) -> str:
    """Where the administrator's statements lie: where AppArmor lets the server read, and no ``!includedir`` looks."""
    return posixpath.join(posixpath.dirname(config), "rbdtui-mysql.sql")


def dump_options(config: str) -> str:
    """Where the password of the dumps lies, for root alone."""
    return posixpath.join(posixpath.dirname(config), "rbdtui-mysql-dump")


def refuse_unfit(node: str, state: MysqlHostState) -> None:
    """Raise `StepError` for a server of another kind, and for one whose data are not this site's to touch."""
    if not state.is_good_version:
        raise StepError("mysql_version", node=node, version=state.program, evidence=state.evidence())
    if state.databases and not state.site:
        names = ", ".join(state.databases)
        raise StepError("mysql_foreign", node=node, databases=names, evidence=state.evidence())


@dataclass(frozen=True, slots=True)
class MysqlServer(StepOfResources):
    """MySQL runs with the settings of the pair, and lets its administrator in."""

    name: ClassVar[str] = "mysql-server"
    time_limit_s: ClassVar[float] = 900.0

    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """Settings and administrator before the first start; raises `StepError` for a server that is somebody's."""
        spec, node = context.spec, context.spec.node(self.node)
        state = await read_host_state(context.hosts[self.node])
        refuse_unfit(self.node, state)
        values: dict[str, str | SecretRef] = {
            "header": header(spec.name),
            # Distinct by how addresses are, and the same whoever is the source.
            "server_id": str(int(node.cluster_address)),
            "address": str(node.cluster_address),
            "port": str(spec.mysql.port),
            "init_file": init_file(state.config),
            "semi_sync": semi_sync_names(state.version).settings(),
        }
        config = fill_asset("mysql.cnf", values, context.secret)
        first = _administrator(context)
        return (
            ManagedFile(init_file(state.config), first, mode=0o640, owner="root:mysql"),
            ManagedFile(state.config, config),
            RunningUnit(state.unit, digest_of([config, first]), restarts=True),
        )


def _administrator(context: StepContext) -> Content:
    values: dict[str, str | SecretRef] = {"header": header(context.spec.name), "admin": ADMIN}
    values["hash"] = SecretRef(ADMIN_SECRET)
    return fill_asset("mysql-init.sql", values, lambda name: native_hash(context.secret(name)))


@dataclass(frozen=True, slots=True)
class MysqlDump(StepOfResources):
    """The databases are dumped every night, and once now on the replica."""

    name: ClassVar[str] = "mysql-dump"
    time_limit_s: ClassVar[float] = _DUMP_LIMIT_S + 120.0
    stall_s: ClassVar[float] = 600.0

    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """The timer, and a first dump where there is none."""
        spec = context.spec
        state = await read_host_state(context.hosts[self.node])
        options = dump_options(state.config)
        values: dict[str, str | SecretRef] = {"header": header(spec.name), "options": options, "script": DUMP_SCRIPT}
        values |= {"user": DUMP, "password": SecretRef(DUMP_SECRET), "port": str(spec.mysql.port)}
        program, service, timer = (
            fill_asset(f"mysql-dump.{kind}", values, context.secret) for kind in ("sh", "service", "timer")
        )
        pair = spec.mysql_pair
        is_replica = pair is not None and pair[1].name == self.node
        return (
            ManagedFile(options, fill_asset("mysql-dump.cnf", values, context.secret), mode=0o600),
            ManagedFile(DUMP_SCRIPT, program, mode=0o700),
            ManagedFile(f"{_UNITS}/{DUMP_SERVICE}", service),
            ManagedFile(f"{_UNITS}/{DUMP_TIMER}", timer),
            RunningUnit(DUMP_TIMER, digest_of([program, service, timer]), restarts=True),
            *((FirstDump(),) if is_replica else ()),
        )


@dataclass(frozen=True, slots=True)
class FirstDump:
    """A dump is there: that it can be made is shown before it is needed."""

    async def pending(self, target: Target) -> Pending[None]:
        """One dump, unless there is any."""
        if (await read_host_state(target.host)).dumps:
            return Pending()
        return Pending((Change(ChangeKind.COMMAND, T("plan.change.mysql_dump"), f"systemctl start {DUMP_SERVICE}"),))

    async def settle(self, target: Target, pending: Pending[None]) -> None:
        """Make it, and look whether it came about; raises `StepError`."""
        await unit_action(target.host, DUMP_SERVICE, "daemon-reload", "start", timeout_s=_DUMP_LIMIT_S)
        state = await read_host_state(target.host)
        if not state.dumps:
            raise StepError("mysql_no_dump", node=target.host.name, evidence=state.evidence())
