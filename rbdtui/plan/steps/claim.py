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
from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.transport.answers import UNREADABLE
from rbdtui.transport.base import Host
from rbdtui.transport.files import read_start, remove_file, write_file
from rbdtui.words import T

CLAIM_FILE: Final = f"{STATE_DIR}/claim.json"
_CLAIM_BYTES: Final = 4096


def cluster_id(token: str) -> str:
    """A name for the cluster that only its token leads to, and that does not lead back to the token."""
    return hmac.new(token.encode(), b"rbdtui cluster id", hashlib.sha256).hexdigest()[:16]


async def read_claim(host: Host) -> Claim | None:
    """The marker on a host; None when there is none, or none that can be read. Raises `TransportError`."""
    content = await read_start(host, CLAIM_FILE, _CLAIM_BYTES)
    if content is None:
        return None
    try:
        data = json.loads(content)
        return Claim(site=str(data["site"]), cluster_id=str(data["cluster_id"]), run_id=str(data["run_id"]))
    except UNREADABLE:
        return None


@dataclass(frozen=True, slots=True)
class ClaimHost(Step):
    """Write the marker; a host that bears another cluster's marker is refused."""

    name: ClassVar[str] = "claim"

    async def pending(self, context: StepContext) -> Pending[None]:
        """The marker, unless it is there; raises `StepError` when it is another cluster's."""
        found = await read_claim(context.hosts[self.node])
        if found is None:
            change = Change(ChangeKind.FILE, T("plan.change.claim", path=CLAIM_FILE, site=context.spec.name))
            return Pending((change,))
        if found.site != context.spec.name or found.cluster_id != cluster_id(context.secret(TOKEN_SECRET)):
            raise StepError("claimed_by_other", node=self.node, site=found.site, path=CLAIM_FILE)
        return Pending(evidence=found.run_id)

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
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
