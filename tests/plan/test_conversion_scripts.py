"""Scripts of the conversion in a real shell, with stand-ins for the programs that they call."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from rbdtui.transport.scripts import script


def run(
    name: str, *arguments: str, programs: Mapping[str, str] | None = None, at: Path, payload: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """A script with its arguments, in a POSIX shell that finds these programs first."""
    for program, text in (programs or {}).items():
        (at / program).write_text(f"#!/bin/sh\n{text}\n")
        (at / program).chmod(0o755)
    return subprocess.run(
        ["sh", "-c", script(name).text, name, *arguments], input=payload, capture_output=True, timeout=30, check=False,
        env={**os.environ, "PATH": f"{at}:{os.environ['PATH']}"},
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments", [("peer", "compute02"), ("create", "data", "replica", "2", "a:/b", "c:/d"), ("start", "data")]
)
def test_what_gluster_refuses_is_told_in_its_words(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    gluster = {"gluster": 'echo "$@" >"${0%/*}/asked"; echo "volume: failed: why" >&2; exit 1'}
    done = run("gluster", *arguments, programs=gluster, at=tmp_path)
    assert (done.returncode, done.stderr) == (3, b"volume: failed: why\n")
    assert (tmp_path / "asked").read_text().startswith("--mode=script ")


@pytest.mark.parametrize(
    ("column", "value"),
    [("url", "1.2.3.4"), ("tcpdomain", "1.2.3.4' OR '1"), ("wsurl", "ws://$(id):6060"), ("tcpdomain=1,token", "x")],
)
def test_only_addresses_are_written_to_the_two_columns(tmp_path: Path, column: str, value: str) -> None:
    docker = {"docker": 'echo "$@" >"${0%/*}/asked"'}
    assert run("old-compose", "region", column, value, programs=docker, at=tmp_path).returncode == 64
    assert not (tmp_path / "asked").exists()
    assert run("old-compose", "region", "wsurl", "ws://1.2.3.4:6060", programs=docker, at=tmp_path).returncode == 0
    assert "SET wsurl='ws://1.2.3.4:6060'" in (tmp_path / "asked").read_text()


def test_images_that_are_missing_and_containers_that_stand_still(tmp_path: Path) -> None:
    docker = {"docker": """case $* in *here*) echo '["--one","--two"]' ;; *) exit 1 ;; esac"""}
    assert run("old-compose", "image", "here:1", "away:1", programs=docker, at=tmp_path).stdout == b"away:1\n"
    assert run("old-compose", "command", "here", programs=docker, at=tmp_path).stdout == b'["--one","--two"]\n'
    away = run("old-compose", "command", "away", programs=docker, at=tmp_path)
    assert (away.returncode, away.stdout) == (0, b"")


def test_a_compose_file_that_is_refused_is_told(tmp_path: Path) -> None:
    compose = {"dc-compose": "echo 'ERROR: yaml.scanner.ScannerError: line 7'; exit 1"}
    for arguments in (("up", "rbd-lb"), ("restart", "rbd-lb"), ("all",)):
        done = run("old-compose", *arguments, programs=compose, at=tmp_path)
        assert (done.returncode, b"line 7" in done.stderr) == (3, True)


def test_a_tree_is_exchanged_at_once_and_comes_back(tmp_path: Path) -> None:
    source, place, kept = tmp_path / "source", tmp_path / "there/dynamics", tmp_path / "kept"
    (source / "deep").mkdir(parents=True)
    (source / "deep/new.conf").write_text("new\n")
    (source / "deep/new.conf").chmod(0o600)
    place.mkdir(parents=True)
    (place / "old.conf").write_text("old\n")
    packed = run("tree", "pack", str(source), at=tmp_path).stdout
    for _ in range(2):
        assert run("tree", "put", str(place), str(kept), payload=packed, at=tmp_path).returncode == 0
        assert [path.name for path in sorted(place.rglob("*"))] == ["deep", "new.conf"]
        assert (place / "deep/new.conf").stat().st_mode & 0o777 == 0o600
    assert run("tree", "put", str(place), str(kept), payload=b"no archive", at=tmp_path).returncode == 3
    assert (place / "deep/new.conf").read_text() == "new\n"
    assert sorted(path.name for path in place.parent.iterdir()) == ["dynamics"]
    assert run("tree", "back", str(place), str(kept), at=tmp_path).returncode == 0
    assert [path.name for path in place.iterdir()] == ["old.conf"]
    assert run("tree", "back", str(place), str(kept), at=tmp_path).returncode == 0
    assert not place.exists(), "there was none before"
    assert run("tree", "pack", str(place), at=tmp_path).returncode == 2


@pytest.mark.parametrize("name", ["gluster", "grdata", "old-compose"])
def test_an_unknown_action_is_refused(tmp_path: Path, name: str) -> None:
    assert run(name, "other", at=tmp_path).returncode == 64
