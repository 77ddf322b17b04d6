"""What of a site itself cannot be used: its vault, its runs, its other files; told with place and remedy."""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from rbdtui import session
from rbdtui.checks.jump_host import check_jump_host
from rbdtui.cli.output import Exit
from rbdtui.engine.events import Record, RunCreated
from rbdtui.engine.inputs import spec_digest
from rbdtui.engine.lock import hold_site
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import Build, SimulatedFleet
from rbdtui.site import Site
from rbdtui.vault import Vault
from rbdtui.words import LANGUAGES
from tests.cli import console
from tests.cli.hosts import PASSPHRASE, FleetThread, fill_vault
from tests.disks import fill, small_disk
from tests.spec.samples import changed

CANARY = "canary-value"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site whose file is good, with a vault."""
    path = tmp_path / "site"
    path.mkdir(mode=0o700)
    spec = changed(("/data/offline-packages", str(tmp_path)), ("port: 22", "port: 1"))
    (path / "cluster.yaml").write_text(spec.replace("10.0.0.", "127.77.9."))
    fill_vault(path, {"sudo": CANARY})
    return path


def write(site: Path, name: str, content: str | bytes) -> None:
    (site / name).parent.mkdir(parents=True, exist_ok=True)
    (site / name).write_bytes(content.encode() if isinstance(content, str) else content)


def damage_vault(site: Path) -> None:
    content = bytearray((site / "secrets.enc").read_bytes())
    content[-1] ^= 1
    write(site, "secrets.enc", bytes(content))


def make_directory(name: str) -> Callable[[Path], None]:
    def make(site: Path) -> None:
        (site / name).unlink(missing_ok=True)
        (site / name).mkdir()

    return make


def damaged_journal(site: Path) -> None:
    write(site, "runs/20260101-000000-aaaa/events.jsonl", 'nonsense\n{"schema":1,"seq":2}\n')


class Case(NamedTuple):
    """What is done to the site, the command that meets it, and pieces of what is told."""

    spoil: Callable[[Path], object]
    command: str
    pieces: tuple[str, ...]
    status: Exit = Exit.USAGE


def spoil_nothing(site: Path) -> None: ...


CASES = {
    "wrong passphrase": Case(
        lambda site: write(site, "passphrase", "battery staple\n"), "secret list SITE --passphrase-file FILE", ()
    ),
    "empty passphrase file": Case(
        lambda site: write(site, "passphrase", "\n"), "secret list SITE --passphrase-file FILE", ("FILE",)
    ),
    "binary passphrase file": Case(
        lambda site: write(site, "passphrase", b"\xff"), "secret list SITE --passphrase-file FILE", ("FILE", "UTF-8")
    ),
    "no passphrase file": Case(
        lambda site: (site / "passphrase").unlink(), "secret list SITE --passphrase-file FILE", ("FILE",)
    ),
    "nobody to ask": Case(spoil_nothing, "secret list SITE", ("--passphrase-file",)),
    "changed vault": Case(damage_vault, "secret list SITE --passphrase-file FILE", ()),
    "no vault at all": Case(
        lambda site: write(site, "secrets.enc", "hello\n"), "run SITE --yes --passphrase-file FILE", ("secrets.enc",)
    ),
    "a directory as vault": Case(
        make_directory("secrets.enc"), "run SITE --yes --passphrase-file FILE", ("secrets.enc",)
    ),
    "bad name of a secret": Case(spoil_nothing, "secret forget SITE ../x --passphrase-file FILE", ("../x", "63")),
    "unknown secret": Case(spoil_nothing, "secret forget SITE ssh --passphrase-file FILE", ("ssh",)),
    "no run to follow": Case(spoil_nothing, "attach SITE", ("rbdtui run",)),
    "no run to steer": Case(spoil_nothing, "pause SITE", ("rbdtui run",)),
    "damaged journal, attach": Case(damaged_journal, "attach SITE", ("events.jsonl",)),
    "damaged journal, run": Case(damaged_journal, "run SITE --yes --passphrase-file FILE", ("events.jsonl",)),
    "a run without a runner": Case(
        lambda site: write(site, "runs/20260101-000000-aaaa/events.jsonl", ""), "stop SITE", ("20260101-000000-aaaa",)
    ),
    "a file in place of the runs": Case(
        lambda site: write(site, "runs", ""), "attach SITE", ("rbdtui run",)
    ),
    "damaged known hosts": Case(
        lambda site: write(site, "known_hosts", "garbage \x00\n@cert"), "trust SITE --yes", ("known_hosts",),
        Exit.FINDINGS,
    ),
    "nobody there to trust": Case(
        spoil_nothing, "trust SITE --yes", ("127.77.9.11:1", "ssh.port"), Exit.FINDINGS
    ),
    "a directory as known hosts": Case(
        make_directory("known_hosts"), "trust SITE --yes", ("known_hosts",), Exit.FINDINGS
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_used_is_named(
    site: Path, language: str, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    case = CASES[name]
    case.spoil(site)
    before = console.contents(site)
    places = {"SITE": str(site), "FILE": str(site / "passphrase")}
    words = [places.get(word, word) for word in case.command.split()]
    said = console.say(capsys, language, *words).check(case.status)
    assert [piece for piece in case.pieces if places.get(piece, piece) not in said.words] == []
    assert [secret for secret in (CANARY, PASSPHRASE, "battery") if secret in said.words] == []
    after = console.contents(site)
    assert {file: after[file] for file in before} == before
    assert after.keys() - before.keys() <= {"run.lock"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_full_disk_is_named_and_leaves_nothing_by_halves(
    tmp_path: Path, language: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a new value"))
    with FleetThread(SimulatedFleet(1, speed=20.0)) as hosts, small_disk(tmp_path / "disk", size="256k") as disk:
        bundle = write_bundle(tmp_path / "bundle", images_bytes=4096)
        site = write_demo_site(disk / "site", hosts.fleet, bundle=bundle)
        site.known_hosts_file.write_text(hosts.fleet.known_hosts)
        options = ("--passphrase-file", fill_vault(site.path, {"sudo": CANARY}))
        fill(disk)
        before = console.contents(disk)
        for words, status in {
            ("init", disk / "new"): Exit.USAGE,
            ("secret", "set", site.path, "sudo", *options): Exit.USAGE,
            ("check", site.path): Exit.USAGE,
            ("run", site.path, "--yes", *options): Exit.USAGE,
        }.items():
            said = console.say(capsys, language, *words).check(status)
            assert str(disk) in said.err
            assert bool(said.out) == (words[0] == "check"), "what was found is told before it cannot be kept"
            assert console.contents(disk) == before
        assert Vault.open(site.vault_file, PASSPHRASE).get("sudo") == CANARY


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_second_run_names_the_first(site: Path, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    with hold_site(Site(site), "20260101-000000-aaaa"):
        before = console.contents(site)
        said = console.say(capsys, language, "run", site, "--yes", "--passphrase-file", site / "passphrase")
        said.check(Exit.USAGE)
        assert console.contents(site) == before
    assert said.out == ""
    assert "20260101-000000-aaaa" in said.err
    assert f"`rbdtui attach {site}`" in said.err


@pytest.mark.parametrize("language", LANGUAGES)
def test_commands_that_are_told_can_be_typed_whatever_the_site_is_called(
    tmp_path: Path, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "it's $(reboot)"
    named = shlex.quote(str(site))
    told = [
        console.say(capsys, language, "attach", site).check(Exit.USAGE).err,
        console.say(capsys, language, "init", site).check(Exit.GOOD).out,
        console.say(capsys, language, "attach", site).check(Exit.USAGE).err,
    ]
    site.chmod(0o755)
    told.append(console.say(capsys, language, "attach", site).check(Exit.USAGE).err)
    for words in told:
        assert named in words
        assert str(site) not in words.replace(named, "").replace(f"{site}/cluster.yaml", "")


@pytest.mark.parametrize("command", ["check --only rules", "plan", "run --yes", "bundle verify"])
def test_findings_are_json_where_json_is_wanted(site: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = site / "cluster.yaml"
    if command != "bundle verify":
        spec.write_text(spec.read_text().replace("unicast", "unicats"))
    said = console.say(capsys, "en", *command.split(), site, "--json")
    assert said.status == Exit.FINDINGS
    assert json.loads(said.out)["counts"]["error"] >= 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_health_needs_neither_the_bundle_nor_a_key_file(
    site: Path, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The disk with the packages has long gone home."""
    spec = site / "cluster.yaml"
    spec.write_text(spec.read_text().replace(f"bundle: {site.parent}", "bundle: /gone\nssh: {key: /gone/key}\n_:"))
    spec.write_text(re.sub(r"_:\nssh:\n(  .*\n)+", "", spec.read_text()))
    said = console.say(capsys, language, "health", site, "--ascii").check(Exit.FINDINGS)
    assert "RBD-LOCAL" not in said.words
    assert "node3" in said.out


