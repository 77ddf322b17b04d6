"""What was: runs of a site, logs of their steps, and the kubeconfig that came of them."""

from __future__ import annotations

import gzip
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from rbdtui.cli.output import Exit
from rbdtui.engine.client import latest_run
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.site import Site
from rbdtui.vault import Vault
from rbdtui.words import LANGUAGES, T, say
from tests.cli import console
from tests.cli.hosts import PASSPHRASE, FleetThread, fill_vault
from tests.report.sites import Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, console.Said]]:
    """A site of one server whose run ended well, and what the run said."""
    directory = tmp_path_factory.mktemp("past")
    with FleetThread(SimulatedFleet(1, speed=20.0)) as hosts:
        bundle = write_bundle(directory / "bundle", images_bytes=4096)
        site = write_demo_site(directory / "site", hosts.fleet, bundle=bundle)
        site.known_hosts_file.write_text(hosts.fleet.known_hosts)
        passphrase = fill_vault(site.path, {})
        said = console.run("en", "run", site.path, "--yes", "--passphrase-file", passphrase, limit_s=200)
        yield site, said.check(Exit.GOOD)


def test_a_run_that_ended_well_says_how_the_cluster_is_used(installed: tuple[Site, console.Said]) -> None:
    site, said = installed
    assert "Rainbond's console" not in said.err
    assert f"export KUBECONFIG={site.kubeconfig_file}" in said.err
    path = console.run("en", "kubeconfig", site.path).check(Exit.GOOD)
    assert path.out == f"{site.kubeconfig_file}\n"
    assert site.kubeconfig_file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_healthy_cluster_is_told_with_how_it_is_used(installed: tuple[Site, console.Said], language: str) -> None:
    site, _ = installed
    said = console.run(language, "health", site.path).check(Exit.GOOD)
    assert f"export KUBECONFIG={site.kubeconfig_file}" in said.err
    assert console.run(language, "health", site.path, "--json").check(Exit.GOOD).err == ""


def test_the_plan_of_what_is_installed_changes_nothing(installed: tuple[Site, console.Said]) -> None:
    site, _ = installed
    said = console.run("en", "plan", site.path, "--passphrase-file", site.path / "passphrase").check(Exit.GOOD)
    rows = [line for line in said.out.splitlines() if line[:2] in ("+ ", "= ", "- ")]
    assert rows
    assert [line for line in rows if line.startswith("+")] == []
    assert str(T("review.plan.nothing", steps=len(rows), nodes=1)) in said.out.splitlines()


def test_an_rke2_in_the_bundle_that_cannot_follow_is_found_before_it_is_installed(
    installed: tuple[Site, console.Said],
) -> None:
    site, _ = installed
    archive = site.path.parent / "bundle" / "rke2.linux-amd64.tar.gz"
    whole = archive.read_bytes()
    words = ("check", site.path, "--json", "--passphrase-file", site.path / "passphrase")

    def codes(minor: str) -> set[str]:
        older = gzip.decompress(whole).replace(b"v1.30.4+rke2r1", f"v1.{minor}+rke2r1".encode())
        archive.write_bytes(gzip.compress(older))
        return {each["code"] for each in json.loads(console.run("en", *words).out)["findings"]}

    try:
        assert "RBD-UPGRADE-101" in codes("29.4")
        assert "RBD-UPGRADE-102" in codes("30.3")
        assert "RBD-UPGRADE-105" in codes("32.4")
        assert not [code for code in codes("30.4") | codes("31.4") if code.startswith("RBD-UPGRADE")]
    finally:
        archive.write_bytes(whole)


@pytest.mark.parametrize("language", LANGUAGES)
def test_runs_are_listed(installed: tuple[Site, console.Said], language: str) -> None:
    site, _ = installed
    newest = latest_run(site)
    assert newest is not None
    (line,) = console.run(language, "runs", site.path).check(Exit.GOOD).out.splitlines()
    assert line.split()[0] == newest.run_id
    assert {"en": "done", "zh": "完成"}[language] in line


def test_runs_in_their_published_form(installed: tuple[Site, console.Said]) -> None:
    site, _ = installed
    answered = json.loads(console.run("en", "runs", site.path, "--json").check(Exit.GOOD).out)
    schema = json.loads(console.run("en", "schema", "runs").out)
    jsonschema.validate(answered, schema)
    (run,) = answered["runs"]
    assert run["state"] == "done"
    assert run["changed"] > 5
    assert run["duration_s"] > 0


