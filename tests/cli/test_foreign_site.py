"""A site that somebody handed over: what lies in it leads nowhere else and keeps nobody waiting."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rbdtui.cli.output import Exit
from rbdtui.site import Site, SiteError
from rbdtui.words import LANGUAGES
from rbdtui.workbench.run.run_list import list_runs
from rbdtui.workbench.site_list import summary_of_site
from screens.terminal.clock import day, lapse
from tests.cli import console
from tests.cli.hosts import fill_vault
from tests.spec.samples import changed

RUN = "runs/20260101-0000-aaaa"
MINE = "what the operator keeps elsewhere\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with a run that was left unfinished, as far as its files go."""
    path = tmp_path / "site"
    (path / RUN / "logs").mkdir(parents=True)
    (path / "facts").mkdir()
    path.chmod(0o700)
    (path / "cluster.yaml").write_text(changed(("/data/offline-packages", str(tmp_path)), ("port: 22", "port: 1")))
    (path / RUN / "events.jsonl").write_text("")
    fill_vault(path, {"sudo": "right"})
    return path


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[Path]:
    """A file of the operator's, which has to be as it was."""
    file = tmp_path / "authorized_keys"
    file.write_text(MINE)
    yield file
    assert file.read_text() == MINE


def replace(place: Path, make: Callable[[Path], object]) -> None:
    place.unlink(missing_ok=True)
    make(place)


WRITTEN = ("run.lock", "draft.json", "draft.lock", "copied.txt", "secrets.enc.lock", "facts/node1.json")
OF_RUNS = ("events.jsonl", "events.reserve", "runner.log", "number", "options.json", "logs/claim_node1.log")
COMMANDS = ("run --yes --passphrase-file FILE", "check", "attach", "stop", "trust --yes", "health")


@pytest.mark.parametrize("name", [*WRITTEN, *(f"{RUN}/{name}" for name in OF_RUNS)])
def test_a_link_is_not_written_through(site: Path, mine: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    replace(site / name, lambda place: place.symlink_to(mine))
    for command in COMMANDS:
        words = [str(site / "passphrase") if word == "FILE" else word for word in command.split()]
        said = console.say(capsys, "en", words[0], site, *words[1:]).check(Exit.USAGE)
        assert f"{site / name} is a symbolic link to {mine}" in said.err
    assert summary_of_site(site).problem is not None


def bind(place: Path) -> None:
    """A socket there; by way of its directory, since a socket's path must be short."""
    directory = os.open(place.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(f"/proc/self/fd/{directory}/{place.name}")
    finally:
        os.close(directory)


READ = ("known_hosts", "kubeconfig", "bundle-hashes.json")
ENDLESS: dict[str, tuple[str, Callable[[Path], object]]] = {
    **{f"pipe {name}": (name, os.mkfifo) for name in (*READ, "draft.json", f"{RUN}/number")},
    **{f"socket {name}": (name, bind) for name in (*READ, "facts/node1.json")},
    **{f"device {name}": (name, lambda place: place.symlink_to("/dev/zero")) for name in READ},
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", ENDLESS)
def test_what_never_ends_is_not_waited_for(
    site: Path, language: str, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name, make = ENDLESS[case]
    replace(site / name, make)
    for command in ("check", "trust --yes", "attach"):
        said = console.say(capsys, language, command.split()[0], site, *command.split()[1:]).check(Exit.USAGE)
        assert str(site / name) in said.err


JOURNAL = next((Path(__file__).parents[1] / "previous").rglob("events.jsonl")).read_text().splitlines()
ODD = (
    "1e300",
    "-1e300",
    "NaN",
    "-Infinity",
    "1e999",
    "9" * 400,
    "9" * 5000,
    "-" + "9" * 30,
    "true",
    '"Infinity"',
    "[1]",
)
NUMBERS = [(line, name) for line in (0, 2, len(JOURNAL) - 1) for name in ("at", "duration_s") if name in JOURNAL[line]]


@pytest.mark.parametrize(("line", "name"), NUMBERS)
def test_no_number_of_a_journal_upsets_who_reads_it(
    site: Path, line: int, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in ODD:
        content = {**json.loads(JOURNAL[line]), name: "ODD"}
        spoiled = json.dumps(content).replace('"ODD"', number)
        (site / RUN / "events.jsonl").write_text("\n".join([*JOURNAL[:line], spoiled, *JOURNAL[line + 1 :]]) + "\n")
        said = console.say(capsys, "en", "attach", site)
        assert "defect" not in said.err, f"{number[:9]}: {said.err}"
        (listed,) = list_runs(Site.open(site))
        lapse(listed.duration_s)
        if listed.began_at is not None:
            day(listed.began_at)
        assert summary_of_site(site).problem is None


def test_what_operators_do_themselves_is_let_be(site: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir(mode=0o700)
    (site / "runs").rename(disk / "runs")
    (disk / "runs").chmod(0o700)
    (site / "runs").symlink_to(disk / "runs")
    (disk / "known").write_text("")
    (site / "known_hosts").symlink_to(disk / "known")
    (site / "bundle").symlink_to(disk)
    (site / "notes.txt").symlink_to("/dev/null")
    bind(disk / RUN / "control.sock")
    assert Site.open(site).run_ids() == [Path(RUN).name]
    (disk / "runs").chmod(0o755)
    with pytest.raises(SiteError):
        Site.open(site)
