"""Source and replica of a pair: who is written to, what databases and accounts there are, and that all of it is copied.

A replica begins from where it is by its set of transactions (``AUTO_POSITION``), whatever binary logs are called; with
transactions of its own it would never be the same again, and is refused. Sources: MySQL reference manual 8.0, 17.1.3
(GTIDs), 13.4.2 (statements of replicas), 6.2 (accounts).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.waiting import wait_for
from rbdtui.probes.gtid import count_gtids, missing_gtids, shown_gtids
from rbdtui.probes.mysql_host_state import read_host_state
from rbdtui.probes.mysql_own import MysqlServerState, MysqlTalkError, Statement, carry_out, native_hash, read_server
from rbdtui.spec.model import ClusterSpec, Node
from rbdtui.spec.mysql_accounts import ADMIN_SECRET, DUMP, DUMP_SECRET, REPLICATION, REPLICATION_SECRET
from rbdtui.spec.sections.mysql import DATABASES
from rbdtui.spec.values import SECRET_PREFIX
from rbdtui.words import T

CHARSET: Final = "utf8mb4"
COLLATION: Final = "utf8mb4_unicode_ci"
_FORM: Final = f"CHARACTER SET {CHARSET} COLLATE {COLLATION}"
OPENED: Final = (Statement("SET PERSIST super_read_only = OFF"), Statement("SET PERSIST read_only = OFF"))
CLOSED: Final = (Statement("SET PERSIST super_read_only = ON"),)
_CATCH_UP_S: Final = 300.0
_LOOK_EVERY_S: Final = 2.0


def pair_of(spec: ClusterSpec) -> tuple[Node, Node]:
    """Source and replica; raises `StepError` where the plan has none."""
    pair = spec.mysql_pair
    if pair is None:
        raise StepError("mysql_no_pair")
    return pair


async def server_state(context: StepContext, node: str) -> MysqlServerState:
    """A server as its administrator sees it; raises `StepError`."""
    try:
        return await read_server(context.hosts[node], context.spec.mysql.port, context.secret(ADMIN_SECRET))
    except MysqlTalkError as error:
        raise _told(node, error) from error


async def send(context: StepContext, node: str, statements: Sequence[Statement]) -> None:
    """Carry statements out on a server; raises `StepError` with its words."""
    try:
        await carry_out(context.hosts[node], context.spec.mysql.port, context.secret(ADMIN_SECRET), statements)
    except MysqlTalkError as error:
        raise _told(node, error) from error


def _told(node: str, error: MysqlTalkError) -> StepError:
    return StepError("mysql_refused", node=node, evidence=f"{error.number or ''} {error}".strip(), retryable=True)


def changes_of(node: str, statements: Sequence[Statement]) -> tuple[Change, ...]:
    """Each statement as it may be seen."""
    title = T("plan.change.mysql", node=node)
    return tuple(Change(ChangeKind.COMMAND, title, f"{statement.shown};") for statement in statements)


@dataclass(frozen=True, slots=True)
class _Account:
    """An account on the source, which copies have as well."""

    user: str
    host: str
    secret: str
    grants: Mapping[str, str]
    """Its rights, by the database that they are for; ``*`` for all."""

    def statements(self, state: MysqlServerState | None, password: str) -> Iterator[Statement]:
        """What brings it about; nothing where it is there with its password and rights everywhere."""
        name, who, kept = f"{self.user}@{self.host}", f"'{self.user}'@'{self.host}'", native_hash(password)
        present = state.accounts.get(name) if state is not None else None
        if present != kept:
            said = f"{'CREATE' if present is None else 'ALTER'} USER {who} IDENTIFIED WITH mysql_native_password AS "
            yield Statement(f"{said}'secret:{self.secret}'", said.replace("%", "%%") + "%s", (kept,))
        for place, right in self.grants.items():
            if state is None or (name, place) not in state.rights:
                yield Statement(f"GRANT {right} ON {place if place == '*' else f'`{place}`'}.* TO {who}")


def accounts(spec: ClusterSpec) -> Iterator[_Account]:
    """Rainbond's own, that of the copies from either server, as roles may change, and that of the dumps."""
    mysql = spec.mysql
    secret = (mysql.password or "").removeprefix(SECRET_PREFIX)
    yield _Account(mysql.username or "", "%", secret, dict.fromkeys(DATABASES, "ALL PRIVILEGES"))
    for node in pair_of(spec):
        yield _Account(
            REPLICATION, str(node.cluster_address), REPLICATION_SECRET, {"*": "REPLICATION SLAVE"}
        )  # fmt: skip
    reads = "SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES, PROCESS"
    yield _Account(DUMP, "127.0.0.1", DUMP_SECRET, {"*": reads})


