"""Pictures of the servers: none, one being typed, all well, all kinds of trouble, pasted lists, keys, a login.

Each has been looked at; a changed one is to be looked at again before it is kept (``--snapshot-update``).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from rbdtui.site import Site
from rbdtui.transport.hostkeys import KeyState, SeenHostKey
from rbdtui.workbench.draft.operations import text_at
from rbdtui.workbench.live.live import LiveNode
from rbdtui.workbench.workbench import Workbench
from screens.nodes.paste import PasteDialog
from screens.nodes.trust import TrustDialog
from screens.widgets.frame import KeyLine
from tests.screens.answers import (
    ASKING,
    FINGERPRINT,
    OTHER_FINGERPRINT,
    answered,
    asks_for_sudo,
    denied,
    facts_of,
    key_changed,
    key_unknown,
    silent,
    weak,
)
from tests.screens.conftest import LOOKS, Opened, Picture, bench, make_site, show_live
from tests.screens.test_nodes import EMPTY, keys_of
from tests.screens.test_roles import fifty
from tests.screens.waiting import drawn, until

LIST = """web1 127.88.0.61
web2,127.88.0.62
127.88.0.70-75
server1 127.88.0.80
no address here
127.88.0.300
"""


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await drawn(pilot)


async def live(
    pilot: Pilot[int], workbench: Workbench, others: dict[str, LiveNode] | None = None, **weakened: bool
) -> None:
    """Have servers answer: well, but for those named."""
    spec = workbench.draft.spec
    assert spec is not None
    facts = {name: weak(facts_of(spec, name)) for name in weakened}
    show_live(workbench, answered(spec, facts=facts, others=others))
    await drawn(pilot)


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_servers(
    opened: Opened, picture: Picture, site: Site, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    workbench = bench(site)
    async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
        await live(pilot, workbench)
        picture(pilot, name="good", in_every_look=True)
        await live(pilot, workbench, dict.fromkeys(("server1", "server2", "server3", "agent1"), ASKING))
        picture(pilot, name="asking")
        trouble = {
            "server1": denied("server1", "127.88.0.11"),
            "server2": key_unknown("server2", "127.88.0.12"),
            "server3": silent("server3", "127.88.0.13"),
        }
        await live(pilot, workbench, trouble, agent1=True)
        picture(pilot, name="trouble")
        await press(pilot, "down", "down", "down")
        picture(pilot, name="weak", drawn=False)
        other = {"server1": key_changed("server1", "127.88.0.11"), "server2": asks_for_sudo("server2")}
        await live(pilot, workbench, other)
        await press(pilot, "up", "up", "up")
        picture(pilot, name="changed")
        await press(pilot, "right", "enter", "ctrl+u", *keys_of("127.88.0.12"))
        await until(pilot, lambda: text_at(workbench.draft.data, "nodes[0].address") == "127.88.0.12")
        picture(pilot, name="typing")
        await press(pilot, "enter")
        picture(pilot, name="twice")


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_nothing_yet_and_lists(
    opened: Opened, picture: Picture, home: Path, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    workbench = bench(make_site(home / "new", EMPTY))
    async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
        await drawn(pilot)
        picture(pilot, name="empty")
        await press(pilot, "p")
        picture(pilot, name="paste")
        dialog = pilot.app.screen
        assert isinstance(dialog, PasteDialog)
        focused = pilot.app.focused
        assert focused is not None
        focused.post_message(events.Paste(LIST))
        await until(pilot, lambda: bool(dialog._read.refused))
        await drawn(pilot)
        keys = dialog.query_one(KeyLine)
        await until(pilot, lambda: ("F3" in str(keys.render())) is (dialog._result.max_scroll_y > 0))
        picture(pilot, name="understood")


def seen(node: str, address: str, state: KeyState) -> SeenHostKey:
    pinned = OTHER_FINGERPRINT if state is KeyState.CHANGED else ""
    return SeenHostKey(node, address, 22, "ssh-ed25519", FINGERPRINT, "", state, pinned)


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_keys_and_logins(
    opened: Opened, picture: Picture, site: Site, home: Path, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    (home / "key").touch(mode=0o600)
    site.spec_file.write_text(site.spec_file.read_text().replace(str(site.path / "key"), "~/key"))
    workbench = bench(site)
    async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
        await live(pilot, workbench, {"server1": denied("server1", "127.88.0.11")})
        await press(pilot, "l")
        picture(pilot, name="login", drawn=False)
        await press(pilot, "escape", "T")
        dialog = pilot.app.screen
        assert isinstance(dialog, TrustDialog)
        await until(pilot, lambda: not dialog._scanning)
        dialog._seen = [seen(name, f"127.88.0.1{n}", KeyState.NEW) for n, name in enumerate(("server1", "server2"), 1)]
        dialog._draw()
        await drawn(pilot)
        picture(pilot, name="new")
        dialog._seen = [seen("server1", "127.88.0.11", KeyState.CHANGED)]
        dialog._draw()
        await drawn(pilot)
        picture(pilot, name="changed")


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS[:2])
async def test_many(
    opened: Opened, picture: Picture, site: Site, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    fifty(site)
    workbench = bench(site)
    async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
        await live(pilot, workbench, worker20=True)
        await press(pilot, "pagedown")
        picture(pilot)
