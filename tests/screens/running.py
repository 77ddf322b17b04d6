"""Sites with a run in every stage, for tests of the run screen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rbdtui.engine.events import NodeQuarantined, RunFinished, RunOutcome, RunPaused, StepFailed, StopRequested
from rbdtui.engine.lock import hold_site
from rbdtui.site import Site
from rbdtui.words import T
from rbdtui.workbench.workbench import Workbench
from tests.screens.conftest import bench, make_site
from tests.screens.journals import (
    RUN_ID,
    T0,
    Story,
    asks,
    fails_and_ends,
    open_ports,
    retries,
    spec_text,
    stalled,
    write_run,
)


@dataclass(frozen=True)
class Stage:
    """A run at a moment."""

    story: Story
    at_s: float
    """When it is on the screen, in seconds from the beginning."""
    alive: bool = True
    """Whether a runner has it in its hands."""
    later: bool = False
    """Whether the operator has put the question off."""


def _after(at_s: float, *events: object) -> tuple[tuple[float, object], ...]:
    return tuple((at_s, event) for event in events)


STAGES: dict[str, Callable[[], Stage]] = {
    "fresh": lambda: Stage(Story(3), 0.05),
    "upload": lambda: Stage(Story(3), 20.4),
    "servers": lambda: Stage(Story(4, extra=[(150.0, event) for event in open_ports()]), 173.0),
    "asking": lambda: Stage(Story(4, fails={"host-packages@node2": asks}), 30.0),
    "asked": lambda: Stage(Story(4, fails={"host-packages@node2": asks}), 30.0, later=True),
    "retrying": lambda: Stage(Story(3, fails={"os-prepare@node2": retries}), 6.0),
    "paused": lambda: Stage(Story(3, extra=[(21.0, RunPaused("ops (pts/1)"))]), 22.0),
    "stopping": lambda: Stage(Story(3, extra=[(21.0, StopRequested("ops (pts/1)"))]), 22.0),
    "stalled": lambda: Stage(
        Story(3, hangs=frozenset({"rke2-first-server@node1"}), extra=[(158.0, stalled("rke2-first-server@node1"))]),
        171.0,
    ),
    "done": lambda: Stage(Story(4, extra=[(190.0, event) for event in open_ports()]), 1e6, alive=False),
    "nothing": lambda: Stage(Story(3, unchanged=True), 1e6, alive=False),
    "failed": lambda: Stage(Story(3, fails={"host-packages@node2": fails_and_ends}), 6.5, alive=False),
    "gone": lambda: Stage(Story(3), 40.0, alive=False),
    "partial": lambda: Stage(
        Story(
            4,
            fails={"os-prepare@node4": asks},
            extra=[
                (20.0, NodeQuarantined("node4", "os-prepare@node4")),
                (230.0, RunFinished(RunOutcome.PARTIAL, 38, 230.0)),
            ],
        ),
        1e6,
        alive=False,
    ),
    "fifty": lambda: Stage(
        Story(50, fails={"os-prepare@node31": asks}, hangs=frozenset({"os-prepare@node8"}),
              extra=[(70.0, stalled("os-prepare@node8"))]), 172.0, later=True
    ),
}  # fmt: skip


@contextmanager
def on_stage(home: Path, name: str, monkeypatch: object) -> Iterator[tuple[Workbench, Path]]:
    """A workbench that looks at the run of a stage, and the run's directory; time stands still at that moment."""
    stage = STAGES[name]()
    site = make_site(home / "site-a", spec_text(stage.story.nodes))
    records = stage.story.records(stage.at_s)
    run_dir = write_run(site, records)
    monkeypatch.setattr("screens.terminal.clock.now", lambda: min(T0 + stage.at_s, records[-1].at + 60))  # type: ignore[attr-defined]
    with held(site) if stage.alive else _nothing():
        workbench = bench(site)
        if stage.later and workbench.run is not None:
            workbench.run.put_off.update(f"{step}#1" for step in stage.story.fails)
        yield workbench, run_dir


@contextmanager
def held(site: Site) -> Iterator[None]:
    """A runner has the run in its hands."""
    with hold_site(site, RUN_ID):
        yield


@contextmanager
def runner_process(site: Site) -> Iterator[int]:
    """A process of its own has the run in its hands, and does nothing; its id."""
    code = (
        "import sys, time, pathlib; from rbdtui.engine.lock import hold_site; from rbdtui.site import Site\n"
        "with hold_site(Site(pathlib.Path(sys.argv[1])), sys.argv[2]):\n    print('held', flush=True); time.sleep(3600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(site.path), RUN_ID], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"held\n"
            yield process.pid
        finally:
            process.kill()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


__all__ = ["STAGES", "Stage", "StepFailed", "T", "held", "on_stage"]
