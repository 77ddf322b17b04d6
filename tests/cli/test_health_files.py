"""`health --history` and `--prometheus`: what was, and what another program reads."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from jsonschema import Draft202012Validator

from rbdtui.cli.health_files import MetricsFile, past_line
from rbdtui.cli.output import CommandError, Exit
from rbdtui.paths import asset
from rbdtui.probes.history import HealthHistory
from rbdtui.probes.hosts import DISK
from rbdtui.probes.model import HealthEvent, ProbeKey, ProbeState
from rbdtui.site import Site
from rbdtui.words import T, say
from tests.cli import console
from tests.probes.test_prometheus import snapshot, value

FULL = T("probe.disk.used", path="/", percent=97, free_gib="1.0")


def kept(site: Site) -> None:
    history = HealthHistory(site.health_dir)
    key = ProbeKey(DISK, "node2")
    history.record(HealthEvent(key, ProbeState.OK, ProbeState.DOWN, FULL, None, 1000.0), "disk 97\n\x1b[2Jx")
    history.record(HealthEvent(key, ProbeState.DOWN, ProbeState.OK, FULL, None, 2000.0, first=True))
    history.close()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site.create(tmp_path / "site-a")
    made.begin("what stands there is not read\n")
    return made


@pytest.mark.parametrize("language", ["en", "zh"])
def test_history_is_told_without_asking_anybody(capsys: pytest.CaptureFixture[str], site: Site, language: str) -> None:
    said = console.say(capsys, language, "health", str(site.path), "--history").check(Exit.GOOD)
    assert said.out == ""
    assert say(T("cli.health.no_history"), language) in said.err
    kept(site)
    said = console.say(capsys, language, "health", str(site.path), "--history", "--ascii", "-v").check(Exit.GOOD)
    lines = said.out.splitlines()
    assert len([line for line in lines if "disk@node2" in line]) == 2
    assert "97" in lines[0]
    assert "    disk 97" in lines
    assert "\x1b" not in said.out


def test_history_in_json_is_as_its_schema_says(capsys: pytest.CaptureFixture[str], site: Site) -> None:
    kept(site)
    said = console.say(capsys, "en", "health", str(site.path), "--history", "--json").check(Exit.GOOD)
    told = json.loads(said.out)
    schema = json.loads(asset("schemas", "history.schema.json").read_text())
    Draft202012Validator(schema).validate(told)
    assert [(one["new"], one["unwatched"]) for one in told["events"]] == [("down", False), ("ok", True)]


@pytest.mark.parametrize("other", ["--watch", "--prometheus=x.prom"])
def test_history_goes_alone(capsys: pytest.CaptureFixture[str], site: Site, other: str) -> None:
    console.say(capsys, "en", "health", str(site.path), "--history", other).check(Exit.USAGE)


def test_what_nobody_watched_has_no_exact_time(site: Site) -> None:
    kept(site)
    watched, unwatched = HealthHistory(site.health_dir).events()
    assert click.unstyle(past_line(watched, ascii_only=True)).startswith(" ")
    assert click.unstyle(past_line(unwatched, ascii_only=True)).startswith("~")


def test_metrics_are_there_as_a_whole_and_for_other_users(tmp_path: Path) -> None:
    file = tmp_path / "site.prom"
    for _ in range(2):
        MetricsFile(file, 'si"te').write(snapshot())
    assert file.stat().st_mode & 0o777 == 0o644
    assert value(file.read_text(), "rbdtui_health_state", site='si"te', state="degraded") == [1]
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(CommandError, match="metrics_unwritable"):
        MetricsFile(tmp_path / "absent" / "site.prom", "a").write(snapshot())
