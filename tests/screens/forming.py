"""Plans with what forms edit, and the way to a form, for tests of forms."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from rbdtui.workbench.workbench import Workbench
from tests.screens.conftest import bench, make_site, settled
from tests.screens.waiting import program

PLAN = """\
apiVersion: rbdtui/v1
name: site-a
profile: rainbond-5.17
bundle: bundle
nodes:
  - {name: server1, address: 127.88.0.11, roles: [control-plane, etcd, worker, gateway, build]}
"""


def plan_with(home: Path, *lines: str, profile: str = "rainbond-5.17") -> Workbench:
    text = PLAN.replace("rainbond-5.17", profile) + "\n".join(lines) + "\n"
    return bench(make_site(home / "site-a", text))


async def show(pilot: Pilot[int], section: str, field: str = "") -> None:
    program(pilot).show_section(section, field)
    await settled(pilot)
