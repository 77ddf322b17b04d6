"""An audit on the screen: of a site that is only compared, asked of its servers in the background."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from rbdtui.audit.audit import Audit, audit_site

if TYPE_CHECKING:
    from rbdtui.workbench.workbench import Workbench


def is_audited(workbench: Workbench) -> bool:
    """Whether the site is one that is compared, and not installed."""
    spec = workbench.draft.spec
    return spec is not None and spec.profile.audit_only


def look(workbench: Workbench) -> Future[Audit]:
    """Ask the servers of cluster.yaml as it is saved, and compare."""

    async def ask() -> Audit:
        session = workbench.session
        async with session.hosts() as hosts:
            return await audit_site(session.spec, hosts)

    return workbench.background.submit(ask())
