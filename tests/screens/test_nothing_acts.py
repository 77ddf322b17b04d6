"""Nothing that a server, a file or the network says acts on the terminal in which the screens are."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest
from rich.text import Text as Line
from textual.widgets import Static

from rbdtui.engine.events import (
    Choice,
    Event,
    NodeQuarantined,
    QuestionAsked,
    RunPaused,
    StepFailed,
    StepNoted,
    StepStalled,
)
from rbdtui.engine.logs import log_file
from rbdtui.probes.model import ProbeState
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.site import Site
from rbdtui.words import LANGUAGES, T
from tests import hostile_hosts
from tests.cli.hosts import FleetThread
from tests.hostile import ALL, AS_SENT, POISONS, leaked
from tests.screens.conftest import Opened, bench
from tests.screens.journals import Story, holder, port_changed, write_run
from tests.screens.terminal import Terminal, terminal

IN_FILES = re.sub("[\ud800-\udfff]", "", ALL)


def settles(shown: Terminal) -> None:
    """Wait until nothing more comes; fail when anything that was ever written acts."""
    before = -1
    while before != shown.bytes_sent:
        before = shown.bytes_sent
        time.sleep(0.4)
        shown.text()
    assert leaked(shown.written, screen=True) == [], ascii(shown.written[-4000:])


# --- the network, before anybody has shown a key -------------------------------------------------------------


@pytest.fixture
def spoofed(home: Path) -> Iterator[tuple[Site, str]]:
    """One good host, and for each poison one that takes leave with it instead of showing a key."""
    answers = [hostile_hosts.disconnects(poison.encode("utf-8", "replace")) for poison in POISONS.values()]
    spaced = b"x" * 70 + b" " * 120 + b"node1  127.77.0.11:22  new\n  ssh-ed25519 SHA256:forged"
    answers.append(hostile_hosts.disconnects(spaced))
    places = dict(zip(hostile_hosts.addresses(len(answers)), answers, strict=True))
    with FleetThread(SimulatedFleet(1)) as hosts, hostile_hosts.answering(places) as port:
        site = write_demo_site(home / "site", hosts.fleet)
        nodes = "".join(
            f"  - {{name: evil{number}, address: {address}, roles: [worker], ssh: {{port: {port}}}}}\n"
            for number, address in enumerate(places)
        )
        site.spec_file.write_text(site.spec_file.read_text().replace("kubernetes:\n", f"{nodes}kubernetes:\n", 1))
        (station,) = hosts.fleet.stations.values()
        key = asyncssh.import_public_key(" ".join(station.sshd.known_hosts_line.split()[1:]))
        yield site, key.get_fingerprint()


@pytest.mark.parametrize("language", LANGUAGES)
def test_nobody_on_the_network_forges_a_key_that_is_to_be_confirmed(
    spoofed: tuple[Site, str], home: Path, language: str
) -> None:
    site, fingerprint = spoofed
    with terminal(site.path, home=home, size=(100, 40), env={"RBDTUI_LANG": language}) as shown:
        shown.wait_for("evil13", 60.0)
        shown.type("T")
        # Until the list is long, the dialog leaves the screen behind it in sight, which names node1 as well.
        seen = shown.wait_for(lambda text: "evil5" in text.partition(fingerprint)[2], 60.0)
        rows = [row.strip(" │┃|") for row in seen.partition(fingerprint)[2].splitlines()]
        assert [row for row in rows if row.startswith(("node1 ", "ssh-ed25519"))] == []
        shown.type("\x1b[6~\x1b[6~\x1b[6~\x1b[6~\x1b[F")
        settles(shown)


# --- servers, journals, logs, files --------------------------------------------------------------------------


def poisoned(step: str) -> list[Event]:
    """What a run tells of a step, in hostile words."""
    text = T("error.packages_refused.message", node=IN_FILES)
    remedy = T("finding.RBD-SSH-007.remedy", node=IN_FILES)
    question = T("question.step_failed_on", step=IN_FILES, node=IN_FILES, reason=text)
    return [
        StepNoted(step, T("plan.note.vip_away", node=IN_FILES)),
        StepStalled(step, 75.0, IN_FILES),
        NodeQuarantined(IN_FILES, step),
        RunPaused(IN_FILES),
        port_changed("node1", 80, ProbeState.DOWN, text, None),
        holder(IN_FILES),
        StepFailed(step, 1, IN_FILES, text, remedy, f"{IN_FILES}\n{IN_FILES}", None),
        QuestionAsked(f"{step}#1", step, question, (Choice.RETRY, Choice.STOP)),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_of_a_run_acts(site: Site, home: Path, language: str) -> None:
    story = Story(fails={"host-packages@node2": poisoned})
    run_dir = write_run(site, story.records(60.0))
    log_file(run_dir, "host-packages@node2").write_bytes((AS_SENT + b"\n") * 50)
    with terminal(site.path, home=home, size=(120, 40), env={"RBDTUI_LANG": language}) as shown:
        shown.wait_for("forged", 60.0)
        for keys in ("\r", "\x1b", "\x1b[B\x1b[B\x1b[B\x1b[C\x1b[C", "\r", "t", "g", "o", "c", "\x1b", "?"):
            shown.type(keys)
            settles(shown)
        settles(shown)
    assert "forged" in shown.written


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_no_file_acts(site: Site, home: Path, size: tuple[int, int]) -> None:
    poison = json.dumps(IN_FILES)
    text = site.spec_file.read_text().replace("bundle: bundle", f"bundle: {poison}")
    for name in ("server1", "127.88.0.12", "control-plane"):
        text = text.replace(name, poison, 1)
    site.spec_file.write_text(f"{text}{poison}: {poison}\n")
    (site.path / "facts").mkdir(mode=0o700)
    (site.path / "facts" / "server2.json").write_text(poison)
    with terminal(site.path, home=home, size=size) as shown:
        shown.wait_for("server2", 60.0)
        for number in "123456789h?":
            shown.type(number)
            settles(shown)
            shown.type("\x1b[B\x1b[B\r\x1b")
        settles(shown)


# --- the gate ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("poison", POISONS)
async def test_what_a_widget_forgets_to_clean_stays_behind_the_gate(opened: Opened, site: Site, poison: str) -> None:
    words = POISONS[poison]
    async with opened(bench(site)) as pilot:
        raw = Static(Line(f"{words}\n{words}"))
        raw.border_title, raw.styles.border = words, ("round", "red")
        await pilot.app.screen.mount(raw)
        pilot.app.notify(words, title=words, markup=False)
        raw.tooltip = words
        await pilot.pause()
        strips = pilot.app.screen._compositor.render_strips()
        pieces = [segment.text for strip in strips for segment in strip if not segment.control]
        assert leaked("".join(pieces), screen=True) == []
        assert "forged" in "".join(pieces) or "degrof" in "".join(pieces)