def test_logs_of_all_steps_of_a_node_and_of_one(installed: tuple[Site, console.Said]) -> None:
    site, _ = installed
    everything = console.run("en", "logs", site.path, "--follow").check(Exit.GOOD).out
    headings = [line for line in everything.splitlines() if line.startswith("==> ")]
    assert "==> rke2-first-server@node1 <==" in headings
    assert len(set(headings)) == len(headings)
    of_node = console.run("en", "logs", site.path, "--node", "node1").check(Exit.GOOD).out
    assert all(line.endswith("@node1 <==") for line in of_node.splitlines() if line.startswith("==> "))
    one = console.run("en", "logs", site.path, "--step", "rke2-first-server", "--run", site.run_ids()[-1][-4:])
    assert one.check(Exit.GOOD).out.splitlines()[0] == "==> rke2-first-server@node1 <=="
    assert one.out in everything


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("options", "known"),
    [
        (["--step", "nope"], "rke2-first-server"),
        (["--node", "nope"], "node1"),
        (["--run", "nope"], "rbdtui runs"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(
    installed: tuple[Site, console.Said], language: str, options: list[str], known: str
) -> None:
    said = console.run(language, "logs", installed[0].path, *options).check(Exit.USAGE)
    assert "nope" in said.err
    assert known in said.err
    assert said.out == ""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("verb", ["runs", "logs", "kubeconfig"])
def test_a_site_without_a_run_says_how_one_is_started(tmp_path: Path, language: str, verb: str) -> None:
    console.run(language, "init", tmp_path / "site")
    said = console.run(language, verb, tmp_path / "site").check(Exit.GOOD if verb == "runs" else Exit.USAGE)
    assert "rbdtui run" in said.err


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("given", "meant"), [("chekc", "check"), ("attch", "attach"), ("helth", "health")])
def test_a_misspelt_command_is_told_with_the_one_that_was_meant(language: str, given: str, meant: str) -> None:
    said = console.run(language, given).check(Exit.USAGE)
    assert given in said.err
    assert meant in said.err
    assert "completion" not in said.err


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_empty_vault_says_so(tmp_path: Path, language: str) -> None:
    console.run(language, "init", tmp_path / "site")
    said = console.run(language, "secret", "list", tmp_path / "site").check(Exit.GOOD)
    assert said.out == ""
    assert "rbdtui secret set" in said.err


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_tells_what_was_installed_and_how_it_is_now(
    installed: tuple[Site, console.Said], language: str
) -> None:
    site, _ = installed
    said = console.run(language, "report", site.path)
    assert (said.status, said.err) == (Exit.GOOD, "")
    files = [Path(line) for line in said.out.splitlines()]
    assert files == [site.path / "report.html", site.path / "report.md"]
    for file in files:
        written = file.read_text(encoding="utf-8")
        for known in (site.run_ids()[-1], "node1", say(T("report.verdict.health_ok"), language)):
            assert known in written
        assert re.search(r"\b[0-9a-f]{64}\b", written), "digests of what was sent"
    assert Page(files[0].read_text(encoding="utf-8")).wrong == []


def test_no_secret_of_the_site_is_in_its_report(installed: tuple[Site, console.Said]) -> None:
    site, _ = installed
    vault = Vault.open(site.vault_file, PASSPHRASE)
    secrets = {vault.get(name) for name in vault.names()}
    assert len(secrets) >= 3
    key = ("--passphrase-file", site.path / "passphrase")
    said = console.run("en", "report", site.path, "--no-health", *key).check(Exit.GOOD)
    files = [Path(line) for line in said.out.splitlines()]
    assert len(files) == 2
    for file in files:
        assert file.stat().st_mode & 0o077 == 0
        assert [secret for secret in secrets if secret in file.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("opened", [True, False])
def test_a_support_bundle_has_everything_but_secrets(
    installed: tuple[Site, console.Said], tmp_path: Path, opened: bool
) -> None:
    site, _ = installed
    vault = Vault.open(site.vault_file, PASSPHRASE)
    file = tmp_path / "help.tar.gz"
    key = ("--passphrase-file", site.path / "passphrase") if opened else ()
    said = console.run("en", "support-bundle", site.path, "-o", file, *key)
    assert (said.status, said.out, said.err) == (Exit.GOOD, f"{file}\n", "")
    with tarfile.open(file) as archive:
        members = [member for member in archive if member.isfile()]
        texts = {member.name.partition("/")[2]: archive.extractfile(member).read() for member in members}  # type: ignore[union-attr]
    run = site.run_ids()[-1]
    for path in (
        "index.html", "report.html", "findings.json", "health.json", "site/cluster.yaml", f"runs/{run}/events.jsonl",
        "nodes/node1/config.txt", "nodes/node1/units.txt", "nodes/node1/rke2.txt", "cluster/nodes.json",
        "cluster/pods.json",
    ):  # fmt: skip
        assert path in texts
    assert re.search(rb"\btoken\"?: \"?\*{6}", texts["nodes/node1/config.txt"])
    assert json.loads(texts["cluster/nodes.json"])["items"]
    assert [json.loads(line)["seq"] for line in texts[f"runs/{run}/events.jsonl"].splitlines()][:2] == [1, 2]
    for name in vault.names():
        assert [path for path, text in texts.items() if vault.get(name).encode() in text] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_is_written_though_nobody_can_open_the_vault(tmp_path: Path, language: str) -> None:
    site = tmp_path / "site"
    console.run("en", "init", site, "--example", "kubernetes-only")
    fill_vault(site, {"sudo": "canary"})
    said = console.run(language, "report", site, "-o", tmp_path / "report.md").check(Exit.GOOD)
    written = (tmp_path / "report.md").read_text(encoding="utf-8")
    begin = say(T("report.health.locked"), language).partition("{")[0]
    assert begin in written
    assert begin in said.err
    assert "canary" not in written


def test_a_report_in_a_form_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    console.run("en", "init", tmp_path / "site")
    said = console.run("en", "report", tmp_path / "site", "-o", tmp_path / "report.pdf").check(Exit.USAGE)
    assert ".html" in said.err
    assert not (tmp_path / "report.pdf").exists()
