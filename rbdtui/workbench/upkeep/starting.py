"""Work that upkeep starts: a recipe as the verbs start it, prepared here, shown, agreed to, begun."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from rbdtui.engine.events import FailurePolicy
from rbdtui.engine.inputs import Purpose, RunOptions
from rbdtui.plan.preview import PreviewedStep
from rbdtui.plan.recipes import recipe_named
from rbdtui.session import Session
from rbdtui.words import Text
from rbdtui.workbench.upkeep import (
    certificate_survey,
    failover_survey,
    leaving,
    rebooting,
    snapshot_survey,
    storage_move,
)
from rbdtui.workbench.upkeep.storage_move import Destination
from rbdtui.workbench.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Prepared:
    """A recipe that was looked at, and waits to be agreed to."""

    purpose: Purpose
    steps: tuple[PreviewedStep, ...]
    told: Text | None = None
    """What was found by looking, and has to be known before it is agreed to."""

    @property
    def by_name(self) -> bool:
        """Whether the site's name has to be typed."""
        return recipe_named(self.purpose.recipe).by_name

    @property
    def weighs(self) -> tuple[Text, ...]:
        """What has to be known before it is agreed to, what was found by looking first."""
        found = () if self.told is None else (self.told,)
        return (*found, *recipe_named(self.purpose.recipe).weighs(self.purpose.arguments))

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to do."""
        return all(each.satisfied for each in self.steps)


def prepare_snapshot(workbench: Workbench) -> Future[Prepared]:
    """Taking one now; raises as `snapshot_survey.snapshot_purpose` through the future."""

    async def purpose(session: Session) -> Purpose:
        made = await snapshot_survey.snapshot_purpose(session)
        snapshot_survey.have_snapshot_key(session)
        return made

    return _prepared(workbench, purpose)


def prepare_restore(workbench: Workbench, name: str, without: Sequence[str]) -> Future[Prepared]:
    """Restoring one; raises as `snapshot_survey.restore_purpose` through the future."""
    return _prepared(workbench, lambda session: snapshot_survey.restore_purpose(session, name, without))


def prepare_removal(workbench: Workbench, node: str) -> Future[Prepared]:
    """Removing a node; raises as `leaving.look_at_leaving` through the future."""

    async def purpose(session: Session) -> Purpose:
        return (await leaving.look_at_leaving(session, node)).purpose

    return _prepared(workbench, purpose)


def prepare_renewal(workbench: Workbench) -> Future[Prepared]:
    """New certificates on all nodes, one after the other."""

    async def purpose(session: Session) -> Purpose:
        return certificate_survey.renew_purpose(session)

    return _prepared(workbench, purpose)


def prepare_reboot(workbench: Workbench, node: str) -> Future[Prepared]:
    """Starting a server anew; raises as `rebooting.reboot_purpose` through the future."""
    return _prepared(workbench, lambda session: rebooting.reboot_purpose(session, [node]))


def prepare_failover(workbench: Workbench) -> Future[Prepared]:
    """The replica of the MySQL pair becomes the source; raises as `failover_survey.look_at_failover`."""

    async def prepare() -> Prepared:
        workbench.session.refuse_audit_only()
        looked = await failover_survey.look_at_failover(workbench.session)
        steps = tuple(await workbench.session.preview_recipe(looked.purpose, {}))
        return Prepared(looked.purpose, steps, looked.warning)

    return workbench.background.submit(prepare())


def find_places(workbench: Workbench) -> Future[tuple[Destination, ...]]:
    """Where Rainbond's storage can go to; raises as `storage_move.places` through the future."""

    async def find() -> tuple[Destination, ...]:
        workbench.session.refuse_audit_only()
        return await storage_move.places(workbench.session)

    return workbench.background.submit(find())


def prepare_move(workbench: Workbench, place: Destination) -> Future[Prepared]:
    """Rainbond's storage goes to another place; raises as `storage_move.purpose_for` through the future."""

    async def prepare() -> Prepared:
        workbench.session.refuse_audit_only()
        purpose = await storage_move.purpose_for(workbench.session, place)
        steps = tuple(await workbench.session.preview_recipe(purpose, {}))
        return Prepared(purpose, steps, storage_move.left_alone(purpose))

    return workbench.background.submit(prepare())


def _prepared(workbench: Workbench, purpose_of: Callable[[Session], Awaitable[Purpose]]) -> Future[Prepared]:
    async def prepare() -> Prepared:
        workbench.session.refuse_audit_only()
        purpose = await purpose_of(workbench.session)
        return Prepared(purpose, tuple(await workbench.session.preview_recipe(purpose, {})))

    return workbench.background.submit(prepare())


def begin(workbench: Workbench, prepared: Prepared) -> Future[None]:
    """Start the run and look at it; raises as `Session.start_recipe` through the future."""

    async def start() -> None:
        options = RunOptions(policy=FailurePolicy.ASK)
        client = await workbench.session.start_recipe(prepared.purpose, {}, options)
        workbench.open_run(client.run_id)

    return workbench.background.submit(start())
