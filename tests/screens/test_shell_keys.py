"""No key in any state raises: keys, sizes and pasted text at random over every section, with dialogs as they come up.

Every scene has its own fixed seed, so that what fails can be seen again; ``RBDTUI_KEYS=5000`` presses more of them.
"""

from __future__ import annotations

import os
import random
import string
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final

import pytest
from textual import events
from textual.pilot import Pilot

from rbdtui.errors import SentenceError
from rbdtui.probes.model import HealthSnapshot
from rbdtui.site import Site
from rbdtui.words import T, Text
from rbdtui.workbench.sections import HEALTH, REVIEW, ROLES, RUN
from rbdtui.workbench.workbench import Workbench
from screens.app import RbdTuiApp
from screens.shell.manners import TerminalApp
from screens.shell.sections import SECTION_SCREENS, SectionEntry
from screens.terminal.settings import Settings
from tests.screens.answers import answered, denied, key_unknown
from tests.screens.conftest import SMALL, Opened, bench, make_site
from tests.screens.healths import degraded
from tests.screens.pilot import key_event
from tests.screens.reviewing import in_state
from tests.screens.running import on_stage
from tests.screens.waiting import drawn, program, until

KEYS_PRESSED: Final = int(os.environ.get("RBDTUI_KEYS", "40"))
KEYS: Final = (
    *string.ascii_letters, *string.digits, *"+-/.,:;!*[](){}<>=%$#@ \"'\\^_`|~?",
    *(["enter", "escape", "tab", "up", "down", "left", "right"] * 8),
    *(["shift+tab", "home", "end", "pageup", "pagedown", "delete", "backspace", "space"] * 2),
    "ctrl+p", "ctrl+y", "ctrl+u", "ctrl+k", "ctrl+w", "ctrl+a", "ctrl+e", "ctrl+z", "ctrl+c", "ctrl+q", "ctrl+left",
    "ctrl+home", "ctrl+end", "ctrl+delete", "shift+left", "shift+end", "f1", "f2", "f5", "f8", "f10", "insert", "中",
)  # fmt: skip
SIZES: Final = ((80, 24), (60, 20), (59, 19), (1, 1), (120, 40), (61, 60), (300, 21))
PASTED: Final = (
    "10.0.0.11-13", "\x1b[2J\x00\x07\r\n" * 40, "name,address\nnode1,1.2.3.4", "-" * 5000, "节点" * 200, "{[:\n&*!|>",
)  # fmt: skip
BAD_PLANS: Final = (
    "name: 7\nprofile: []\nssh: no\nnodes: {a: 1}\ngateway: 3\nkubernetes: x\nbundle: {}\n",
    "nodes: [1, null, {name: 3}, {name: node1, address: [], roles: 5}, {name: node1, roles: {a: b}}]\nbundle: 7",
    "nodes:\n" + "".join(f"  - {{name: 'n{n}', address: '::{n}', roles: [etcd, none]}}\n" for n in range(60)),
    "gateway: {mode: 1, vip: x, interface: {}, virtual_router_id: 999}\nkubernetes: {api: [], distribution: 4}\n",
)  # fmt: skip


class UnluckyError(SentenceError):
    """What is not to be done for real here."""


