"""The plan on the command line grows with the kinds of steps, not with the servers, and counts as the screen does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rbdtui.cli.output import Exit
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.terminal_text import sanitize
from rbdtui.words import LANGUAGES, T, use_language
from tests.cli import console
from tests.cli.hosts import FleetThread


@contextmanager
def site_of(tmp_path: Path, count: int) -> Iterator[Path]:
    """A site of so many simulated servers whose keys are trusted."""
    bundle = write_bundle(tmp_path / "bundle", images_bytes=4096)
    with FleetThread(SimulatedFleet(count)) as hosts:
        site = write_demo_site(tmp_path / "site", hosts.fleet, bundle=bundle)
        site.known_hosts_file.write_text(hosts.fleet.known_hosts)
        yield site.path


def steps_of(site: Path, language: str) -> list[dict[str, Any]]:
    """The plan as data."""
    steps: list[dict[str, Any]] = json.loads(console.run(language, "plan", site, "--json").check(Exit.GOOD).out)[
        "steps"
    ]
    return steps


def rows_of(said: console.Said) -> dict[str, str]:
    """The line of each kind of step."""
    found = re.findall(r"^[-+=] (\S+) +(.*)$", said.out, re.MULTILINE)
    assert len(found) == len(dict(found)), said.out
    return dict(found)


def test_it_grows_with_the_steps_and_not_with_the_servers(tmp_path: Path) -> None:
    with site_of(tmp_path / "few", 4) as site:
        few = console.run("en", "plan", site).check(Exit.GOOD)
    with site_of(tmp_path / "many", 7) as site:
        many = console.run("en", "plan", site).check(Exit.GOOD)
    assert list(rows_of(many)) == list(rows_of(few))
    assert len(many.out.splitlines()) == len(few.out.splitlines())
    assert "node7" in many.out


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_line_says_which_servers_change_and_the_end_counts_as_the_screen(tmp_path: Path, language: str) -> None:
    with site_of(tmp_path, 3) as site:
        steps = steps_of(site, language)
        read = console.run(language, "plan", site).check(Exit.GOOD)
        in_full = console.run(language, "plan", site, "--diff").check(Exit.GOOD).out
    assert list(rows_of(read)) == list(dict.fromkeys(str(step["id"]).partition("@")[0] for step in steps))
    changing = [step for step in steps if step["changes"]]
    assert changing
    use_language(language)
    try:
        amount = str(T("review.plan.changes", steps=len(steps), nodes=3, change=len(changing)))
        for kind, line in rows_of(read).items():
            nodes = [str(step["node"]) for step in changing if str(step["id"]).partition("@")[0] == kind]
            if nodes:
                assert str(T("review.to_change", count=len(nodes))) in line
                assert ", ".join(nodes) in line
    finally:
        use_language(LANGUAGES[0])
    assert amount in read.out.splitlines()
    shown = set(in_full.splitlines())
    for change in (change for step in changing for change in step["changes"]):
        assert f"      - {change['title']}" in shown
        assert {sanitize(f"        {line}") for line in change["detail"].splitlines()} <= shown
