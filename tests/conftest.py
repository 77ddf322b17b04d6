"""What all tests share: a steady environment, and a loud word on what could not be tested here."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rbdtui.words import LANGUAGES, use_language, use_site

for variable in ("NO_COLOR", "RBDTUI_LANG", "RBDTUI_PASSPHRASE_FILE", "PYTHONDONTWRITEBYTECODE"):
    os.environ.pop(variable, None)
for variable in [name for name in os.environ if name.startswith("TEXTUAL_")]:
    del os.environ[variable]
sys.dont_write_bytecode = False
"""What was compiled is kept, also by all that tests start: the second worker does not compile it anew."""

WAITING = ("e2e", "cli", "plan", "checks", "simulator", "engine", "transport", "probes", "drill", "workbench")
"""Rooms whose tests wait most of their time: for simulated hosts, real servers, processes; the longest first."""
WORKING = ("screens",)
"""Rooms whose tests do nothing but calculate, and take long."""
LONGEST_ID = 80
"""Of one value in a test's name; the rest is told by its length."""
LAB_WANTED = os.environ.get("RBDTUI_LAB") == "1"


def lab_refusal() -> str | None:
    """Why lab tests do not run here and now; None when they do."""
    if not LAB_WANTED:
        return "RBDTUI_LAB=1 is not set"
    from tests.lab import Lab

    return Lab.supported()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order files for workers; skip lab tests where no lab can be, and remember why."""
    if not LAB_WANTED:
        items.sort(key=_places(items).__getitem__)
    marked = [item for item in items if item.get_closest_marker("lab") or item.get_closest_marker("lab_long")]
    reason = lab_refusal() if marked else None
    if reason is None:
        return
    for item in marked:
        item.add_marker(pytest.mark.skip(reason=f"no lab: {reason}"))
    config.stash[_SKIPPED] = (len(marked), reason)


def _places(items: list[pytest.Item]) -> dict[pytest.Item, float]:
    """When each test is to be begun: its file with all its tests, so that some wait while others calculate.

    What takes long comes first and small files come last: workers have something to do until the end.
    """
    places: dict[pytest.Item, float] = {}
    for number, rooms in enumerate((WAITING, WORKING)):
        of_rooms = [item for room in rooms for item in items if item.path.parent == Path(__file__).parent / room]
        of_rooms = [item for item in of_rooms if not item.path.name.startswith("test_lab_")]
        files = list(dict.fromkeys(item.path for item in of_rooms))
        places |= {item: (files.index(item.path) + number / 2) / len(files) for item in of_rooms}
    return {item: places.get(item, 2.0) for item in items}


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Short names for long values: names go to each worker and into the environment of all that a test starts."""
    if isinstance(val, str | bytes) and len(val) > LONGEST_ID:
        return f"{argname}-{len(val)}"
    return None


def pytest_configure() -> None:
    """Look for garbage seldom: a fifth of the time of screens' tests went there."""
    gc.set_threshold(50_000, 20, 20)


def pytest_collection_finish() -> None:
    """What is there before the first test stays to the end; nobody need look through it."""
    gc.collect()
    gc.freeze()


_SKIPPED = pytest.StashKey[tuple[int, str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say loudly that nothing was proven on real hosts."""
    skipped = config.stash.get(_SKIPPED, None)
    if skipped is not None:
        count, reason = skipped
        terminalreporter.section("NOT TESTED ON REAL HOSTS", sep="!", red=True, bold=True)
        terminalreporter.line(f"{count} lab tests were skipped: {reason}")
        terminalreporter.line("They run as root with: RBDTUI_LAB=1 .venv/bin/pytest -m 'lab or lab_long'")


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    use_language(LANGUAGES[0])
    yield
    use_language(LANGUAGES[0])
    use_site("SITE")
