"""What a failover of the MySQL pair would be started with: both servers asked, and what stands against it."""

from __future__ import annotations

from dataclasses import dataclass

from rbdtui.engine.inputs import Purpose, PurposeKind
from rbdtui.errors import NotNowError, StepError
from rbdtui.plan.recipes.failover import RECIPE, REPLICA, SILENT, SOURCE
from rbdtui.probes.mysql_own import MysqlServerState, MysqlTalkError, read_server
from rbdtui.session import Session
from rbdtui.site import SiteError
from rbdtui.spec.mysql_accounts import ADMIN_SECRET
from rbdtui.transport.base import Host, TransportError
from rbdtui.words import T, Text


@dataclass(frozen=True, slots=True)
class Failover:
    """What it would be."""

    purpose: Purpose
    silent: Text | None
    """Why the source does not answer; None when it does, and nothing is lost."""
    acknowledged: bool = False
    """Whether the replica was to acknowledge what the source wrote, when it was last connected."""

    @property
    def warning(self) -> Text | None:
        """What is lost with a source that does not answer; None when it does."""
        if self.silent is None:
            return None
        node = self.purpose.arguments[SOURCE]
        if self.acknowledged:
            return T("failover.silent_acknowledged", node=node, reason=self.silent)
        return T("failover.silent", node=node, reason=self.silent)


async def look_at_failover(session: Session) -> Failover:
    """Ask both servers.

    Raises `SiteError`, `NotNowError` before there is a pair, and `StepError` when the replica cannot take over.
    """
    pair = session.spec.mysql_pair
    if pair is None:
        raise SiteError(T("failover.no_pair"))
    source, replica = pair
    if not session.site.vault_file.exists() or ADMIN_SECRET not in session.unlock():  # made by the run that makes it
        raise NotNowError(T("failover.not_made"))
    port, password = session.spec.mysql.port, session.secret(ADMIN_SECRET)
    async with session.hosts() as hosts:
        above = await _asked(hosts[source.name], port, password)
        below = await _asked(hosts[replica.name], port, password)
    if isinstance(below, Text):
        raise StepError("failover_no_replica", node=replica.name, reason=below)
    if below.replication is None and below.super_read_only:
        raise StepError("failover_no_copy", node=replica.name, evidence=below.evidence())
    silent = above if isinstance(above, Text) else None
    arguments = {SOURCE: source.name, REPLICA: replica.name, SILENT: "" if silent is None else "yes"}
    purpose = Purpose(PurposeKind.RECIPE, recipe=RECIPE.name, arguments=arguments)
    return Failover(purpose, silent, acknowledged=bool(below.semi_sync.acknowledges))


async def _asked(host: Host, port: int, password: str) -> MysqlServerState | Text:
    try:
        return await read_server(host, port, password)
    except TransportError as error:
        return error.text
    except MysqlTalkError as error:
        return T("failover.words", words=str(error))
