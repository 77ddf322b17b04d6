"""Mark a host as this site's, so that another site's run leaves it alone."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.facts.model import Claim
from rbdtui.plan.cluster import TOKEN_SECRET
from rbdtui.plan.resources.base import STATE_DIR
from rbdtui.plan.step import Change, ChangeKind, Probe, Step, StepContext, StepError
from rbdtui.transport.answers import UNREADABLE
from rbdtui.transport.files import read_start, remove_file, write_file
from rbdtui.words import T

CLAIM_FILE: Final = f"{STATE_DIR}/claim.json"
_CLAIM_BYTES: Final = 4096


def cluster_id(token: str) -> str:
    """A name for the cluster that only its token leads to, and that does not lead back to the token."""
    return hmac.new(token.encode(), b"rbdtui cluster id", hashlib.sha256).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class ClaimHost(Step):
    """Write the marker; a host that bears another cluster's marker is refused."""

    name: ClassVar[str] = "claim"

    async def probe(self, context: StepContext) -> Probe:
        """Whether the marker is there; raises `StepError` when it is another cluster's."""
        found = await self._found(context)
        if found is None:
            return Probe(satisfied=False)
        if found.site != context.spec.name or found.cluster_id != cluster_id(context.secret(TOKEN_SECRET)):
            raise StepError("claimed_by_other", node=self.node, site=found.site, path=CLAIM_FILE)
        return Probe(satisfied=True, evidence=found.run_id)

    async def describe(self, context: StepContext) -> list[Change]:
        """The marker's file."""
        if (await self.probe(context)).satisfied:
            return []
        return [Change(ChangeKind.FILE, T("plan.change.claim", path=CLAIM_FILE, site=context.spec.name))]

    async def apply(self, context: StepContext) -> None:
        """Write the marker with this run's id."""
        claim = {
            "site": context.spec.name,
            "cluster_id": cluster_id(context.secret(TOKEN_SECRET)),
            "run_id": context.run_id,
        }
        await write_file(context.hosts[self.node], CLAIM_FILE, (json.dumps(claim) + "\n").encode(), mode=0o600)

    async def undo(self, context: StepContext) -> None:
        """Take the marker away."""
        await remove_file(context.hosts[self.node], CLAIM_FILE)

    async def _found(self, context: StepContext) -> Claim | None:
        content = await read_start(context.hosts[self.node], CLAIM_FILE, _CLAIM_BYTES)
        if content is None:
            return None
        try:
            data = json.loads(content)
            return Claim(site=str(data["site"]), cluster_id=str(data["cluster_id"]), run_id=str(data["run_id"]))
        except UNREADABLE:
            return None
