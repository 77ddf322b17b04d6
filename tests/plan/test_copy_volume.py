"""The script with which a pod copies a volume, run as it is by a shell of busybox where there is one, else by sh."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rbdtui.paths import asset

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners are root's to give")
Do = Callable[[str], dict[str, list[str]]]


@pytest.fixture
def do(tmp_path: Path) -> Do:
    busybox = shutil.which("busybox")
    shell = [busybox, "sh"] if busybox else ["sh"]
    for name in ("old", "new", "work"):
        (tmp_path / name).mkdir()

    def run(task: str) -> dict[str, list[str]]:
        places = {name.upper(): str(tmp_path / name) for name in ("old", "new", "work")}
        done = subprocess.run(
            [*shell, "-c", asset("pods", "copy-volume.sh").read_text(), "copy-volume", task],
            env={**os.environ, **places}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        said: dict[str, list[str]] = {}
        for line in [*done.stdout.splitlines(), *(f"error {line}" for line in done.stderr.splitlines())]:
            word, _, rest = line.partition(" ")
            said.setdefault(word, []).append(rest)
        return said

    return run


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
