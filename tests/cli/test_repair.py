"""``repair`` on simulated hosts: listed, shown, agreed to, done, told, and never twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from rbdtui.cli.output import Exit
from rbdtui.engine.inputs import read_purpose
from rbdtui.engine.lock import hold_site
from rbdtui.paths import asset
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import Build, SimulatedFleet
from rbdtui.simulator.machine import Hardware
from rbdtui.site import Site
from rbdtui.words import LANGUAGES
from tests.cli import console
from tests.cli.hosts import FleetThread, fill_vault

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    build = Build(hardware=Hardware(swap_bytes=2**30))
    with FleetThread(SimulatedFleet(1, speed=20.0, builds=(build,))) as hosts:
        bundle = write_bundle(tmp_path / "bundle", images_bytes=4096)
        site = write_demo_site(tmp_path / "site", hosts.fleet, bundle=bundle)
        site.known_hosts_file.write_text(hosts.fleet.known_hosts)
        fill_vault(site.path, {})
        yield site


def say(site: Site, *words: str, language: str = "en") -> console.Said:
    return console.run(language, "repair", site.path, *words, "--passphrase-file", site.path / "passphrase")


@pytest.mark.parametrize("language", LANGUAGES)
def test_swap_is_found_shown_turned_off_and_not_found_again(site: Site, language: str) -> None:
    listed = json.loads(say(site, "--json").check(Exit.GOOD).out)
    Draft202012Validator(json.loads(asset("schemas", "repair.schema.json").read_text())).validate(listed)
    assert listed == {"repairs": [{"step": "repair-swap@node1", "codes": ["RBD-HW-105"]}], "silent": []}
    shown = say(site, language=language).check(Exit.GOOD).out
    assert "RBD-HW-105" in shown
    assert f"rbdtui repair {site.path}" in shown

    dry = say(site, "--all", "--dry-run", language=language).check(Exit.GOOD)
    assert "/etc/fstab" in dry.out
    assert "/var/lib/rbdtui/backup" in dry.out
    assert "\n        swapoff -a\n" in dry.out, "the command as it is"
    assert "        +# /dev/vda2 none swap" in dry.out, "the line of the file as it is"
    assert site.run_ids() == []
    refused = say(site, "--all", language=language)
    assert refused.status == Exit.USAGE
    assert "--yes" in refused.err
    assert site.run_ids() == [], "nobody has agreed"

    say(site, "RBD-HW-105", "--yes", language=language).check(Exit.GOOD)
    (run_id,) = site.run_ids()
    assert read_purpose(site.run_dir(run_id)).name == "repair"
    assert json.loads(say(site, "--json").check(Exit.GOOD).out) == {"repairs": [], "silent": []}
    say(site, "--all", "--yes", language=language).check(Exit.GOOD)
    assert site.run_ids() == [run_id], "nothing to do is no run"


def test_the_steps_of_a_dry_run_have_the_shape_of_a_plan(site: Site) -> None:
    answer = json.loads(say(site, "--all", "--dry-run", "--json").check(Exit.GOOD).out)
    Draft202012Validator(json.loads(asset("schemas", "plan.schema.json").read_text())).validate(answer)
    (step,) = answer["steps"]
    assert (step["id"], step["satisfied"]) == ("repair-swap@node1", False)
    assert {change["kind"] for change in step["changes"]} == {"command", "file"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_a_silent_server_it_is_said_that_nothing_is_known(site: Site, language: str) -> None:
    text = site.spec_file.read_text()
    here = text.index("  - {") if "  - {" in text else text.index("  - name")
    gone = "  - {name: gone, address: 127.99.0.1, roles: [worker]}\n"
    site.spec_file.write_text(text[:here] + gone + text[here:])
    said = say(site, language=language).check(Exit.FINDINGS)
    assert "RBD-HW-105" in said.out
    assert "gone" in said.err
    assert json.loads(say(site, "--json").out)["silent"] == ["gone"]
    assert say(site, "--node", "node1").check(Exit.GOOD).err.count("gone") == 0, "nobody has asked for it"


def test_while_a_run_is_under_way_nothing_is_asked(site: Site) -> None:
    with hold_site(site, "20260101-0000-aaaa"):
        said = say(site, "--all", "--yes").check(Exit.USAGE)
    assert "20260101-0000-aaaa" in said.err
    assert "answers" not in said.err, "no server was asked"
    assert site.run_ids() == []


def test_what_cannot_be_repaired_is_said_with_what_can(site: Site) -> None:
    said = say(site, "RBD-HW-105,RBD-X-1", "--yes").check(Exit.FINDINGS)
    assert "RBD-HW-105" in said.err
    said = say(site, "RBD-HW-105", "--node", "nobody", "--yes")
    assert said.status != Exit.GOOD
    assert "node1" in said.err
    assert site.run_ids() == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_run_that_is_named_is_named_in_the_refusal(site: Site, language: str) -> None:
    said = say(site, "--undo", "--of", "x", "--yes", language=language)
    assert said.status == Exit.USAGE
    assert "x " in said.err
    assert say(site, "--undo", "--yes", language=language).err.strip() in said.err, "and that there is none at all"
    alone = say(site, "--of", "x", "--yes", language=language)
    assert (alone.status, "--undo" in alone.err) == (Exit.USAGE, True)
    assert "answers" not in alone.err, "no server was asked"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_repair_is_taken_back_and_then_found_again(site: Site, language: str) -> None:
    say(site, "--undo", "--yes", language=language).check(Exit.FINDINGS)
    assert site.run_ids() == []
    found = json.loads(say(site, "--json").check(Exit.GOOD).out)
    say(site, "--all", "--yes").check(Exit.GOOD)
    (repaired,) = site.run_ids()

    assert say(site, "--undo", "--all", "--yes", language=language).status == Exit.USAGE
    dry = say(site, "--undo", "--dry-run", language=language).check(Exit.GOOD)
    assert "swapon /dev/vda2" in dry.out
    assert "        -# /dev/vda2 none swap" in dry.out
    assert site.run_ids() == [repaired]
    say(site, "--undo", "--yes", language=language).check(Exit.GOOD)
    assert json.loads(say(site, "--json").check(Exit.GOOD).out) == found
    runs = site.run_ids()
    assert read_purpose(site.run_dir(runs[-1])).name == "undo-repair"
    say(site, "--undo", "--yes", language=language).check(Exit.GOOD)
    assert site.run_ids() == runs, "nothing to do is no run"

    other = say(site, "--undo", "--of", runs[-1], "--yes", language=language)
    assert other.status == Exit.USAGE
    assert repaired in other.err, "the runs that can be taken back are named"
    nobody = say(site, "--undo", "--of", repaired, "--node", "nobody", "--yes")
    assert "node1" in nobody.err
