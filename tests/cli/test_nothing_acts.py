"""Nothing that a server, a file or the network says acts on the terminal of whoever uses the command line."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

import asyncssh
import pytest

from rbdtui.cli.health import event_line, health_lines
from rbdtui.cli.lanes import record_lines
from rbdtui.cli.output import answer, answer_findings, answer_json, tell
from rbdtui.engine.events import EVENT_TYPES, Event, Record, RunCreated
from rbdtui.engine.state import RunState
from rbdtui.findings import Finding, Place, Severity
from rbdtui.probes import hosts
from rbdtui.probes.model import Health, HealthEvent, HealthSnapshot, ProbeKey, ProbeState, ProbeStatus
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.site import Site
from rbdtui.words import LANGUAGES, T, Text, catalogue
from tests import hostile_hosts
from tests.cli import console
from tests.cli.hosts import FleetThread, fill_vault
from tests.hostile import ALL, AS_SENT, POISONS, leaked
from tests.screens.journals import Story, asks, write_run
from tests.screens.terminal import Terminal, terminal
from tests.waiting import LIMIT_S

SURROGATES = re.compile("[\ud800-\udfff]")
"""What no file in UTF-8 can hold."""
IN_FILES = SURROGATES.sub("", ALL)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "home"
    directory.mkdir()
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return directory


def ended(shown: Terminal, *, limit_s: float = LIMIT_S) -> str:
    """All that a command wrote to its terminal; fails when anything of it acts."""
    shown.ended(limit_s)
    assert leaked(shown.written) == [], ascii(shown.written)
    assert "Traceback" not in shown.written, shown.written
    return shown.said()


def site_of(directory: Path, nodes: dict[str, tuple[str, int]]) -> Site:
    """A site with nodes on loopback."""
    site = Site.create(directory)
    (site.path / "bundle").mkdir()
    key = site.path / "key"
    key.touch(mode=0o600)
    key.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    lines = [
        f"  - {{name: {name}, address: {address}, roles: [worker], ssh: {{port: {port}}}}}\n"
        for name, (address, port) in nodes.items()
    ]
    site.begin(
        f"apiVersion: rbdtui/v1\nname: demo\nprofile: kubernetes-only\nbundle: bundle\nssh: {{key: {key}}}\n"
        f"nodes:\n{''.join(lines)}kubernetes: {{distribution: rke2, api: {{mode: first-server}}}}\n"
        "gateway: {mode: none}\n"
    )
    return site


# --- the network, before anybody has shown a key -------------------------------------------------------------


@pytest.fixture
def spoofed(tmp_path: Path) -> Iterator[tuple[Site, str]]:
    """One good host, and for each poison one that leaves with it, one that greets with it, and one that is no SSH."""
    shapes = (hostile_hosts.disconnects, hostile_hosts.greets, hostile_hosts.is_no_ssh)
    answers = [shape(poison.encode("utf-8", "replace")) for poison in POISONS.values() for shape in shapes]
    spaced = b"x" * 43 + b" " * 200 + b"node1  127.77.0.11:22  ssh-ed25519 SHA256:forged  new"
    answers.append(hostile_hosts.disconnects(spaced))
    answers.append(hostile_hosts.disconnects(b"\nnode1  127.77.0.11:22  ssh-ed25519 SHA256:forged  new\n"))
    places = dict(zip(hostile_hosts.addresses(len(answers)), answers, strict=True))
    with FleetThread(SimulatedFleet(1)) as hosts, hostile_hosts.answering(places) as port:
        (station,) = hosts.fleet.stations.values()
        nodes = {"node1": (str(station.machine.ip), hosts.fleet.port)}
        nodes |= {f"evil{number}": (address, port) for number, address in enumerate(places)}
        fingerprint = asyncssh.import_public_key(" ".join(station.sshd.known_hosts_line.split()[1:])).get_fingerprint()
        yield site_of(tmp_path / "site", nodes), fingerprint


@pytest.mark.parametrize("language", LANGUAGES)
def test_nobody_on_the_network_forges_a_key_that_is_to_be_confirmed(
    spoofed: tuple[Site, str], home: Path, language: str
) -> None:
    site, fingerprint = spoofed
    with terminal("--lang", language, "trust", site.path, home=home) as shown:
        shown.wait_for("[y/N]", 60.0)
        seen = shown.text()
        shown.type("n\n")
        said = ended(shown)
    rows = said.replace("\r", "").splitlines()
    first = next(number for number, row in enumerate(rows) if row.startswith("evil"))
    own = [row for row in rows if row.startswith("node1 ")]
    assert own == rows[:first], "whatever others say stands behind all keys"
    assert [row for row in rows[:first] if "SHA256:" in row] == own
    assert fingerprint in own[0]
    assert "forged" not in "".join(own)
    assert "[y/N]" in seen
    assert not site.known_hosts_file.exists()


# --- servers -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def evil_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A fleet whose scripts answer with poison, each node in another way."""
    adds = hostile_hosts.adds(AS_SENT)
    evils = {
        ("node1", "etcd-members"): hostile_hosts.fails_with(AS_SENT),
        ("node2", "facts"): hostile_hosts.adds(AS_SENT, to_lines=r".*(?:debian|Debian|tmpfs|inet|LISTEN|model).*"),
        ("node2", "file-write"): hostile_hosts.fails_with(AS_SENT),
        ("node2", "health"): hostile_hosts.says(AS_SENT),
        ("node3", "facts"): hostile_hosts.says(AS_SENT),
        ("node3", "health"): hostile_hosts.fails_with(AS_SENT),
        ("node4", "facts"): hostile_hosts.fails_with(AS_SENT),
        ("node4", "file-state"): hostile_hosts.says(AS_SENT),
        ("node4", "health"): adds,
    }
    directory = tmp_path_factory.mktemp("evil")
    with FleetThread(SimulatedFleet(4, speed=20.0, verbs=hostile_hosts.on_all(evils))) as hosts:
        site = write_demo_site(directory / "site", hosts.fleet)
        site.known_hosts_file.touch(mode=0o600)
        site.known_hosts_file.write_text(hosts.fleet.known_hosts)
        fill_vault(site.path, {}).chmod(0o600)
        yield site


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["check", "check --json", "plan --diff", "run --yes", "health", "health --json", "health -v"]
)
def test_no_server_acts_on_the_terminal(evil_site: Site, home: Path, command: str) -> None:
    words = [*command.split(), str(evil_site.path), "--passphrase-file", str(evil_site.path / "passphrase")]
    with terminal(*words, home=home, env={"TERM": "xterm-256color"}) as shown:
        assert "node" in ended(shown, limit_s=120.0)


