"""cluster.yaml changed by a step: as it is on the disk by then, comments kept, what was there as .bak beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from rbdtui.plan.step import Change, ChangeKind, Pending, StepContext, StepError
from rbdtui.site import SPEC_NAME, Site
from rbdtui.spec.edit import Edit, EditError, apply_edits, save, unified_diff
from rbdtui.spec.loader import LoadedSpec, load_spec
from rbdtui.words import Text

Refusal = Callable[[Text], StepError]
"""The step's own error from why the file cannot be changed safely."""
Edited = tuple[str, str]
"""The text of before and that of after."""


async def read_plan(context: StepContext) -> LoadedSpec:
    """The file as it is now."""
    return await asyncio.to_thread(load_spec, Site(context.site_dir).spec_file)


def pending_edit(loaded: LoadedSpec, edits: Sequence[Edit], title: Text, refusal: Refusal) -> Pending[Edited]:
    """The difference that edits make; raises what ``refusal`` gives."""
    try:
        edited = apply_edits(loaded.text, edits)
    except EditError as error:
        raise refusal(error.text) from error
    change = Change(ChangeKind.FILE, title, unified_diff(loaded.text, edited, SPEC_NAME))
    return Pending((change,), seen=(loaded.text, edited))


async def write_plan(context: StepContext, edited: Edited, refusal: Refusal) -> None:
    """Write it, unless somebody has changed it since; raises what ``refusal`` gives."""
    before, after = edited
    try:
        await asyncio.to_thread(save, Site(context.site_dir).spec_file, after, loaded=before)
    except EditError as error:
        raise refusal(error.text) from error
