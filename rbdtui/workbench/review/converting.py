"""The conversion of a Rainbond 3.6: what stands against it, and one group or more of it as a run."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rbdtui.audit.audit import Audit
from rbdtui.audit.row import RowState
from rbdtui.engine.inputs import Purpose, PurposeKind
from rbdtui.plan.cluster import VRRP_SECRET
from rbdtui.plan.conversion.groups import GROUPS
from rbdtui.plan.conversion.volume import VolumeTried
from rbdtui.plan.recipes.convert import CHOSEN, DATA, RECIPE, VERSION
from rbdtui.plan.recipes.recipe import Request
from rbdtui.site import SiteError
from rbdtui.spec.sections.glusterfs import GlusterfsMode
from rbdtui.words import T, Text
from rbdtui.workbench.upkeep.starting import Prepared

if TYPE_CHECKING:
    from rbdtui.session import Session
    from rbdtui.workbench.workbench import Workbench

_OF_VOLUME: Final = "volume"
_OF_KEEPALIVED: Final = "vip"
"""The group that gives keepalived a password."""


@dataclass(frozen=True, slots=True)
class GroupSeen:
    """A group of the conversion, and how far it is."""

    name: str
    done: int
    """Steps of it with nothing left to do."""
    steps: int
    """Without those that only try something."""

    @property
    def title(self) -> Text:
        """What it brings."""
        return T(f"convert.group.{self.name}")  # words: convert.group.*

    @property
    def is_done(self) -> bool:
        """Whether nothing of it is left."""
        return self.done == self.steps


def unready(found: Audit) -> Text | None:
    """Why nothing is converted: files that are broken, or servers that do not answer."""
    broken = [row.id for row in found.rows if row.state is RowState.BROKEN]
    if broken:
        return T("convert.broken", rows=", ".join(broken))
    if found.unreached:
        reasons = "\n".join(map(str, found.unreached.values()))
        return T("convert.unreached", nodes=", ".join(found.unreached), reasons=reasons)
    return None


def purpose_of(groups: Sequence[str], found: Audit) -> Purpose:
    """What a run of these groups is for."""
    version = ".".join(map(str, found.version)) if found.version else ""
    arguments = {CHOSEN: " ".join(groups), VERSION: version}
    return Purpose(PurposeKind.RECIPE, recipe=RECIPE.name, arguments=arguments)


def make_secrets(session: Session, groups: Sequence[str]) -> None:
    """What a run of these groups needs is in the vault; raises as `Session.unlock`."""
    if _OF_KEEPALIVED in groups:
        session.make_secret(VRRP_SECRET)


def what_stays_single(found: Audit) -> Text:
    """What the conversion does not make highly available."""
    return T("convert.one_manager", manage=found.rows[0].target.manage.name)


def risk_of_two_copies(session: Session, found: Audit) -> Text | None:
    """What a volume without an arbiter may come to; None where the plan has one."""
    if session.spec.glusterfs.mode is not GlusterfsMode.REPLICA_2:
        return None
    return T("convert.split_brain", manage=found.rows[0].target.manage.name)


def look(workbench: Workbench, found: Audit) -> Future[tuple[GroupSeen, ...]]:
    """How far each group is; the future raises `SiteError` where nothing is converted, `StepError` and `VaultError`."""

    async def ask() -> tuple[GroupSeen, ...]:
        if (why := unready(found)) is not None:
            raise SiteError(why)
        spec = workbench.session.spec
        # One look for all: each look logs in anew.
        looked = await workbench.session.preview_recipe(purpose_of(list(GROUPS), found), {})
        by_id = {each.step.id: each for each in looked}
        seen = []
        for name in GROUPS:
            own = RECIPE.build(Request(spec, {}, purpose_of([name], found).arguments)).steps
            # A trial is made anew each time, which leaves nothing of its group to be done.
            lasting = [by_id[step.id] for step in own if not isinstance(step, VolumeTried)]
            seen.append(GroupSeen(name, sum(each.satisfied for each in lasting), len(lasting)))
        return tuple(seen)

    return workbench.background.submit(ask())


def prepare(workbench: Workbench, found: Audit, group: str) -> Future[Prepared]:
    """One group, to be agreed to; the future raises as `look`."""

    async def ask() -> Prepared:
        session = workbench.session
        make_secrets(session, [group])
        purpose = purpose_of([group], found)
        steps = tuple(await session.preview_recipe(purpose, {}))
        return Prepared(purpose, steps, _told_first(session, found, group))

    return workbench.background.submit(ask())


def _told_first(session: Session, found: Audit, group: str) -> Text | None:
    """What has to be known before a group is agreed to."""
    if group == DATA:
        return T("convert.stop_first")
    return risk_of_two_copies(session, found) if group == _OF_VOLUME else None
