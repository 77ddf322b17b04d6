"""The jump host: what would end a run together with the login that it is started from."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

import pytest

from rbdtui.checks.jump_host import LoginGroup, check_jump_host, ends_processes, login_group, logind_settings
from rbdtui.words import LANGUAGES, say

NOBODY = pwd.getpwnam("nobody")
SESSION = f"0::/user.slice/user-{NOBODY.pw_uid}.slice/session-3.scope\n"
MANAGER = f"0::/user.slice/user-{NOBODY.pw_uid}.slice/user@{NOBODY.pw_uid}.service/app.slice/run-r1.scope\n"
OLD_SESSION = f"8:pids:/\n1:name=systemd:/user.slice/user-{NOBODY.pw_uid}.slice/session-c1.scope\n0::/\n"
KILLS = {"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=yes\n"}


@pytest.fixture
def no_logind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose logind cannot be asked, so that its files count; gives the directory of its programs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    return programs


def machine(root: Path, cgroups: str, files: Mapping[str, str]) -> Path:
    for name, text in {"proc/self/cgroup": cgroups, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("cgroups", "files", "codes"),
    [
        (SESSION, KILLS, ["RBD-JUMP-001"]),
        (OLD_SESSION, KILLS, ["RBD-JUMP-001"]),
        (SESSION, {}, []),
        (SESSION, {"etc/systemd/logind.conf": "#KillUserProcesses=yes\n"}, []),
        (SESSION, {"etc/systemd/logind.conf": "KillUserProcesses=no\n"}, []),
        (SESSION, {**KILLS, "etc/systemd/logind.conf.d/site.conf": "[Login]\nKillUserProcesses = off\n"}, []),
        (SESSION, {"usr/lib/systemd/logind.conf.d/10.conf": "KillUserProcesses=1\n"}, ["RBD-JUMP-001"]),
        (SESSION, {**KILLS, "etc/systemd/logind.conf.d/x.conf": "KillExcludeUsers=nobody root\n"}, []),
        (SESSION, {**KILLS, "etc/systemd/logind.conf.d/x.conf": "KillOnlyUsers=guest\n"}, []),
        (SESSION, {**KILLS, "var/lib/systemd/linger/nobody": ""}, ["RBD-JUMP-001"]),
        (MANAGER, KILLS, ["RBD-JUMP-002"]),
        (MANAGER, {}, ["RBD-JUMP-002"]),
        (MANAGER, {**KILLS, "var/lib/systemd/linger/nobody": ""}, []),
        ("0::/system.slice/run-u7.service\n", KILLS, []),
        ("0::/\n", KILLS, []),
    ],
)
def test_what_would_end_a_run_is_told(
    tmp_path: Path, no_logind: Path, cgroups: str, files: Mapping[str, str], codes: list[str]
) -> None:
    findings = check_jump_host(machine(tmp_path / "root", cgroups, files))
    assert [finding.code for finding in findings] == codes
    for finding in findings:
        for language in LANGUAGES:
            assert "nobody" in say(finding.message, language)
            assert "loginctl enable-linger nobody" in say(finding.remedy, language)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("KillOnlyUsers=\nKillExcludeUsers=root\nKillUserProcesses=yes", True),
        ("KillOnlyUsers=\nKillExcludeUsers=root\nKillUserProcesses=no", False),
    ],
)
def test_what_logind_itself_says_counts_more_than_its_files(
    tmp_path: Path, no_logind: Path, answer: str, told: bool
) -> None:
    fake = no_logind / "loginctl"
    fake.write_text(f"#!/bin/sh\necho '{answer}'\n")
    fake.chmod(0o755)
    root = machine(tmp_path / "root", SESSION, {} if told else KILLS)
    assert [finding.code for finding in check_jump_host(root)] == (["RBD-JUMP-001"] if told else [])


def test_a_logind_that_fails_or_hangs_is_not_waited_for(tmp_path: Path, no_logind: Path) -> None:
    fake = no_logind / "loginctl"
    fake.write_text("#!/bin/sh\necho KillUserProcesses=no\nexit 1\n")
    fake.chmod(0o755)
    root = machine(tmp_path / "root", SESSION, KILLS)
    assert [finding.code for finding in check_jump_host(root)] == ["RBD-JUMP-001"]


def test_roots_own_session_is_spared_unless_it_is_said() -> None:
    assert not ends_processes({"KillUserProcesses": "yes"}, "root")
    assert ends_processes({"KillUserProcesses": "yes", "KillExcludeUsers": ""}, "root")


def test_the_owner_of_the_session_counts_also_behind_sudo() -> None:
    assert login_group(SESSION) == LoginGroup("nobody", is_session=True)
    assert login_group("0::/user.slice/user-4294000001.slice/session-1.scope") == LoginGroup("4294000001", True)
    assert login_group("nonsense") is None


def test_this_machine_can_be_asked() -> None:
    assert isinstance(check_jump_host(), list)


def test_files_that_cannot_be_read_say_nothing(tmp_path: Path) -> None:
    assert check_jump_host(tmp_path) == []
    machine(tmp_path, SESSION, {"etc/systemd/logind.conf.d/a.conf": ""})
    os.symlink("/nowhere", tmp_path / "etc/systemd/logind.conf.d/b.conf")
    (tmp_path / "etc/systemd/logind.conf.d/c.conf").mkdir()
    assert logind_settings(tmp_path) == {}
