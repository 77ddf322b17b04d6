"""Screens in a steady environment: fixed colours and sizes, no servers asked unless wanted, pictures compared.

`opened` starts the program on a site and gives a pilot; `picture` compares what is on the screen with what was kept.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_textual_snapshot import SVGImageExtension  # type: ignore[import-untyped]
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from rbdtui.words import switch_language, use_language
from screens.terminal import env

env.prepare(slow_link=False, color=True)

from textual.pilot import Pilot  # noqa: E402 - Textual reads the environment when it is imported

from rbdtui.paths import asset  # noqa: E402
from rbdtui.site import Site  # noqa: E402
from rbdtui.workbench.live.live import LiveSnapshot  # noqa: E402
from rbdtui.workbench.passphrase import HeldPassphrase  # noqa: E402
from rbdtui.workbench.workbench import Workbench  # noqa: E402
from screens.app import RbdTuiApp, Start  # noqa: E402
from screens.terminal.settings import Settings  # noqa: E402
from tests.screens.pilot import SwiftPilot  # noqa: E402

SHOWN = Path(__file__).parents[2] / "assets" / "pictures"
"""What the README shows."""
SMALL = (80, 24)
LARGE = (120, 40)
LOOKS = [
    pytest.param(SMALL, "en", False, id="80x24-en"),
    pytest.param(LARGE, "en", False, id="120x40-en"),
    pytest.param(SMALL, "zh", False, id="80x24-zh"),
    pytest.param(LARGE, "zh", False, id="120x40-zh"),
    pytest.param(SMALL, "en", True, id="80x24-ascii"),
]
"""Size, language, ASCII: every state of every screen is looked at in each of them (`pytest.mark.parametrize`)."""

Opened = Callable[..., AbstractAsyncContextManager[Pilot[int]]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of our own, so that nothing of this machine is seen or written."""
    directory = tmp_path / "home"
    directory.mkdir()
    monkeypatch.setenv("HOME", str(directory))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.chdir(directory)
    return directory


def make_site(directory: Path, text: str | None = None) -> Site:
    """A site with three servers on loopback, where nothing answers, and a bundle directory; or with another plan."""
    site = Site.create(directory)
    (site.path / "bundle").mkdir()
    key = site.path / "key"
    key.touch(mode=0o600)
    if text is None:
        text = asset("examples", "kubernetes-only.yaml").read_text(encoding="utf-8")
        text = text.replace("10.0.0.", "127.88.0.").replace("/data/offline-packages", "bundle")
        text = text.replace("~/.ssh/id_ed25519", str(key))
    site.spec_file.touch(mode=0o600)
    site.spec_file.write_text(text, encoding="utf-8")
    return site


@pytest.fixture
def site(home: Path) -> Site:
    """A usable site."""
    return make_site(home / "site-a")


def bench(site: Site, *, simulated: bool = False, ask_servers: bool = False) -> Workbench:
    """A workbench that asks no servers unless wanted."""
    return Workbench.open(site.path, HeldPassphrase(), simulated=simulated, ask_servers=ask_servers)


def show_live(workbench: Workbench, snapshot: LiveSnapshot) -> None:
    """Have a workbench believe that its servers answered this."""
    workbench.show_live(snapshot)


@pytest.fixture
def opened(home: Path) -> Opened:
    """Opens the program: ``async with opened(workbench=…, size=SMALL, language="zh", ascii_only=True) as pilot``."""

    @asynccontextmanager
    async def open_program(
        workbench: Workbench | None = None,
        *,
        site: Path | None = None,
        size: tuple[int, int] = SMALL,
        language: str = "en",
        ascii_only: bool = False,
        settings: Settings | None = None,
    ) -> AsyncIterator[Pilot[int]]:
        use_language(language)
        chosen = replace(settings or Settings(), language=language, ascii_only=ascii_only)
        file = home / ".config" / "rbdtui" / "settings.json"
        app = RbdTuiApp(Start(site=site, workbench=workbench, settings=chosen, settings_file=file))
        try:
            async with app.run_test(size=size):
                pilot = SwiftPilot(app)
                await settled(pilot)
                yield pilot
        finally:
            switch_language("en")

    return open_program


async def settled(pilot: Pilot[int]) -> None:
    """Return when everything that was asked for has been drawn."""
    await pilot.pause()
    brief = [worker for worker in pilot.app.workers if not worker.is_finished and worker.group == "brief"]
    if brief:
        await pilot.app.workers.wait_for_complete(brief)
        await pilot.pause()


Picture = Callable[..., None]


class TextExtension(SingleFileSnapshotExtension):
    """Keeps what a screen says in a file of its own, so that a change reads as a difference of lines."""

    _file_extension = "txt"
    _write_mode = WriteMode.TEXT


@pytest.fixture
def picture(snapshot: SnapshotAssertion) -> Picture:
    """Compares the screen with the kept one: ``picture(pilot)`` or, for several in one test, ``name=…``.

    What it says is compared in every look; its colours and lines in 80x24, English, and with ``in_every_look=True``
    in all of them; with ``drawn=False`` in none, where it looks as another one does. With ``shown=True`` the picture
    is the one that the README shows under this name.
    """
    as_text, as_drawn = snapshot.use_extension(TextExtension), snapshot.use_extension(SVGImageExtension)

    def look(
        pilot: Pilot[int],
        *,
        name: str | None = None,
        in_every_look: bool = False,
        drawn: bool = True,
        shown: bool = False,
    ) -> None:
        app = pilot.app
        assert isinstance(app, RbdTuiApp)
        assert f"{app.text_on_screen()}\n" == (as_text(name=name) if name is not None else as_text)
        usual = (*app.size, app.settings.language, app.settings.ascii_only) == (*SMALL, "en", False)
        if drawn and (usual or in_every_look):
            image = image_of(app)
            if shown:
                compare_shown(SHOWN / f"{name}.svg", image, update=snapshot.session.update_snapshots)
            else:
                assert image == (as_drawn(name=name) if name is not None else as_drawn)

    return look


def compare_shown(file: Path, image: str, *, update: bool) -> None:
    """Compare a picture with the one that the README shows, or write it there."""
    if update:
        file.write_text(image, encoding="utf-8")
    assert image == file.read_text(encoding="utf-8"), f"{file.name}: look at it, then keep it by --snapshot-update"


def image_of(app: RbdTuiApp) -> str:
    """What is drawn, as SVG."""
    return without_fonts(app.export_screenshot(title="rbdtui"))


def without_fonts(svg: str) -> str:
    """The picture without fonts from elsewhere and without the number that is new every time."""
    svg = re.sub(r"@font-face\s*\{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code", "monospace")
    return re.sub(r"\bterminal-\d+-", "terminal-", svg)
