"""The program as a real process in a real terminal: poor terminals, lying ones, lines that drop, and kill -9."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rbdtui.engine.lock import hold_site
from rbdtui.site import Site
from tests.screens.conftest import LARGE, SMALL
from tests.screens.journals import Story, write_run
from tests.screens.terminal import Terminal, terminal

DRAWN = "? help"
"""Stands on every screen that has been drawn to the end."""


def draft_of(site: Site) -> dict[str, object]:
    """What the draft's file holds; nothing when there is none."""
    file = site.path / "draft.json"
    content: dict[str, object] = json.loads(file.read_bytes())["data"] if file.exists() else {}
    return content


def edit_name(shown: Terminal) -> None:
    """Have the name of the site take letters."""
    shown.wait_for("server1")
    shown.type("0")
    shown.wait_for("Private key")
    shown.type("\r")
    shown.wait_for("Esc done")


# --- terminals on which there can be no screen ---------------------------------------------------------------


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
@pytest.mark.parametrize(("language", "way_out"), [("en", "works without the screen"), ("zh", "不用界面")])
def test_a_terminal_that_cannot_show_it_is_refused(home: Path, term: str, language: str, way_out: str) -> None:
    with terminal(home=home, env={"TERM": term, "RBDTUI_LANG": language}) as shown:
        assert shown.ended() == 2
        assert f"TERM={term or '-'}" in shown.said()
        assert way_out in shown.said()
        assert "rbdtui --help" in shown.said()
        assert "Traceback" not in shown.said()


