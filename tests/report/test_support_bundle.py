"""A support bundle has a fixed layout, stays where it is unpacked, and has nothing secret in it."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from rbdtui.paths import asset
from rbdtui.redact import MARK, Redactor
from rbdtui.report.collecting import NODE_PARTS, Collector, _logs_of, images_of
from rbdtui.report.support_bundle import collect_site, top_name, write_bundle
from rbdtui.transport.base import CommandResult, ConnectTimeoutError, Host, RemoteTimeoutError
from rbdtui.transport.scripts import Script
from tests.hostile import ALL, leaked
from tests.report.sites import Page, site_with

NOW = 1_772_470_000.0
OPERATOR = "First login failed, login insecure repository goodrain.me with username admin and password canary-hub\n"


def written(directory: Path, collector: Collector) -> Mapping[str, str]:
    """What somebody who unpacks the bundle finds, by path below its top."""
    file = directory / "out.tar.gz"
    write_bundle(file, "top", collector.collected, now=NOW, known_secrets=True)
    assert file.stat().st_mode & 0o077 == 0
    with tarfile.open(file) as archive:
        archive.extractall(directory / "unpacked", filter="data")
        names = archive.getnames()
    assert all(name.startswith("top/") for name in names)
    root = directory / "unpacked" / "top"
    return {str(path.relative_to(root)): path.read_text("utf-8") for path in root.rglob("*") if path.is_file()}


def test_the_site_and_its_runs_are_in_it_and_its_secrets_are_not(tmp_path: Path) -> None:
    site = site_with(tmp_path / "site")
    for name in ("secrets.enc", "kubeconfig", "known_hosts", "demo-key"):
        (site.path / name).write_text("canary-file")
    run = site.run_dir(site.run_ids()[0])
    (run / "logs" / "claim@node1.log").write_text(f"{OPERATOR}token: canary-token\ncanary-of-the-vault\n")
    collector = Collector(Redactor(["canary-of-the-vault"]))
    collect_site(collector, site)
    files = written(tmp_path, collector)
    assert {"index.html", "site/cluster.yaml", f"runs/{run.name}/events.jsonl"} <= files.keys()
    assert files[f"runs/{run.name}/logs/claim@node1.log"].count(MARK) == 3
    assert [path for path, text in files.items() if "canary" in text] == []


def test_names_of_a_cluster_lead_nowhere_else_and_its_words_do_not_act(tmp_path: Path) -> None:
    collector = Collector(Redactor())
    collector.keep("cluster/logs/../../../etc/passwd.log", ALL)
    collector.keep("cluster/logs/<script>/a\x1b[2J/x.log", "<script>alert(1)</script>")
    collector.miss("cluster/<img src=x>", f"<script>{ALL}")
    files = written(tmp_path, collector)
    assert all(".." not in path.split("/") for path in files)
    assert [text for text in files.values() if leaked(text)] == []
    assert {"script", "img"}.isdisjoint(Page(files["index.html"]).tags)


class Silent:
    """A server that does not answer, or whose one part hangs."""

    def __init__(self, name: str, hanging: str = "") -> None:
        self.name, self._hanging = name, hanging

    async def connect(self) -> None:
        if not self._hanging:
            raise ConnectTimeoutError(self.name, address="127.88.0.12", port=22, seconds=10)

    async def run(self, script: Script, *args: str, **_: object) -> CommandResult:
        if args[0] == self._hanging:
            raise RemoteTimeoutError(self.name, script=script.name, seconds=45)
        return CommandResult(0, f"{args[0]} of {self.name}\nauth_pass canary\n".encode(), b"", 0.1)


async def test_a_server_that_does_not_answer_costs_only_its_own_part(tmp_path: Path) -> None:
    hosts: dict[str, Host] = {"node1": Silent("node1", "logs"), "node2": Silent("node2")}  # type: ignore[dict-item]
    collector = Collector(Redactor())
    await collector.nodes(hosts)
    files = written(tmp_path, collector)
    assert {f"nodes/node1/{part}.txt" for part in NODE_PARTS} - files.keys() == {"nodes/node1/logs.txt"}
    assert sorted(collector.collected.missing) == ["nodes/node1/logs.txt", "nodes/node2"]
    told = Page(files["index.html"]).text
    assert "nodes/node2" in told
    assert [path for path, text in files.items() if "canary" in text] == []


def test_logs_are_had_of_the_operator_and_of_what_is_not_well() -> None:
    def pod(name: str, namespace: str, *, ready: bool, restarts: int = 0, phase: str = "Running") -> dict[str, object]:
        container = {"name": "c", "ready": ready, "restartCount": restarts, "state": {"running": {}}}
        status = {"phase": phase, "containerStatuses": [container]}
        return {"metadata": {"name": name, "namespace": namespace}, "status": status}

    assert _logs_of(pod("rainbond-operator-1", "rbd-system", ready=True)) == [
        ("rbd-system", "rainbond-operator-1", "c", False)
    ]
    assert _logs_of(pod("app", "default", ready=True, restarts=9)) == []
    assert [previous for *_, previous in _logs_of(pod("rbd-api-1", "rbd-system", ready=True, restarts=1))] == [True]
    assert [previous for *_, previous in _logs_of(pod("app", "default", ready=False, restarts=1))] == [False, True]
    for strange in ({}, {"metadata": 1, "status": []}, {"metadata": {}, "status": {"containerStatuses": [3, None]}}):
        assert _logs_of(strange) == []


@pytest.mark.parametrize("part", NODE_PARTS)
def test_each_part_is_shown_within_its_bounds_on_a_host_that_has_hardly_anything(part: str, tmp_path: Path) -> None:
    for program in ("cat", "tail", "printf", "timeout", "env"):
        (tmp_path / program).symlink_to(Path("/usr/bin") / program)
    done = subprocess.run(
        ["/bin/sh", asset("scripts", "support-show.sh"), part, "2000"],
        capture_output=True, timeout=30, env={"PATH": str(tmp_path), "LC_ALL": "C"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert len(done.stdout) <= 2000


def test_images_are_told_by_their_digests() -> None:
    def pod(image: str, image_id: object) -> dict[str, object]:
        return {"status": {"containerStatuses": [{"image": image, "imageID": image_id}]}}

    digest = f"sha256:{'a' * 64}"
    strange: tuple[dict[str, object], ...] = (
        {},
        {"status": 3},
        {"status": {"containerStatuses": [None]}},
        pod("c", None),
        pod("d", "docker://x"),
    )
    pods = {"items": [pod("goodrain.me/a:1", f"goodrain.me/a@{digest}"), pod("b", digest), *strange]}
    assert images_of(pods) == {"goodrain.me/a:1": digest, "b": digest}


def test_the_name_tells_site_and_time(tmp_path: Path) -> None:
    site = site_with(tmp_path / "站点 a")
    name = top_name(site, NOW)
    assert name.isascii()
    assert name.startswith("rbdtui-support-")
    assert " " not in name