def cut_off_run(spec_text: bytes) -> str:
    """The journal of a run that was left as soon as it was made; there is nothing to take it up with."""
    created = RunCreated("20260101-0000-aaaa", "demo", "kubernetes-only", (), spec_digest(spec_text), "0")
    return json.dumps(Record(1, 0.0, created).to_json()) + "\n"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_login_that_would_end_the_run_is_a_warning(
    tmp_path: Path, language: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The jump host is a directory that looks like one; everything else is as always."""
    for name, text in {
        "proc/self/cgroup": "0::/user.slice/user-65534.slice/session-3.scope\n",
        "etc/systemd/logind.conf": "[Login]\nKillUserProcesses=yes\n",
    }.items():
        write(tmp_path / "root", name, text)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(session, "check_jump_host", partial(check_jump_host, tmp_path / "root"))
    with FleetThread(SimulatedFleet(1, speed=20.0)) as hosts:
        site = write_demo_site(tmp_path / "site", hosts.fleet, bundle=write_bundle(tmp_path, images_bytes=4096))
        site.known_hosts_file.write_text(hosts.fleet.known_hosts)
        said = console.say(capsys, language, "check", site.path, "--ascii").check(Exit.GOOD)
        told = said.about("RBD-JUMP-001")
        assert told.startswith("! ")
        pieces = ("enable-linger", "systemd-run --user --scope rbdtui run")
        assert [piece for piece in pieces if piece not in told] == []

        write(site.path, "runs/20260101-0000-aaaa/events.jsonl", cut_off_run(site.spec_file.read_bytes()))
        options = ("--yes", "--ascii", "--passphrase-file", fill_vault(site.path, {}))
        again = console.say(capsys, language, "run", site.path, *options).check(Exit.USAGE)
        assert told in again.err, "said again to whoever takes a run up, which asks no host anything"


@pytest.fixture
def one_host(tmp_path: Path) -> Iterator[Path]:
    """A site with one good host, which wants a sudo password that nobody has stored."""
    bundle = write_bundle(tmp_path / "bundle", images_bytes=4096)
    with FleetThread(SimulatedFleet(1, speed=20.0, builds=[Build(user="ops", password="right")])) as hosts:
        site = write_demo_site(tmp_path / "site", hosts.fleet, bundle=bundle)
        site.known_hosts_file.write_text(hosts.fleet.known_hosts)
        yield site.path


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("vault", [False, True])
@pytest.mark.parametrize("command", ["check", "plan", "run --yes"])
def test_a_secret_that_is_not_stored_is_a_finding_beside_the_others(
    one_host: Path, language: str, vault: bool, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = fill_vault(one_host, {"other": CANARY}) if vault else one_host / "passphrase"
    file.write_text(PASSPHRASE)
    before = console.contents(one_host)
    options = ("--ascii", "--passphrase-file", file)
    said = console.say(capsys, language, *command.split(), one_host, *options).check(Exit.FINDINGS)
    assert console.contents(one_host) == before
    assert f"rbdtui secret set {one_host} sudo" in said.about("RBD-SECRET-001", "cluster.yaml:11:111")
    said.about("RBD-TOPO-003")


@pytest.mark.parametrize("language", LANGUAGES)
def test_servers_are_asked_although_the_bundle_is_gone(
    one_host: Path, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = fill_vault(one_host, {"sudo": "wrong"})
    one_host.with_name("bundle").rename(one_host.with_name("unplugged"))
    said = console.say(capsys, language, "check", one_host, "--ascii", "--passphrase-file", file).check(Exit.FINDINGS)
    said.about("RBD-LOCAL-005", "cluster.yaml:5:9")
    said.about("RBD-SSH-011", "node1")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_plan_that_could_not_start_says_so(one_host: Path, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = fill_vault(one_host, {"sudo": "right"})
    words = ("plan", one_host, "--ascii", "--passphrase-file", file)
    assert console.say(capsys, language, *words).check(Exit.GOOD).err == ""
    (one_host.with_name("bundle") / "rke2.linux-amd64.tar.gz").unlink()
    said = console.say(capsys, language, *words).check(Exit.FINDINGS)
    assert re.search(r"^\+ rke2-first-server .*node1", said.out, re.MULTILINE)
    assert "rbdtui check" in said.err
