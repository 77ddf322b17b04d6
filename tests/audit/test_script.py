"""The script that asks a host, in a real shell: it changes nothing, and what it prints is understood."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rbdtui.audit.facts import facts_for, file_fact
from rbdtui.audit.seen import NAME, SeenHost, seen_from
from rbdtui.audit.target import Target, target_of
from rbdtui.facts.compose import compose, split_outputs
from rbdtui.facts.fact import Answers
from rbdtui.spec.loader import parse_spec
from tests.audit.samples import PLAN

STUBS = {
    "docker": """case $1 in
ps) echo 'rbd-db|rainbond/rbd-db:3.6|Up 3 days' ;;
exec) printf 'rainbond\\t10.0.0.1\\tws://10.0.0.1:6060\\ta.lan\\n' ;;
esac""",
    "gluster": """case $* in
--version) echo 'glusterfs 3.12.1' ;;
*'peer status') echo '<cliOutput><opRet>0</opRet><peerStatus/></cliOutput>' ;;
*) echo '<cliOutput><opRet>-1</opRet><opErrstr>Volume data does not exist</opErrstr></cliOutput>' ;;
esac""",
    "curl": "echo 204",
    "dig": "echo 127.77.0.11",
}


@pytest.fixture
def target() -> Target:
    spec = parse_spec(PLAN.replace("MODE", "arbiter").replace("10.0.0.", "127.77.0.")).spec
    assert spec is not None
    return target_of(spec)


def asked(target: Target, path: str) -> SeenHost:
    facts = facts_for(target)
    done = subprocess.run(
        ["sh", "-c", compose(facts, NAME).text], capture_output=True, text=True, timeout=120, check=True,
        env={**os.environ, "PATH": path, "LC_ALL": "C"},
    )  # fmt: skip
    return seen_from(target.manage, facts, Answers(split_outputs(done.stdout, done.stderr)))


def test_a_host_with_all_programs(target: Target, tmp_path: Path) -> None:
    for name, text in STUBS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    seen = asked(target, f"{tmp_path}:{os.environ['PATH']}")
    assert dict(seen.failed) == {}
    assert seen.containers is not None
    assert [each.name for each in seen.containers] == ["rbd-db"]
    assert seen.region == (("rainbond", "10.0.0.1", "ws://10.0.0.1:6060", "a.lan"),)
    assert (seen.gluster.version, seen.gluster.peers, seen.gluster.volumes) == ("glusterfs 3.12.1", (), None)
    assert seen.gluster.words["volumes"] == "Volume data does not exist"
    assert seen.web["compute02/registry"] == "204"
    assert seen.dns["compute01/goodrain.me"] == "127.77.0.11"
    assert seen.hosts_read.first("localhost") is not None
    assert seen.hostname
    assert seen.kubelet.text is None


def test_a_host_with_none_of_them(target: Target, tmp_path: Path) -> None:
    for name in (
        "cat",
        "cut",
        "date",
        "find",
        "grep",
        "head",
        "ls",
        "readlink",
        "sed",
        "sh",
        "sha256sum",
        "timeout",
        "uname",
    ):
        if (program := shutil.which(name)) is not None:
            (tmp_path / name).symlink_to(program)
    seen = asked(target, str(tmp_path))
    assert seen.containers is None
    assert seen.region is None
    assert seen.gluster.words == {}
    assert seen.gluster.peers is None
    assert seen.web == {}
    assert seen.units["glusterd"].active == "unknown"


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ('    command: --etcd=http://10.0.0.11:2379 --mysql="root:canary@tcp(10.0.0.11:3306)/region"',
         '    command: --etcd=http://10.0.0.11:2379 --mysql="root:masked@tcp(10.0.0.11:3306)/region"'),
        ("    - --db.url=root:canary@tcp(10.0.0.11:3306)/r", "    - --db.url=root:masked@tcp(10.0.0.11:3306)/r"),
        ("      MYSQL_PASS: canary", "      MYSQL_PASS: masked"),
        ("      - MYSQL_PASSWORD=canary x", "      - MYSQL_PASSWORD=masked"),
        ("      MANAGE_SECRET_KEY: canary", "      MANAGE_SECRET_KEY: masked"),
        ("    auth_pass canary", "    auth_pass masked"),
        ("    - --recoders=goodrain.me=1.2.3.4", "    - --recoders=goodrain.me=1.2.3.4"),
    ],
)  # fmt: skip
def test_passwords_are_masked_before_they_leave_the_host(tmp_path: Path, line: str, masked: str) -> None:
    file = tmp_path / "plugin.yaml"
    file.write_text(f"first\n{line}\nlast")
    fact = file_fact("file", str(file))
    done = subprocess.run(["sh", "-c", fact.command], capture_output=True, text=True, timeout=10, check=True)
    assert "canary" not in done.stdout
    assert fact.parse(done.stdout).text == f"first\n{masked}\nlast"


def test_a_file_that_is_too_long_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    file = tmp_path / "long"
    file.write_text("a\n" * 100_000)
    fact = file_fact("file", str(file))
    done = subprocess.run(["sh", "-c", fact.command], capture_output=True, text=True, timeout=10, check=True)
    assert len(done.stdout) > fact.limit_bytes


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck")
def test_shellcheck_has_nothing_to_say(target: Target) -> None:
    for fact in facts_for(target):
        done = subprocess.run(
            ["shellcheck", "--shell=sh", "--severity=warning", "--exclude=SC2034", "-"], input=fact.command,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{fact.name}: {done.stdout}"