@dataclass(frozen=True, slots=True)
class MysqlSource(Step):
    """The source is written to, and has both databases and all accounts."""

    name: ClassVar[str] = "mysql-source"

    async def pending(self, context: StepContext) -> Pending[tuple[Statement, ...]]:
        """What is lacking; all of it while there is no server. Raises `StepError` for a server that copies another."""
        state = None
        if (await read_host_state(context.hosts[self.node])).site:
            state = await server_state(context, self.node)
            if state.replication is not None:
                source, replica = pair_of(context.spec)
                raise StepError(
                    "mysql_roles", node=self.node, copied=state.replication.source, source=source.name,
                    replica=replica.name, evidence=state.evidence(),
                )  # fmt: skip
            if state.super_read_only:
                await _refuse_promoted(context)
        statements = tuple(_lacking(context, state))
        evidence = state.evidence() if state is not None else ""
        return Pending(changes_of(self.node, statements), evidence, seen=statements)

    async def apply(self, context: StepContext, pending: Pending[tuple[Statement, ...]]) -> None:
        """Carry it out; raises `StepError`."""
        await send(context, self.node, pending.seen)


async def _refuse_promoted(context: StepContext) -> None:
    """Raise `StepError` when the replica is written to and copies nobody: opening the source would make two of them."""
    source, replica = pair_of(context.spec)
    if not (await read_host_state(context.hosts[replica.name])).site:
        return
    below = await server_state(context, replica.name)
    if not below.super_read_only and below.replication is None:
        raise StepError("mysql_promoted", source=source.name, replica=replica.name, evidence=below.evidence())


def _lacking(context: StepContext, state: MysqlServerState | None) -> Iterator[Statement]:
    if state is None or state.super_read_only:
        yield from OPENED
    for name in DATABASES:
        present = state.databases.get(name) if state is not None else None
        if present is None:
            yield Statement(f"CREATE DATABASE `{name}` {_FORM}")
        elif present[:2] != (CHARSET, COLLATION):
            yield Statement(f"ALTER DATABASE `{name}` {_FORM}")
    for account in accounts(context.spec):
        yield from account.statements(state, context.secret(account.secret))


@dataclass(frozen=True, slots=True)
class MysqlReplica(Step):
    """The replica takes no writes but those of the source, and has all of them."""

    name: ClassVar[str] = "mysql-replica"
    time_limit_s: ClassVar[float] = _CATCH_UP_S + 120.0
    stall_s: ClassVar[float] = _CATCH_UP_S

    async def pending(self, context: StepContext) -> Pending[tuple[Statement, ...]]:
        """What makes it copy; raises `StepError` when it can never be the same as the source."""
        source, replica = pair_of(context.spec)
        is_there = [(await read_host_state(context.hosts[node.name])).site for node in (source, replica)]
        if not all(is_there):
            statements = _copying(context, None, None)
            return Pending(changes_of(self.node, statements), seen=statements)
        above, below = await _both(context)
        evidence = f"{source.name}: {above.evidence()}\n{replica.name}: {below.evidence()}"
        if _is_old_source(above, below):  # whatever comes of it, nobody writes to both
            statements = (*CLOSED, *_copying(context, above, replace(below, super_read_only=True)))
        else:
            _refuse_apart(source.name, replica.name, above, below)
            statements = _copying(context, above, below)
        return Pending(changes_of(self.node, statements), evidence, seen=statements)

    async def apply(self, context: StepContext, pending: Pending[tuple[Statement, ...]]) -> None:
        """Have it copy, and wait until it has all that the source had; raises `StepError`."""
        if pending.seen[: len(CLOSED)] == CLOSED:
            source, replica = pair_of(context.spec)
            await send(context, self.node, CLOSED)
            _refuse_apart(source.name, replica.name, *await _both(context))
        if pending.seen:
            await send(context, self.node, pending.seen)
        await wait_for(lambda: behind(context), limit_s=_CATCH_UP_S, every_s=_LOOK_EVERY_S)

    async def verify(self, context: StepContext) -> None:
        """Both threads run, and both databases have come over; raises `StepError`."""
        error = await behind(context)
        if error is not None:
            raise error
        await Step.verify(self, context)


