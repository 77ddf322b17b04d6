"""The script that copies an NFS server's directory, run as it is, between programs that say what the real ones do."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rbdtui.plan.content import fill_asset

SENT = "echo 'Number of files: 1,250 (reg: 15, dir: 1,234, link: 1)'"
WATCHING = "echo 'Watches established.' >&2; exec /bin/sleep 600"
AT_LIMIT = "echo 'Failed to watch /data; upper limit on inotify watches reached!' >&2; exit 1"


def written(tmp_path: Path, *, rsync: str = SENT, inotifywait: str = WATCHING, role: str = "source") -> Path:
    """The script with its places in a directory of the test, and the programs that it calls."""
    programs = tmp_path / "programs"
    for directory in (programs, tmp_path / "data", tmp_path / "run"):
        directory.mkdir()
    given = {"rsync": rsync, "inotifywait": inotifywait, "sleep": "exec /bin/sleep 0.05", "exportfs": "cat given"}
    for name, text in given.items():
        (programs / name).write_text(f"#!/bin/sh\ncd {tmp_path}\n{text}\n")
        (programs / name).chmod(0o755)
    (tmp_path / "given").write_text("")
    if role:
        (tmp_path / "data/.rbdtui-nfs").write_text(f"# ours\nrole {role}\n")
    values = {
        "header": "# ours", "path": str(tmp_path / "data"), "site": "site-a", "address": "10.0.0.31",
        "mark": ".rbdtui-nfs", "home": str(tmp_path / "home"), "push_unit": f"..{tmp_path}/run", "copy_unit": "none",
        "password": "/password", "user": "rbdtui", "module": "nfs",
    }  # fmt: skip
    script = tmp_path / "script"
    script.write_text(fill_asset("nfs-copy.sh", values, str).shown)
    return script


def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{tmp_path / 'programs'}:{os.environ['PATH']}"}


@contextmanager
def pushing(tmp_path: Path, script: Path) -> Iterator[None]:
    started = subprocess.Popen(
        ["sh", script, "push"], env=environment(tmp_path), stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def state(tmp_path: Path, wanted: str) -> dict[str, str]:
    """What it has written down, once that fits."""
    deadline = time.monotonic() + 20
    text = ""
    while not re.search(wanted, text, re.MULTILINE):
        assert time.monotonic() < deadline, text
        time.sleep(0.05)
        file = tmp_path / "home/state"
        text = file.read_text() if file.exists() else ""
    return dict(line.partition(" ")[::2] for line in text.splitlines())


def test_while_nothing_changes_the_copy_has_what_there_was_a_moment_ago(tmp_path: Path) -> None:
    with pushing(tmp_path, written(tmp_path)):
        first = int(state(tmp_path, "^watching yes")["complete"])
        assert abs(first - time.time()) < 10
        assert state(tmp_path, "^directories 1234$")["failed"] == ""
        state(tmp_path, rf"^complete (?!{first}$)\d+")


def test_what_fails_is_said_and_nothing_is_called_complete(tmp_path: Path) -> None:
    refused = "echo '@ERROR: auth failed on module nfs' >&2; echo 'rsync error: x (code 5)' >&2; exit 5"
    with pushing(tmp_path, written(tmp_path, rsync=refused)):
        told = state(tmp_path, "^failed .")
    assert told["failed"].strip() == "5 @ERROR: auth failed on module nfs"
    assert told["complete"] == "0"


def test_a_file_that_is_gone_meanwhile_is_no_failure(tmp_path: Path) -> None:
    with pushing(tmp_path, written(tmp_path, rsync=f"{SENT}; exit 24")):
        assert state(tmp_path, "^complete [1-9]")["failed"] == ""


@pytest.mark.parametrize("role", ["", "copy"])
def test_nothing_is_sent_from_a_directory_without_its_mark(tmp_path: Path, role: str) -> None:
    with pushing(tmp_path, written(tmp_path, rsync=f"touch sent; {SENT}", role=role)):
        told = state(tmp_path, "^failed .")
    assert told["failed"].startswith("source ")
    assert "the disk" in told["failed"]
    assert not (tmp_path / "sent").exists()


def test_what_was_complete_is_kept_over_a_restart(tmp_path: Path) -> None:
    script = written(tmp_path, rsync="exit 10")
    (tmp_path / "home").mkdir()
    (tmp_path / "home/state").write_text("complete 1700000000\ntook 1\ndirectories 7\nwatching yes\nfailed \n")
    with pushing(tmp_path, script):
        told = state(tmp_path, "^failed .")
    assert (told["complete"], told["directories"]) == ("1700000000", "7")


def test_where_changes_are_not_told_it_is_said_and_copied_all_the_same(tmp_path: Path) -> None:
    with pushing(tmp_path, written(tmp_path, inotifywait=AT_LIMIT)):
        told = state(tmp_path, "^watching no .")
    assert "upper limit on inotify watches reached" in told["watching"]
    assert int(told["complete"])


@pytest.mark.parametrize(
    ("role", "given", "status"),
    [("copy", "", 0), ("source", "", 1), ("", "", 1), ("copy", "{path} 10.0.0.0/24(rw)", 1), ("copy", "/srv *(rw)", 0)],
)
def test_only_a_copy_is_overwritten(tmp_path: Path, role: str, given: str, status: int) -> None:
    script = written(tmp_path, role=role)
    (tmp_path / "given").write_text(given.format(path=tmp_path / "data"))
    asked = subprocess.run(
        ["sh", script, "guard"], env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert asked.returncode == status
    assert ("nothing is taken" in asked.stdout) is bool(status)


@pytest.mark.parametrize(
    ("words", "given", "status", "role"),
    [
        (("source", "site-a"), "", 0, "source"),
        (("source", "site-b"), "", 2, "copy"),
        (("source",), "", 2, "copy"),
        (("copy", "site-a"), "{path} *(rw)", 3, "copy"),
        (("else", "site-a"), "", 64, "copy"),
    ],
)
def test_a_server_becomes_another_by_the_sites_name_alone(
    tmp_path: Path, words: tuple[str, ...], given: str, status: int, role: str
) -> None:
    script = written(tmp_path, role="copy")
    (tmp_path / "given").write_text(given.format(path=tmp_path / "data"))
    done = subprocess.run(
        ["sh", script, "become", *words], env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr
    assert (tmp_path / "data/.rbdtui-nfs").read_text().endswith(f"role {role}\n")