@pytest.mark.slow
def test_a_run_its_question_and_its_logs_do_not_act(tmp_path: Path, home: Path) -> None:
    verbs = hostile_hosts.on("node2", "file-write", hostile_hosts.fails_with(AS_SENT))
    with FleetThread(SimulatedFleet(4, speed=20.0, verbs=verbs)) as hosts:
        site = write_demo_site(tmp_path / "site", hosts.fleet)
        site.known_hosts_file.touch(mode=0o600)
        site.known_hosts_file.write_text(hosts.fleet.known_hosts)
        fill_vault(site.path, {}).chmod(0o600)
        words = ["run", "--yes", str(site.path), "--passphrase-file", str(site.path / "passphrase")]
        with terminal(*words, home=home, size=(120, 40)) as shown:
            shown.wait_for("[s]", 120.0)
            assert "cannot do it" in shown.written
            shown.type("s\n")
            ended(shown, limit_s=120.0)
        for again in ("attach", "attach --json"):
            with terminal(*again.split(), site.path, home=home) as shown:
                assert "cannot do it" in ended(shown)
    for file in site.runs_dir.rglob("*.log"):
        assert leaked(file.read_text(encoding="utf-8")) == [], file.name


# --- files ---------------------------------------------------------------------------------------------------


def test_no_file_of_a_bundle_acts_by_its_name(tmp_path: Path, home: Path) -> None:
    site = site_of(tmp_path / "site", {"node1": ("127.77.33.1", 22)})
    bundle = write_bundle(site.path / "bundle-of-others")
    site.spec_file.write_text(site.spec_file.read_text().replace("bundle: bundle\n", f"bundle: {bundle}\n"))
    for poison in POISONS.values():
        name = poison.replace("/", "").replace("\0", "").encode("utf-8", "replace").decode()[:60]
        for directory in {file.parent for file in bundle.rglob("*")} | {bundle}:
            for form in (
                f"{name}.tar.gz",
                f"sha256sum-{name}.txt",
                f"{name}.deb",
                f"rke2-images{name}.linux-amd64.tar.zst",
            ):
                (directory / form).write_text(f"{name}\n{'0' * 64}  {name}\n")
    for more in ([], ["--json"]):
        with terminal("bundle", "verify", site.path, *more, home=home) as shown:
            assert "RBD-BUNDLE" in ended(shown)


COMMANDS = ("check --only rules", "check --only rules --json", "plan", "trust", "attach", "secret list")