async def _both(context: StepContext) -> tuple[MysqlServerState, MysqlServerState]:
    """Source and replica; the replica is asked first, so that what comes meanwhile does not look like its own."""
    source, replica = pair_of(context.spec)
    below = await server_state(context, replica.name)
    return await server_state(context, source.name), below


async def behind(context: StepContext) -> StepError | None:
    """What the replica lacks of the source, and why; None when it has all and its threads run."""
    source, replica = pair_of(context.spec)
    above = await server_state(context, source.name)
    below = await server_state(context, replica.name)
    copying = below.replication
    left = below.lacks(above)
    if copying is not None and copying.runs and not left and set(DATABASES) <= set(below.databases):
        return None
    evidence = f"{source.name}: {above.evidence()}\n{replica.name}: {below.evidence()}"
    return StepError(
        "mysql_behind", node=replica.name, source=source.name, count=count_gtids(left), evidence=evidence,
        retryable=True,
    )  # fmt: skip


def _refuse_apart(source: str, replica: str, above: MysqlServerState, below: MysqlServerState) -> None:
    """Raise `StepError` when the replica has what the source has not, or needs what the source no longer has."""
    if above.uuid == below.uuid:
        raise StepError("mysql_same_uuid", source=source, replica=replica, evidence=above.uuid)
    own = missing_gtids(below.executed, above.executed)
    if own and above.replication is None:
        raise StepError(
            "mysql_diverged", source=source, replica=replica, count=count_gtids(own), evidence=shown_gtids(own)
        )
    if gone := missing_gtids(above.purged, below.executed):
        raise StepError("mysql_purged", source=source, replica=replica, evidence=shown_gtids(gone))


def _is_old_source(above: MysqlServerState, below: MysqlServerState) -> bool:
    """Whether the replica of the plan is a source that came back after a failover, and is written to like the new one.

    The new one has copied from it, and it has nothing of the new one. Where it has, and writes of its own too, either
    may be the one that Rainbond uses, as when a failover was cut off.
    """
    if below.replication is not None or below.super_read_only or above.super_read_only:
        return False
    old, new = below.uuid.lower(), above.uuid.lower()
    return not missing_gtids(below.executed, above.executed) or (old in above.executed and new not in below.executed)


def _copying(
    context: StepContext, above: MysqlServerState | None, below: MysqlServerState | None
) -> tuple[Statement, ...]:
    """Statements that make the replica copy from the source, as far as it does not."""
    source, _ = pair_of(context.spec)
    address, port = str(source.cluster_address), context.spec.mysql.port
    words = (below or _OLDEST).words
    statements = [] if below is not None and below.super_read_only else list(CLOSED)
    copying = below.replication if below is not None else None
    if copying is not None and copying.source == f"{address}:{port}" and copying.auto_position:
        if not copying.runs:
            statements += [Statement(f"STOP {words.replica}"), Statement(f"START {words.replica}")]
        return tuple(statements)
    if copying is not None:
        statements += [Statement(f"STOP {words.replica}"), Statement(f"RESET {words.replica} ALL")]
    tls = above is not None and above.has_tls
    secret = context.secret(REPLICATION_SECRET)
    statements.append(words.copy_from(address, port, REPLICATION, secret, REPLICATION_SECRET, tls=tls))
    statements.append(Statement(f"START {words.replica}"))
    return tuple(statements)


_OLDEST: Final = MysqlServerState("8.0.23", "", True, True, {}, {}, True, 0)
"""What is shown before there is a server: how 8.0.23 and later name it."""
