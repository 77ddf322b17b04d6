"""Pictures of the shell: every state of the start screen, the site's form, help, and the dialogs of the whole program.

Each has been looked at; a changed one is to be looked at again before it is kept (``--snapshot-update``).
"""

from __future__ import annotations

import io
import re
from collections import Counter
from pathlib import Path
from typing import Final

import pytest
from textual.pilot import Pilot

from rbdtui.engine.lock import hold_site
from rbdtui.site import Site
from rbdtui.workbench.faults import FaultLine
from rbdtui.workbench.sections import SITE
from screens.app import RbdTuiApp
from screens.dialogs.confirm import ConfirmDialog
from screens.dialogs.passphrase import PassphraseDialog
from screens.start.damaged import DamagedDialog
from screens.terminal.settings import Settings
from tests.screens.conftest import LARGE, LOOKS, SMALL, Opened, Picture, bench, image_of, make_site, settled
from tests.screens.waiting import drawn, program, until

Look = tuple[int, int]
WINDOW: Final = ("ff5f57", "febc2e", "28c840")
"""Buttons that rich draws around a picture."""


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await drawn(pilot)


async def on_site(pilot: Pilot[int]) -> None:
    program(pilot).show_section(SITE)
    await drawn(pilot)


def recent_sites(home: Path) -> Settings:
    """One that is good, one with a finished run, one that is damaged, one that is gone."""
    good = make_site(home / "site-a")
    done = make_site(home / "customers" / "a-rather-long-name-of-a-customer" / "site-b")
    run = done.run_dir("20260101-1200-7f3a")
    run.mkdir(parents=True)
    (run / "events.jsonl").write_text('{"type": "run-finished", "outcome": "done"}\n')
    damaged = make_site(home / "broken", "name: [\n")
    paths = (good.path, done.path, damaged.path, home / "gone")
    return Settings(recent=tuple(str(path) for path in paths))


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_start(opened: Opened, picture: Picture, home: Path, size: Look, language: str, ascii_only: bool) -> None:
    settings = recent_sites(home)
    async with opened(settings=settings, size=size, language=language, ascii_only=ascii_only) as pilot:
        picture(pilot, name="recent")
        await press(pilot, "n")
        picture(pilot, name="new")
        await press(pilot, "escape", "s")
        picture(pilot, name="settings")
        await press(pilot, "escape", "question_mark")
        picture(pilot, name="help")
        await press(pilot, "escape", "down", "down", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, DamagedDialog))
        picture(pilot, name="damaged")


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_start_with_nothing(
    opened: Opened, picture: Picture, size: Look, language: str, ascii_only: bool
) -> None:
    async with opened(size=size, language=language, ascii_only=ascii_only) as pilot:
        picture(pilot)


async def test_start_with_a_run_under_way(opened: Opened, picture: Picture, site: Site) -> None:
    run = site.run_dir("20260101-1200-7f3a")
    run.mkdir(parents=True)
    (run / "events.jsonl").write_text("")
    with hold_site(site, run.name):
        async with opened(settings=Settings(recent=(str(site.path),))) as pilot:
            picture(pilot)


PLAN = """\
apiVersion: rbdtui/v1
name: site-a
profile: kubernetes-only
bundle: bundle
ssh: {user: ops, port: 22, key: ~/key, sudo_password: secret:sudo}
nodes:
  - {name: node1, address: 127.88.0.11, roles: [control-plane, etcd, worker, gateway]}
  - {name: node2, address: 127.88.0.12, roles: [control-plane, etcd, worker, gateway]}
  - {name: node3, address: 127.88.0.13, roles: [control-plane, etcd, worker, gateway]}
gateway: {mode: keepalived, vip: 127.88.0.100/24, virtual_router_id: 87}
"""


