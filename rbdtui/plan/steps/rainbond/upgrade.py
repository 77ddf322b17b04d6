"""Which Rainbond is installed, and whether the planned one may follow it; before anything of it is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rbdtui.kube.releases import HelmRelease, newest_release
from rbdtui.kube.session import KubeSession
from rbdtui.plan.step import Pending, Step, StepContext, StepError, StepKind
from rbdtui.plan.steps.rainbond.access import RELEASE, has_api, open_api, rainbond_release
from rbdtui.rainbond.releases import release_of
from rbdtui.rainbond.upgrades import Refusal, Upgrade, installed_tag
from rbdtui.rainbond.workloads import NAMESPACE


@dataclass(frozen=True, slots=True)
class UpgradeAllowed(Step):
    """Refuse what cannot follow the release that is there; it changes nothing."""

    name: ClassVar[str] = "rainbond-upgrade"
    kind: ClassVar[StepKind] = StepKind.GATE

    async def pending(self, context: StepContext) -> Pending[None]:
        """Nothing; raises `StepError` when the planned release cannot follow."""
        if not has_api(context):
            return Pending()
        async with open_api(context) as api:
            release = await newest_release(api.kube, NAMESPACE, RELEASE)
        upgrade = await upgrade_of(context, release)
        return Pending(evidence="" if upgrade is None else f"{upgrade.present.tag} -> {upgrade.planned.tag}")

    async def apply(self, context: StepContext, pending: Pending[None]) -> bool:
        """There is never anything to do."""
        return False


async def find_upgrade(context: StepContext, kube: KubeSession) -> Upgrade | None:
    """What the plan makes of the release that is there; None without one. Raises `StepError` as `upgrade_of`."""
    return await upgrade_of(context, await newest_release(kube, NAMESPACE, RELEASE))


async def upgrade_of(context: StepContext, release: HelmRelease | None) -> Upgrade | None:
    """The same for a release that was read already; of one that never came up an unknown version is no matter."""
    if release is None:
        return None
    planned = await rainbond_release(context)
    tag = installed_tag(release.values, release.chart_version)
    present = release_of(tag)
    if present is None and release.never_came_up:
        return None
    if present is None:
        raise StepError("upgrade_unknown", present=tag, planned=planned.tag)
    upgrade = Upgrade(present, planned)
    if upgrade.refusal is Refusal.DOWNGRADE:
        raise StepError("upgrade_downgrade", present=present.tag, planned=planned.tag)
    if upgrade.refusal is Refusal.GENERATION:
        raise StepError("upgrade_generation", present=present.tag, planned=planned.tag)
    return upgrade
