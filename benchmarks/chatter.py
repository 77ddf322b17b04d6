"""A run that talks: fifty nodes under way in a site's journal, ten lines of log a second for each, until it is ended.

``python -m benchmarks.chatter SITE [LINES]`` makes site and run, says ``ready``, and streams; with LINES the log of the
first node has so many lines from the beginning. Nothing is asked of any server: their addresses are on loopback.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Final

from rbdtui.engine.events import Event, Record, StepProgressed, StepStarted
from rbdtui.engine.inputs import JOURNAL_NAME
from rbdtui.engine.lock import hold_site
from rbdtui.engine.logs import log_file
from rbdtui.site import Site
from tests.screens.journals import RUN_ID, T0, Story, spec_text, write_run

NODES: Final = 50
LINES_PER_S: Final = 10
BEAT_S: Final = 0.1
TALKING: Final = "os-prepare"
UPLOAD_BYTES: Final = 1_000_000_000
_UNDER_WAY_S: Final = 30.0
"""By then all nodes are in the step that talks."""


def make_site(directory: Path) -> Site:
    """Fifty nodes where nothing answers."""
    site = Site.create(directory)
    (site.path / "bundle").mkdir()
    text = spec_text(NODES).replace("10.0.0.", "127.88.0.").replace("key: ~/.ssh/id_ed25519", "agent: false")
    site.spec_file.touch(mode=0o600)
    site.spec_file.write_text(text, encoding="utf-8")
    return site


def records() -> list[Record]:
    """The journal as it would be now."""
    steps = frozenset(f"{TALKING}@node{number}" for number in range(1, NODES + 1))
    shift = time.time() - _UNDER_WAY_S - T0
    known = Story(NODES, hangs=steps).records(_UNDER_WAY_S)
    return [Record(record.seq, record.at + shift, record.event) for record in known]


def main() -> None:
    """Make it, and talk."""
    site = make_site(Path(sys.argv[1]))
    begun = records()
    run_dir = write_run(site, begun)
    steps = [r.event.step for r in begun if isinstance(r.event, StepStarted) and r.event.step.startswith(TALKING)]
    many = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with log_file(run_dir, steps[0]).open("a", encoding="utf-8") as log:
        log.writelines(f"line {number} of a long log that nobody reads to its end\n" for number in range(many))
    with hold_site(site, RUN_ID):
        print("ready", flush=True)
        _talk(run_dir, steps, begun[-1].seq)


def _talk(run_dir: Path, steps: list[str], seq: int) -> None:
    logs = [log_file(run_dir, step).open("a", encoding="utf-8", buffering=1) for step in steps]
    journal = (run_dir / JOURNAL_NAME).open("a", encoding="utf-8")
    beat = 0
    begun = time.monotonic()
    while True:
        beat += 1
        for log in logs:
            log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} line {beat} that says what is being done on this node\n")
        for step in steps[: 2 if beat % 5 == 0 else 0]:
            seq += 1
            _tell(journal.write, seq, StepProgressed(step, beat * 1_000_000, UPLOAD_BYTES, 1e7))
        journal.flush()
        time.sleep(max(0.0, begun + beat * BEAT_S - time.monotonic()))


def _tell(write: object, seq: int, event: Event) -> None:
    assert callable(write)
    write(json.dumps(Record(seq, time.time(), event).to_json(), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