@pytest.fixture
def plan(home: Path) -> Site:
    """A site whose every word is the same wherever the tests run."""
    (home / "key").touch(mode=0o600)
    return make_site(home / "site-a", PLAN)


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_site(opened: Opened, picture: Picture, plan: Site, size: Look, language: str, ascii_only: bool) -> None:
    async with opened(bench(plan), size=size, language=language, ascii_only=ascii_only) as pilot:
        await on_site(pilot)
        picture(pilot, name="good")
        await press(pilot, "enter", "x", "!", "enter", "down", "down")
        program(pilot)._draw()
        await settled(pilot)
        picture(pilot, name="bad")
        await press(pilot, "question_mark")
        picture(pilot, name="help")
        await press(pilot, "escape", "ctrl+p")
        picture(pilot, name="palette")


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_vault(opened: Opened, picture: Picture, plan: Site, size: Look, language: str, ascii_only: bool) -> None:
    plan.vault_file.write_bytes(b"not a vault")
    async with opened(bench(plan), size=size, language=language, ascii_only=ascii_only) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, PassphraseDialog))
        picture(pilot, name="asked")
        await press(pilot, "x", "enter")
        picture(pilot, name="refused", drawn=False)


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_demo(opened: Opened, picture: Picture, plan: Site, size: Look, language: str, ascii_only: bool) -> None:
    workbench = bench(plan, simulated=True)
    workbench.faults = FaultLine(("node1", "node2", "node3", "node4"), io.BytesIO(), io.BytesIO(b'{"ok": true}\n'))
    async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
        await on_site(pilot)
        await press(pilot, "f")
        picture(pilot, name="faults")
        await press(pilot, "enter")
        await until(pilot, lambda: "done" in _said(pilot) or "完成" in _said(pilot))
        picture(pilot, name="happened", drawn=False)


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_confirm(
    opened: Opened, picture: Picture, plan: Site, size: Look, language: str, ascii_only: bool
) -> None:
    from rbdtui.words import T

    async with opened(bench(plan), size=size, language=language, ascii_only=ascii_only) as pilot:
        await on_site(pilot)
        pilot.app.push_screen(ConfirmDialog(T("leave.title"), T("leave.back"), type_name="site-a"))
        await settled(pilot)
        picture(pilot)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_too_small(opened: Opened, picture: Picture, plan: Site, language: str) -> None:
    async with opened(bench(plan), size=(50, 15), language=language) as pilot:
        picture(pilot)


@pytest.mark.parametrize("theme", ["rbdtui-light", "rbdtui-16", "colourless"])
async def test_other_colours(
    opened: Opened, picture: Picture, plan: Site, theme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if theme == "colourless":
        monkeypatch.setenv("NO_COLOR", "1")
    settings = Settings(theme="rbdtui-16" if theme == "colourless" else theme)
    async with opened(bench(plan), settings=settings) as pilot:
        assert_colours(pilot, theme)
        await on_site(pilot)
        await press(pilot, "enter", "x", "!", "enter", "down")
        picture(pilot, name="site")
        assert_colours(pilot, theme)
        await press(pilot, "ctrl+p")
        assert_colours(pilot, theme)
        await press(pilot, "escape", "f8")
        assert_colours(pilot, theme)


def assert_colours(pilot: Pilot[int], theme: str) -> None:
    """All that is drawn keeps to its theme: no hue, sixteen colours, or dark on light."""
    filled = re.findall(r'fill(?:: |=")#([0-9a-f]{6})', image_of(program(pilot)))
    colours = Counter(tuple(bytes.fromhex(colour)) for colour in filled if colour not in WINDOW)
    assert len(colours) > 1
    if theme == "colourless":
        assert all(max(colour) - min(colour) < 8 for colour in colours), colours
    elif theme == "rbdtui-16":
        assert len(colours) <= 16, colours
    else:
        assert min(colours.most_common(1)[0][0]) > 200, colours


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
async def test_leaving_a_run(
    opened: Opened, picture: Picture, home: Path, monkeypatch: pytest.MonkeyPatch, size: Look
) -> None:
    from tests.screens.running import on_stage

    with on_stage(home, "upload", monkeypatch) as (workbench, _):
        async with opened(workbench, size=size) as pilot:
            await press(pilot, "q")
            picture(pilot)


def _said(pilot: Pilot[int]) -> str:
    from screens.widgets.frame import MessageLine

    assert isinstance(pilot.app, RbdTuiApp)
    return str(pilot.app.screen.query_one(MessageLine).said)
