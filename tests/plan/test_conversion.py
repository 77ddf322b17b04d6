"""A Rainbond 3.6 on simulated hosts is carried to level 2: whole, cut off anywhere, and failing anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbdtui.audit.audit import Level
from rbdtui.plan.step import Step
from tests.plan.old import Old, old_site
from tests.plan.support import carry_out
from tests.plan.walk import walk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_all_groups_reach_level_2_and_then_nothing_is_left_to_do(tmp_path: Path) -> None:
    async with old_site(tmp_path) as old:
        first = await old.audit()
        assert first.now == Level(1), (first.unreached, [str(part.text) for row in first.rows for part in row.parts])
        assert old.broken() == []
        await walk(old.plan(), old.context)
        found = await old.audit()
        assert found.now == Level(2), [(row.id, str(row.state)) for row in found.rows if not row.state.fits]
        assert old.site.on_volume == old.site.data
        assert old.broken() == []
        for step in old.plan().steps:
            pending = await step.pending(old.context)
            assert pending.is_done, (step.id, [str(change.title) for change in pending.changes])
