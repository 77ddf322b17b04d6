"""The script with which a pod copies a volume, run as it is by a shell of busybox where there is one, else by sh."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from rbdtui.paths import asset

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners are root's to give")
Do = Callable[[str], dict[str, list[str]]]


def busybox() -> str | None:
    """One that is installed, or the one that the lab gives to its pods."""
    found = shutil.which("busybox") or next(Path("/var/cache/rbdtui-lab").glob("busybox-*/bin/busybox"), None)
    return str(found) if found is not None else None


def environment(tmp_path: Path) -> dict[str, str]:
    """Of a shell whose programs are busybox's, where there is one, and whose volumes are directories here."""
    named = {name.upper(): str(tmp_path / name) for name in ("old", "new", "work")}
    programs = tmp_path / "programs"
    if (program := busybox()) is None:
        return {**os.environ, **named}
    programs.mkdir()
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, timeout=60, check=True)
    for name in listed.stdout.split():
        (programs / name).symlink_to(program)
    return {"PATH": str(programs), **named}


@contextmanager
def serving(tmp_path: Path, env: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The other node's pod, which has the old volume; what the one that copies has to know of it."""
    if busybox() is None:
        pytest.skip("NOT TESTED BETWEEN NODES: no busybox, whose nc runs a program")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    work = tmp_path / "work-of-the-other"
    work.mkdir()
    text = asset("pods", "copy-volume.sh").read_text()
    there = {**env, "WORK": str(work), "PORT": port, "SELF": text}
    server = subprocess.Popen(
        ["sh", "-c", text, "copy-volume", "serve"], env=there, start_new_session=True, executable=f"{env['PATH']}/sh"
    )
    try:
        yield {"PORT": port, "FROM": "127.0.0.1", "OLD": "/nowhere"}
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(10)


@pytest.fixture(params=["one-node", "two-nodes"])
def do(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Do]:
    for name in ("old", "new", "work"):
        (tmp_path / name).mkdir()
    env = environment(tmp_path)

    def run(task: str) -> dict[str, list[str]]:
        told = {"EVERY_S": os.environ["EVERY_S"]} if "EVERY_S" in os.environ else {}
        shell = f"{env['PATH']}/sh" if busybox() else None
        done = subprocess.run(
            ["sh", "-c", asset("pods", "copy-volume.sh").read_text(), "copy-volume", task], executable=shell,
            env={**env, **told}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        said: dict[str, list[str]] = {}
        for line in [*done.stdout.splitlines(), *(f"error {line}" for line in done.stderr.splitlines())]:
            word, _, rest = line.partition(" ")
            said.setdefault(word, []).append(rest)
        return said

    if request.param == "one-node":
        yield run
        return
    with serving(tmp_path, env) as other:
        env |= other
        yield run


def fill(old: Path) -> None:
    """What a copy easily loses: owners, modes, links of both kinds, odd names, a pipe, an empty directory."""
    (old / "a" / "b").mkdir(parents=True)
    (old / "a" / "1").write_text("one\n")
    (old / "a" / "b" / "hard").hardlink_to(old / "a" / "1")
    (old / "a" / "sym").symlink_to("../with  blanks")
    (old / "with  blanks").mkdir()
    (old / "with  blanks" / " lead and trail ").write_text("x")
    (old / "back\\slash").write_text("y")
    (old / "é").write_text("z")
    (old / "-n").write_text("an option?")
    (old / "lost+found").mkdir()
    (old / "empty").mkdir(mode=0o700)
    os.mkfifo(old / "pipe")
    os.chown(old / "a" / "b", 999, 998)
    os.chown(old / "a" / "sym", 997, 996, follow_symlinks=False)
    (old / "a" / "b").chmod(0o2750)
    (old / "a" / "1").chmod(0o4711)
    old.chmod(0o1777)


def test_all_of_a_volume_comes_over_and_is_found_equal(tmp_path: Path, do: Do) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    fill(old)
    (new / "lost+found").mkdir()
    assert int(do("measure")["used_kib"][0]) > 0
    assert do("compare")["differences"] != ["0"]
    assert do("copy")["done"] == ["copy"]
    measured = do("measure")
    assert measured["copied_kib"] == measured["used_kib"]
    assert int(measured["size_kib"][0]) >= int(measured["free_kib"][0])
    assert len(measured["kind"]) == 1
    said = do("compare")
    assert (said["differences"], said["done"]) == (["0"], ["compare"])
    assert said["files"] == ["6"]
    assert (new / "a" / "1").samefile(new / "a" / "b" / "hard")
    there = (new / "a" / "b").stat()
    assert (there.st_uid, there.st_gid, there.st_mode & 0o7777) == (999, 998, 0o2750)
    assert (new / "a" / "sym").readlink() == Path("../with  blanks")
    assert (new / "a" / "1").stat().st_mode & 0o7777 == 0o4711
    assert new.stat().st_mode & 0o7777 == 0o1777


def test_a_second_copy_brings_what_changed_and_takes_away_what_is_gone(tmp_path: Path, do: Do) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    fill(old)
    do("live")
    (old / "a" / "1").write_text("two\n")
    shutil.rmtree(old / "a" / "b")
    (old / "a" / "b").write_text("now a file")
    (old / "pipe").unlink()
    (old / "empty").rmdir()
    (old / "empty").symlink_to("a")
    (new / "stranger").mkdir()
    (new / "stranger" / "file").write_text("")
    assert int(do("compare")["differences"][0]) >= 5
    assert do("copy")["done"] == ["copy"]
    assert do("compare")["differences"] == ["0"]
    assert sorted(path.name for path in new.iterdir()) == sorted(
        path.name for path in old.iterdir() if path.name != "lost+found"
    )


def test_what_size_and_time_do_not_tell_the_sums_find_and_repair_brings(tmp_path: Path, do: Do) -> None:
    fill(tmp_path / "old")
    do("copy")
    there = tmp_path / "new" / "é"
    before = there.stat()
    there.write_text("Z")
    os.utime(there, ns=(before.st_atime_ns, before.st_mtime_ns))
    do("copy")
    said = do("compare")
    assert (said["differences"], said["different"]) == (["1"], ["./é"])
    do("repair")
    assert do("compare")["differences"] == ["0"]


def test_a_name_with_a_line_break_is_told_and_nothing_is_done(tmp_path: Path, do: Do) -> None:
    (tmp_path / "old" / "two\nlines").write_text("")
    for task in ("live", "copy", "compare"):
        said = do(task)
        assert "done" not in said
        assert said["name"] == ["./two"]
    assert list((tmp_path / "new").iterdir()) == []


def test_who_waits_is_told_how_far_it_is(tmp_path: Path, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERY_S", "0.05")
    for number in range(300):
        (tmp_path / "old" / str(number)).write_text("x" * 1000)
    said = do("live")
    assert said["done"] == ["live"]
    assert all(int(each) > 0 for each in said["at"])
    assert do("compare")["differences"] == ["0"]


def test_what_cannot_be_written_is_no_success(tmp_path: Path, do: Do) -> None:
    fill(tmp_path / "old")
    shutil.rmtree(tmp_path / "new")
    said = do("copy")
    assert "done" not in said
    assert said["error"]


def test_what_a_volume_holds_can_be_thrown_away(tmp_path: Path, do: Do) -> None:
    fill(tmp_path / "old")
    assert do("measure")["entries"] == ["0"]
    do("copy")
    (tmp_path / "new" / "lost+found").mkdir()
    assert do("measure")["entries"] == ["7"]
    assert do("clear")["done"] == ["clear"]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["lost+found"]


def test_more_names_than_one_archive_takes_come_over(tmp_path: Path, do: Do) -> None:
    for number in range(1200):
        (tmp_path / "old" / f"{number}-{'x' * 60}").write_text(str(number))
    assert do("copy")["done"] == ["copy"]
    said = do("compare")
    assert (said["differences"], said["files"]) == (["0"], ["1200"])
