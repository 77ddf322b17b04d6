"""Names of steps are whole beside the nodes of a run, whatever is installed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest
from rich.cells import cell_len

from rbdtui.engine.events import Record, RunCreated, StepInfo
from rbdtui.engine.inputs import spec_digest
from rbdtui.plan.builder import build_plan
from rbdtui.spec.loader import parse_spec
from rbdtui.words import LANGUAGES, say
from screens.run.step_matrix import StepMatrix
from tests.screens.conftest import Opened, bench, make_site
from tests.screens.journals import RUN_ID, T0, runner, spec_text, write_run
from tests.screens.waiting import drawn, show_run

ROOM_CELLS: Final = 23
"""What a name has beside four nodes in 80 columns."""
SERVICES: Final = """\
  - {name: data1, address: 127.88.0.31, roles: [service]}
  - {name: data2, address: 127.88.0.32, roles: [service]}
"""
BESIDE: Final = {
    "plain": "",
    "made": """\
storage: {mode: nfs-server, node: data1, path: /data, copy_node: data2}
mysql: {mode: pair, source: data1, replica: data2, username: rbd, password: secret:mysql}
registry: {mode: external, domain: hub.lan}
""",
    "ceph": """\
storage:
  mode: rook-ceph
  disks: [{node: node1, device: /dev/a}, {node: node2, device: /dev/b}, {node: node3, device: /dev/c}]
""",
    "kubesphere": """\
kubesphere: {install: true}
""",
}
"""What a plan has beside Kubernetes and Rainbond."""


def plan_text(nodes: int, beside: str) -> str:
    text = spec_text(nodes)
    if beside != "kubesphere":
        text = text.replace("kubernetes-only", "rainbond-6").replace("gateway]", "gateway, build]")
    if beside == "made":
        text = text.replace("kubernetes: {", f"{SERVICES}kubernetes: {{")
    return text + BESIDE[beside]


def steps_of(text: str) -> Iterable[StepInfo]:
    loaded = parse_spec(text)
    assert loaded.spec is not None, [str(finding.message) for finding in loaded.findings]
    for step in build_plan(loaded.spec, {}).steps:
        yield StepInfo(step.id, step.name, step.node, step.title, step.kind.value, step.after, step.skippable)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("beside", BESIDE)
def test_names_of_steps_are_short_enough_for_four_nodes(beside: str, language: str) -> None:
    names = {say(step.title, language) for step in steps_of(plan_text(3, beside))}
    assert [name for name in sorted(names) if cell_len(name) > ROOM_CELLS] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("nodes", "size"), [(3, (80, 24)), (4, (80, 24)), (4, (120, 40))])
async def test_names_of_steps_are_whole_beside_four_nodes(
    opened: Opened, home: Path, nodes: int, size: tuple[int, int], language: str
) -> None:
    site = make_site(home / "site-a", plan_text(nodes, "plain"))
    created = RunCreated(
        RUN_ID, "site-a", "rainbond-6", tuple(steps_of(plan_text(nodes, "plain"))),
        spec_digest(site.spec_file.read_bytes()), "0.1.0",
    )  # fmt: skip
    write_run(site, [Record(1, T0, created), Record(2, T0, runner())])
    async with opened(bench(site), size=size, language=language) as pilot:
        await show_run(pilot)
        matrix = pilot.app.screen.query_one(StepMatrix)
        known = matrix.matrix
        assert known is not None
        assert len(known.nodes) == nodes
        assert {"rainbond-images", "rainbond-ready"} <= {row.name for row in known.rows}
        await pilot.press("home")
        for row in known.rows:
            await drawn(pilot)
            here = next(line for line in matrix.text_lines if line.startswith("▸"))
            assert here.startswith(f"▸{row.title} ")
            await pilot.press("down")