def test_no_value_of_a_plan_acts(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = site_of(tmp_path / "site", {"node1": ("127.77.33.1", 22)})
    poison = json.dumps(IN_FILES)
    text = site.spec_file.read_text()
    for place in ("name: demo", "kubernetes-only", "bundle: bundle", "node1", "127.77.33.1", "worker", "first-server"):
        key, _, _ = place.partition(": ")
        spoilt = text.replace(place, f"{key}: {poison}" if ": " in place else poison, 1)
        site.spec_file.write_text(f"{spoilt}{poison}: {poison}\n")
        for command in COMMANDS:
            for language in LANGUAGES:
                assert leaked(console.say(capsys, language, *command.split(), site.path).words) == []
    for content in (text.encode() + AS_SENT, site.spec_file.read_bytes()):
        site.spec_file.write_bytes(content)
        with terminal("check", "--only", "rules", site.path, home=home) as shown:
            assert "cluster.yaml" in ended(shown)


def poisoned(kind: type[Event]) -> Event:
    """An event whose every word is hostile."""
    values: dict[str, object] = {}
    hints = get_type_hints(kind)
    for each in dataclasses.fields(kind):
        hint = hints[each.name]
        if hint is Text or hint == Text | None:
            values[each.name] = T("plan.note.vip_away", node=IN_FILES)
        elif hint is str and each.name not in ("step", "question"):
            values[each.name] = IN_FILES
        elif each.name in ("step", "question"):
            values[each.name] = "host-packages@node2"
        elif each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING:
            values[each.name] = _least(hint)
    return kind(**values)


def _least(hint: object) -> object:
    """A value of a type that has no words."""
    if isinstance(hint, type) and hasattr(hint, "__members__"):
        return next(iter(hint))  # type: ignore[call-overload]
    return 1 if hint in (int, float) or "float" in str(hint) else ()


@pytest.mark.parametrize("kind", [kind for kind in EVENT_TYPES.values() if kind is not RunCreated])
def test_no_event_of_a_journal_acts(kind: type[Event]) -> None:
    state = RunState()
    event = poisoned(kind)
    for line in record_lines(Record(2, 0.0, event), state):
        assert leaked(line) == []


def test_no_journal_acts_as_a_whole(tmp_path: Path, home: Path) -> None:
    site = site_of(tmp_path / "site", {"node1": ("127.77.33.1", 22)})
    story = Story(
        fails={"host-packages@node2": asks},
        extra=[(2.0, poisoned(kind)) for name, kind in EVENT_TYPES.items() if name.startswith("step-")],
    )
    records = story.records()
    created = records[0].event
    assert isinstance(created, RunCreated)
    infos = tuple(dataclasses.replace(info, title=T("plan.note.vip_away", node=IN_FILES)) for info in created.steps)
    first = dataclasses.replace(created, site=IN_FILES, steps=infos)
    write_run(site, [dataclasses.replace(records[0], event=first), *records[1:]])
    for more in ([], ["--json"]):
        with terminal("attach", site.path, *more, home=home) as shown:
            assert "host-packages" in ended(shown)


# --- arguments, and what Python says itself ------------------------------------------------------------------


@pytest.mark.parametrize("poison", POISONS)
def test_no_argument_acts(home: Path, poison: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = SURROGATES.sub("", POISONS[poison]).replace("\0", "")
    lines = (
        ["check", words], [f"--{words}"], ["check", f"--{words}"], ["check", "--only", words],
        ["run", "--accept", words],
        ["init", "--example", words], ["demo", "--nodes", words], ["secret", "forget", ".", words],
    )  # fmt: skip
    for line in lines:
        assert leaked(console.say(capsys, "en", *line).words) == []
    for line in ([words], ["--lang", words]):
        with terminal(*line, home=home) as shown:
            ended(shown)


def test_no_trace_and_no_warning_acts(home: Path) -> None:
    program = (
        "import logging, sys, threading\n"
        "from rbdtui.cli.output import clean_last_words\n"
        "clean_last_words()\n"
        f"words = {ALL!a}\n"
        "logging.getLogger('asyncssh').warning('%s', words)\n"
        "def fails(): raise ValueError(words)\n"
        "thread = threading.Thread(target=fails); thread.start(); thread.join()\n"
        "fails()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=home, check=False)
    said = done.stderr.decode()
    assert leaked(said) == [], ascii(said)
    assert said.count("ValueError: ") == 2


# --- what is said in lines -----------------------------------------------------------------------------------


@pytest.mark.parametrize("poison", POISONS)
def test_no_finding_and_no_probe_acts(poison: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = POISONS[poison]
    codes = sorted({key.split(".")[1] for key in catalogue("en") if key.startswith("finding.")})
    params = {name: words for key in catalogue("en") for name in re.findall(r"{(\w+)", catalogue("en")[key])}
    place = Place(field=words, node=words)
    findings = [Finding(code, Severity.ERROR, place, params, f"{words}\n{words}") for code in codes]
    for as_json in (False, True):
        answer_findings(findings, ascii_only=False, verbose=True, as_json=as_json)
    key = ProbeKey(hosts.DISK, words)
    detail = T("plan.note.vip_away", node=words)
    probe = ProbeStatus(key, ProbeState.DOWN, detail, 0.0)
    for line in health_lines(HealthSnapshot(Health.DEGRADED, detail, (probe,)), ascii_only=False, verbose=True):
        answer(line)
    answer(event_line(HealthEvent(key, ProbeState.OK, ProbeState.DOWN, detail, None, 0.0), ascii_only=False))
    answer(words)
    tell(words)
    answer_json({words: [words]})
    captured = capsys.readouterr()
    assert leaked(captured.out + captured.err) == []