@pytest.fixture(autouse=True)
def defects(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Errors of workers that are told as sentences; nothing is started and nobody leaves for real."""
    seen: list[BaseException] = []
    said = TerminalApp.sentence

    def sentence(app: TerminalApp, error: BaseException) -> Text:
        seen.append(error)
        return said(app, error)

    def refuse(*_: object, **__: object) -> Future[None]:
        future: Future[None] = Future()
        future.set_exception(UnluckyError(T("shell.nothing_to_undo")))
        return future

    monkeypatch.setattr(TerminalApp, "sentence", sentence)
    monkeypatch.setattr(RbdTuiApp, "leave", lambda *_: None)
    monkeypatch.setattr(Workbench, "start_run", refuse)
    return seen


async def at_random(pilot: Pilot[int], seed: int) -> None:
    """Press keys, paste and change the size as the seed will have it."""
    dice = random.Random(seed)
    done: list[str] = []
    try:
        for _ in range(KEYS_PRESSED):
            chance = dice.random()
            if chance < 0.03:
                size = dice.choice(SIZES)
                done.append(f"size {size}")
                await pilot.resize_terminal(*size)
            elif chance < 0.06:
                done.append("paste")
                pilot.app.post_message(events.Paste(dice.choice(PASTED)))
            elif chance < 0.10 and program(pilot).workbench is not None:
                done.append(dice.choice(SECTION_SCREENS).key)
                await pilot.press("escape", done[-1])
            else:
                pressed = dice.choice(KEYS)
                done.append(pressed)
                if dice.random() < 0.1:
                    done.append(f"{pressed} at once")
                    pilot.app.post_message(key_event(pressed))
                await pilot.press(pressed)
            if dice.random() < 0.2:
                await drawn(pilot)
        await pilot.resize_terminal(*SMALL)
        await drawn(pilot)
        assert pilot.app._exception is None
    except BaseException:
        print("pressed:", done)
        raise


def good(home: Path) -> Workbench:
    workbench = bench(make_site(home / "site-a"))
    assert workbench.draft.spec is not None
    others = {
        "server2": denied("server2", "127.88.0.12"),
        "server3": key_unknown("server3", "127.88.0.13"),
    }
    workbench.show_live(answered(workbench.draft.spec, others=others))
    return workbench


def empty(home: Path) -> Workbench:
    return bench(make_site(home / "site-a", "name: site-a\nprofile: kubernetes-only\n"))


def bad(number: int) -> Callable[[Path], Workbench]:
    return lambda home: bench(make_site(home / "site-a", BAD_PLANS[number]))


def reviewed(state: str) -> Callable[[Path], Workbench]:
    return lambda home: in_state(home, state)


def ill(home: Path) -> Workbench:
    workbench = good(home)
    snapshot: HealthSnapshot = degraded()
    workbench.health.show(snapshot, 0.0)
    return workbench


SCENES: dict[str, tuple[Callable[[Path], Workbench], str]] = {
    "empty": (empty, ""),
    "good": (good, ""),
    **{f"bad-{number}": (bad(number), "") for number in range(len(BAD_PLANS))},
    "review-bad": (reviewed("bad"), REVIEW),
    "review-plan": (reviewed("plan"), REVIEW),
    "health": (ill, HEALTH),
}


@pytest.mark.parametrize("name", SCENES)
async def test_no_key_raises(opened: Opened, home: Path, name: str, defects: list[BaseException]) -> None:
    make, section = SCENES[name]
    async with opened(make(home)) as pilot:
        if section:
            program(pilot).show_section(section)
            await drawn(pilot)
        await at_random(pilot, sorted(SCENES).index(name))
    assert_only_sentences(defects)


@pytest.mark.parametrize("entry", SECTION_SCREENS, ids=lambda entry: entry.section)
async def test_no_key_raises_beginning_in(
    opened: Opened, home: Path, entry: SectionEntry, defects: list[BaseException]
) -> None:
    number = SECTION_SCREENS.index(entry)
    async with opened(good(home)) as pilot:
        program(pilot).show_section(entry.section)
        await drawn(pilot)
        await at_random(pilot, 100 + number)
    assert_only_sentences(defects)


@pytest.mark.parametrize("stage", ["asking", "upload", "done", "partial"])
async def test_no_key_raises_with_a_run(
    opened: Opened, home: Path, stage: str, defects: list[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    with on_stage(home, stage, monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            program(pilot).show_section(RUN)
            await drawn(pilot)
            await at_random(pilot, 200 + len(stage))
    assert_only_sentences(defects)


@pytest.mark.parametrize("seed", [300, 301])
async def test_no_key_raises_at_the_start(
    opened: Opened, home: Path, site: Site, seed: int, defects: list[BaseException]
) -> None:
    damaged = make_site(home / "damaged", "name: [\n")
    recent = (str(damaged.path), str(site.path), str(home / "gone"))
    async with opened(settings=Settings(recent=recent)) as pilot:
        await at_random(pilot, seed)
    assert_only_sentences(defects)


@pytest.mark.parametrize(("section", "pressed"), [(ROLES, "p"), (REVIEW, "c")])
async def test_a_key_pressed_twice_at_once_asks_once(opened: Opened, home: Path, section: str, pressed: str) -> None:
    async with opened(good(home)) as pilot:
        program(pilot).show_section(section)
        await drawn(pilot)
        await press_twice(pilot, pressed)


@pytest.mark.parametrize("pressed", ["o", "s", "d"])
async def test_a_key_pressed_twice_at_once_asks_once_during_a_run(
    opened: Opened, home: Path, pressed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with on_stage(home, "upload", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            program(pilot).show_section(RUN)
            await drawn(pilot)
            await press_twice(pilot, pressed)


@pytest.mark.parametrize("pressed", ["n", "o"])
async def test_a_key_pressed_twice_at_once_asks_once_at_the_start(opened: Opened, pressed: str) -> None:
    async with opened(settings=Settings()) as pilot:
        await press_twice(pilot, pressed)


async def press_twice(pilot: Pilot[int], pressed: str) -> None:
    """Press a key twice, faster than anything can come up, and see one question."""
    for _ in range(2):
        pilot.app.post_message(key_event(pressed))
    await until(pilot, lambda: pilot.app.screen.is_modal)
    await drawn(pilot)
    assert sum(screen.is_modal for screen in pilot.app.screen_stack) == 1


def assert_only_sentences(defects: list[BaseException]) -> None:
    """Nothing was told that nobody has put into words."""
    assert [error for error in defects if not isinstance(getattr(error, "text", None), Text)] == []
