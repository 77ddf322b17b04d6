"""The conversion as a whole: level 2 by the audit itself, and an image pulled by its name on both compute nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.audit.audit import AFTER, audit_site
from rbdtui.errors import StepError
from rbdtui.plan.conversion.looking import do, target
from rbdtui.plan.step import Gate, StepContext

PAUSE_IMAGE: Final = "goodrain.me/pause-amd64:3.0"
"""kubelet's own: goodrain/rainbond-install@v3.6, kubernetes/node/install/scripts/start-kubelet.sh."""
_PULL_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class LevelReached(Gate):
    """Every row that level 2 hangs on is as on the page, and images come through the address that moves."""

    name: ClassVar[str] = "convert-proof"
    wait_s: ClassVar[float] = 300.0
    look_every_s: ClassVar[float] = 5.0
    time_limit_s: ClassVar[float] = 1200.0
    stall_s: ClassVar[float] = 600.0

    async def waiting_for(self, context: StepContext) -> StepError | None:
        """The rows that are not so, with what was seen; None when all are."""
        found = await audit_site(context.spec, context.hosts)
        if found.now.number < AFTER or not found.now.certain:
            wrong = [row for row in found.rows if row.spec.carries and not row.state.fits]
            evidence = "\n".join(f"{row.id} {part.node}: {part.text}" for row in wrong for part in row.parts)
            return StepError("convert_level", rows=", ".join(row.id for row in wrong), evidence=evidence)
        for server in target(context).computes:
            try:
                await do(context.hosts[server.name], "old-compose", "pull", PAUSE_IMAGE, timeout_s=_PULL_S)
            except StepError as error:
                return StepError("convert_pull", node=server.name, image=PAUSE_IMAGE, evidence=error.evidence)
        return None
