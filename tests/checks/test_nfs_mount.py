"""The script that mounts an NFS directory, with a mount.nfs that binds a directory, and what is made of its words."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rbdtui.checks.services.nfs import CHECK
from rbdtui.checks.services.nfs_answer import NfsAnswer, NfsQuestion, Version3
from rbdtui.checks.services.nfs_mount import Mounts, Tried, read_mounts
from rbdtui.checks.services.nfs_wire import Export, PathState, Written
from rbdtui.checks.view import ClusterView
from rbdtui.transport.answers import parse_answer
from rbdtui.transport.base import Reach, ReachResult, RemoteAnswerError
from rbdtui.transport.scripts import script
from tests.checks.support import place, spec_of

QUESTION = NfsQuestion("10.0.0.9", "/srv/nfs")
SPEC = spec_of()

needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="NOT TESTED: mounting needs root and unshare"
)


def programs(directory: Path, **texts: str) -> Path:
    """Shell scripts by name."""
    directory.mkdir(exist_ok=True)
    for name, text in texts.items():
        file = directory / name.replace("_", ".", 1)
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
    return directory


def run(
    tmp_path: Path, mount: str, *versions: str, options: str = "", limit_s: float = 20, **others: str
) -> subprocess.CompletedProcess[str]:
    """The script on a machine whose mount.nfs does this, in a mount namespace of its own; what is mounted is listed."""
    path = programs(tmp_path / "bin", mount_nfs=mount, **others)
    (tmp_path / "share").mkdir(exist_ok=True)
    after = "grep -c share-marker /proc/self/mounts >&2 || :; ls -A /tmp/rbdtui-places >&2"
    command = (
        "mkdir -p /tmp/rbdtui-places; mount -t tmpfs share-places /tmp/rbdtui-places;"
        f' timeout -k 5 {limit_s:g} sh -c "$SCRIPT" rbdtui/nfs-try "$@"; {after}'
    )
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", command, "sh", "10.0.0.9", "/srv/nfs", options, *versions],
        capture_output=True, text=True, timeout=60, check=True, stdin=subprocess.DEVNULL,
        env={
            "PATH": f"{path}:{os.environ['PATH']}", "LC_ALL": "C", "TMPDIR": "/tmp/rbdtui-places",
            "SCRIPT": script("nfs-try").text, "SHARE": str(tmp_path / "share"),
        },
    )  # fmt: skip


BINDS = 'echo "$@" >>"$SHARE.asked"; mount -t tmpfs -o size=64m share-marker "$2"'


@needs_mounts
def test_each_version_is_tried_and_all_is_taken_away(tmp_path: Path) -> None:
    done = run(tmp_path, BINDS, "3", "4.1", options=",nconnect=4")
    mounts = read_mounts(done.stdout)
    assert [each.version for each in mounts.mounted] == ["3", "4.1"]
    for each in mounts.mounted:
        assert each.written is not None
        assert (each.written.create, each.written.owner, each.written.chown, each.written.rename) == (0, 0, 0, 0)
        assert (each.written.removed, each.written.lock, each.written.second_lock) == (0, 0, 1)
        assert each.free_bytes is not None
        assert 0 < each.free_bytes <= 64 << 20
    asked = (tmp_path / "share.asked").read_text().splitlines()
    assert all("10.0.0.9:/srv/nfs" in line and "soft," in line and ",nconnect=4" in line for line in asked)
    assert done.stderr.split() == ["0"], done.stderr


@needs_mounts
@pytest.mark.parametrize("signal_in", ["flock", "dd"])
def test_nothing_stays_mounted_when_it_is_ended(tmp_path: Path, signal_in: str) -> None:
    done = run(tmp_path, BINDS, "3", limit_s=1, **{signal_in: "sleep 30"})
    assert "mounted 3" in done.stdout
    assert done.stderr.split()[-1:] == ["0"], done.stderr


@needs_mounts
@pytest.mark.parametrize(
    ("mount", "expected"),
    [
        pytest.param(BINDS + '; mount -o remount,ro "$2"', "RBD-NFS-121", id="read-only"),
        pytest.param(BINDS.replace("size=64m", "size=64m,nr_inodes=1"), "RBD-NFS-125", id="full"),
        pytest.param("echo 'mount.nfs: access denied by server' >&2; exit 32", "RBD-NFS-131", id="refused"),
        pytest.param("exit 32", "RBD-NFS-131", id="without a word"),
    ],
)
def test_what_a_mount_shows_is_told(tmp_path: Path, mount: str, expected: str) -> None:
    mounts = read_mounts(run(tmp_path, mount, "3", "4.1").stdout)
    assert expected in told(mounts)


@pytest.mark.parametrize(
    ("present", "package"), [("true", "nfs-utils"), ("zypper", "nfs-client"), ("apt-get", "nfs-common")]
)
def test_a_missing_client_is_named_by_its_package(tmp_path: Path, present: str, package: str) -> None:
    path = programs(tmp_path / "bin", **{present: ":"})
    done = subprocess.run(
        ["/bin/sh", "-c", script("nfs-try").text, "rbdtui/nfs-try", "10.0.0.9", "/srv/nfs", "", "3"],
        capture_output=True, text=True, timeout=20, check=True, env={"PATH": str(path)},
    )  # fmt: skip
    assert read_mounts(done.stdout).missing_package == package
    assert told(read_mounts(done.stdout)) == ["RBD-NFS-130"]


def told(mounts: Mounts, answer: NfsAnswer | None = None) -> list[str]:
    open_ = ReachResult(Reach.OPEN, 1.0)
    v3 = Version3(open_, open_, 20048, (Export("/srv/nfs"),), PathState.THERE)
    base = answer or NfsAnswer(open_, "", (0, 1), PathState.THERE, v3)
    seen = NfsAnswer(base.reach, base.trouble, base.minors, base.path_4, base.v3, mounts)
    view = ClusterView(SPEC, {}, place, SPEC.profile.limits)
    found = [each.code for each in CHECK.judge(QUESTION, {"node1": seen}, view)]
    return [code for code in found if code != "RBD-NFS-124"]


def test_a_mount_that_succeeds_settles_what_a_high_port_could_not() -> None:
    open_ = ReachResult(Reach.OPEN, 1.0)
    v3 = Version3(open_, open_, 20048, (Export("/srv/nfs", ("203.0.113.0/24",)),), PathState.REFUSED)
    doubtful = NfsAnswer(open_, "", (0, 1), PathState.REFUSED, v3)
    good = Tried("3", written=Written(0, lock=0, second_lock=1))
    assert told(Mounts(), doubtful) == ["RBD-NFS-111"]
    assert told(Mounts(tried=(good,)), doubtful) == []
    forbidden = NfsAnswer(ReachResult(Reach.FORBIDDEN, 1.0))
    assert told(Mounts(tried=(good,)), forbidden) == []
    assert told(Mounts(tried=(Tried("3", "refused"),)), forbidden) == ["RBD-NFS-105", "RBD-NFS-131"]


@pytest.mark.parametrize(
    "text",
    ["nonsense", "mounted", "mounted 3\n", "mounted 3\ncreate 3 ok\nowner 3 x\n", f"free 3 {'9' * 5000}\nmounted 3"],
)
def test_an_answer_that_is_none_is_the_hosts_own_fault(text: str) -> None:
    with pytest.raises(RemoteAnswerError):
        parse_answer("node1", "nfs-try", lambda: read_mounts(text))