@pytest.mark.parametrize("arguments", [(), (".",), ("open",)])
def test_without_a_terminal_it_is_refused(home: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rbdtui", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert "rbdtui --help" in done.stderr


# --- sizes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (10_000, 10_000), (65_535, 1)])
def test_a_terminal_that_lies_about_its_size_is_outlived(home: Path, site: Site, size: tuple[int, int]) -> None:
    with terminal(site.path, home=home, size=size) as shown:
        end = time.monotonic() + 20
        while shown.bytes_sent == 0 and time.monotonic() < end:
            shown.text()
            time.sleep(0.05)
        shown.resize(*SMALL)
        shown.wait_for("server1")
        shown.resize(*size)
        time.sleep(0.3)
        shown.resize(*LARGE)
        shown.wait_for(lambda seen: len(max(seen.splitlines()[:40], key=len)) > SMALL[0] and DRAWN in seen)
        shown.type("q")
        assert shown.ended() == 0


def test_a_storm_of_sizes_ends_in_the_last_one(home: Path, site: Site) -> None:
    with terminal(site.path, home=home) as shown:
        edit_name(shown)
        for number in range(300):
            shown.resize(20 + number * 37 % 180, 3 + number * 17 % 60)
            if number % 3 == 0:
                shown.type("x")
            time.sleep(0.002)
            shown.text()
        shown.resize(100, 30)
        shown.wait_for(lambda seen: DRAWN in (seen.splitlines()[29:30] or [""])[0] or "Esc done" in seen)
        shown.type("y")
        shown.wait_for("xy")
        shown.type("\x1b")
        time.sleep(0.5)
        shown.type("q")
        assert shown.ended() == 0
    name = str(draft_of(site)["name"])
    assert name.endswith("xy")


# --- the end of the terminal, and of the program -------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_ends_it_at_once_and_the_draft_is_kept(home: Path, site: Site, number: signal.Signals) -> None:
    with terminal(site.path, home=home) as shown:
        edit_name(shown)
        shown.type("-typed")
        shown.wait_for("-typed")
        shown.signal(number)
        assert shown.ended(10) == 128 + number
    assert str(draft_of(site)["name"]).endswith("-typed")


def test_a_line_that_drops_ends_it_and_the_draft_is_kept(home: Path, site: Site) -> None:
    with terminal(site.path, home=home) as shown:
        edit_name(shown)
        shown.type("-typed")
        shown.wait_for("-typed")
        shown.hang_up()
        assert shown.process.wait(timeout=15) != 0
    assert str(draft_of(site)["name"]).endswith("-typed")


LINGERS = """
import asyncio, threading, types
import screens.terminal.hangup as terminal
async def main():
    terminal.watch_terminal(types.SimpleNamespace(is_running=False, workbench=None, leave=print))
terminal.PATIENCE_AFTERWARDS_S = 0.2
asyncio.run(main())
print("left", flush=True)
threading.Event().wait()
"""


def test_a_process_whose_screen_is_gone_goes_with_its_terminal() -> None:
    ours, theirs = os.openpty()
    with subprocess.Popen([sys.executable, "-c", LINGERS], stdin=theirs, stdout=subprocess.PIPE) as process:
        os.close(theirs)
        assert process.stdout is not None
        assert process.stdout.readline() == b"left\n"
        os.close(ours)
        assert process.wait(timeout=45) == 128 + signal.SIGHUP


def test_killed_while_typing_everything_but_the_last_second_is_there(home: Path, site: Site) -> None:
    typed: list[float] = []
    with terminal(site.path, home=home) as shown:
        edit_name(shown)
        while len(typed) < 30:
            shown.type(chr(ord("a") + len(typed) % 26))
            typed.append(time.monotonic())
            shown.text()
            time.sleep(0.1)
        shown.signal(signal.SIGKILL)
        killed = time.monotonic()
        shown.ended()
    must = sum(killed - moment > 1.0 for moment in typed)
    assert must > 10
    expected = "".join(chr(ord("a") + number % 26) for number in range(must))
    with terminal(site.path, home=home) as shown:
        shown.wait_for("earlier session")
        shown.type("0")
        shown.wait_for(expected)
        shown.type("q")
        assert shown.ended() == 0
        assert "kept as a draft" in shown.said()


def test_ctrl_c_leaves_and_the_run_goes_on(home: Path, site: Site) -> None:
    run_dir = write_run(site, Story(4).records(20.0))
    with hold_site(site, run_dir.name), terminal(site.path, home=home) as shown:
        shown.wait_for("detach")
        shown.type("\x03")
        shown.wait_for("Esc stay")
        shown.type("\x1b")
        shown.wait_for(lambda seen: "Esc stay" not in seen)
        assert (run_dir / "events.jsonl").exists()
        shown.type("\x03")
        shown.wait_for("Esc stay")
        shown.type("\r")
        assert shown.ended() == 0
        assert "continues in the background" in shown.said()
        assert "rbdtui ~/site-a" in shown.said()


def test_two_terminals_edit_one_site_and_nothing_is_lost(home: Path, site: Site) -> None:
    with terminal(site.path, home=home) as one:
        edit_name(one)
        one.type("-one\x1b")
        one.wait_for(lambda seen: "-one" in seen and "s save" in seen)
        with terminal(site.path, home=home, size=LARGE) as other:
            other.wait_for("open in another terminal")
            other.type("0\x1b[B\x1b[B\x1b[B\x1b[B\r")
            other.wait_for("Esc done")
            other.type("-two\x1b")
            other.wait_for(lambda seen: "ops-two" in seen and "s save" in seen)
            other.type("s")
            other.wait_for("Saved")
            one.wait_for("Your changes are safe")
            one.type("s")
            one.wait_for(lambda seen: "ops-two" in seen and "-one" in seen and "save again" in seen)
            one.type("s")
            one.wait_for("Saved")
            other.wait_for("changed elsewhere; this is its content now")
            other.wait_for("site-a-one")
    text = site.spec_file.read_text(encoding="utf-8")
    assert "name: site-a-one" in text
    assert "user: ops-two" in text


# --- what costs and what is copied ---------------------------------------------------------------------------


def test_a_screen_at_rest_sends_nothing(home: Path) -> None:
    with terminal(home=home) as shown:
        shown.wait_for(DRAWN)
        time.sleep(1.0)
        shown.text()
        before = shown.bytes_sent
        time.sleep(1.5)
        shown.text()
        assert shown.bytes_sent == before


def test_what_is_on_the_screen_reaches_the_clipboard_and_a_file(home: Path, site: Site) -> None:
    with terminal(site.path, home=home) as shown:
        shown.wait_for("server1")
        shown.type("0")
        shown.wait_for("Private key")
        shown.type("\x19")
        shown.wait_for("copied.txt")
        copied = base64.b64decode(shown.clipboard[-1]).decode()
    assert "kubernetes-only" in copied
    assert (site.path / "copied.txt").read_text(encoding="utf-8") == f"{copied}\n"


# --- colours -------------------------------------------------------------------------------------------------


def colours_of(shown: Terminal) -> set[str]:
    """Every parameter of every colour sequence that was sent, such as ``36`` or ``38;5;17``."""
    found: set[str] = set()
    for parameters in re.findall(r"\x1b\[([0-9;]*)m", shown.written):
        found.update(re.findall(r"(?:^|;)((?:[34]8;5;\d+)|(?:[34]8;2;\d+;\d+;\d+)|(?:[34]|9|10)\d)(?=;|$)", parameters))
    return found


def look_around(shown: Terminal) -> None:
    """See a list, a form, an edited field and two dialogs."""
    edit_name(shown)
    shown.type("!\x1b")
    shown.wait_for("s save")
    shown.type("\x10")
    shown.wait_for("Commands")
    shown.type("\x1b[B")
    shown.type("\x03")
    shown.wait_for(lambda seen: "Commands" not in seen)
    shown.type("?")
    shown.wait_for("Help")


@pytest.mark.parametrize(("env", "arguments"), [({"NO_COLOR": "1"}, ()), ({}, ("--no-color",))])
def test_without_colours_none_is_sent(home: Path, site: Site, env: dict[str, str], arguments: tuple[str, ...]) -> None:
    with terminal(*arguments, site.path, home=home, env=env) as shown:
        look_around(shown)
        assert colours_of(shown) <= {"39", "49"}
        assert re.search(r"\x1b\[(?:\d+;)*7(?:;\d+)*m", shown.written), "nothing tells where the cursor is"


@pytest.mark.parametrize("term", ["screen", "linux", "vt220", "xterm"])
def test_a_poor_terminal_gets_sixteen_colours_on_its_own_background(home: Path, site: Site, term: str) -> None:
    with terminal(site.path, home=home, env={"TERM": term}) as shown:
        look_around(shown)
        used = colours_of(shown)
        assert used - {"39", "49"}
        assert not [colour for colour in used if colour.startswith(("38", "48", "4", "10")) and colour != "49"]


def test_the_keyboard_is_left_as_input_methods_need_it(home: Path) -> None:
    with terminal(home=home) as shown:
        shown.wait_for(DRAWN)
        assert not re.search(r"\x1b\[[=>]\d+u", shown.written), "asks for every key to be reported"


def test_a_slow_link_gets_few_bytes(home: Path, site: Site) -> None:
    with terminal("--slow-link", site.path, home=home) as shown:
        shown.wait_for("server1")
        shown.wait_for(DRAWN)
        assert shown.bytes_sent < 20_000
        time.sleep(1.0)
        shown.text()
        before = shown.bytes_sent
        shown.type("\x1b[B")
        time.sleep(1.0)
        shown.text()
        assert 0 < shown.bytes_sent - before < 3_000
