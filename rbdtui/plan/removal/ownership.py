"""Whether a host may be reset for a site: never when it is marked as another's, nor when nothing says it is ours."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from rbdtui.plan.removal.residue import HostResidue, ResidueKind
from rbdtui.plan.steps.claim import cluster_id
from rbdtui.spec.model import ClusterSpec


class Ownership(StrEnum):
    """Whose what is left on a host is."""

    OURS = "ours"
    OTHERS = "others"
    """The host is marked as another site's, or as another cluster's of the same name."""
    UNMARKED = "unmarked"
    """Something is there, and neither the host nor a run of this site says that we put it there."""
    CLEAN = "clean"


def ownership(
    left: HostResidue, spec: ClusterSpec, *, token: str | None, runs: Collection[str], worked_on: bool
) -> Ownership:
    """Whose it is; ``runs`` are the site's, and ``worked_on`` says whether one has changed this host.

    Without the token, as when the vault is lost, a run's id in the mark proves that the mark is this site's.
    """
    claim = left.claim
    if claim is not None:
        is_same = claim.cluster_id == cluster_id(token) if token is not None else claim.run_id in runs
        return Ownership.OURS if claim.site == spec.name and is_same else Ownership.OTHERS
    if not left.items:
        return Ownership.CLEAN
    strangers = {item.more for item in left.of(ResidueKind.FILE)} - {spec.name}
    if worked_on or left.written_for(spec.name):
        return Ownership.OTHERS if strangers else Ownership.OURS
    return Ownership.OTHERS if strangers else Ownership.UNMARKED
