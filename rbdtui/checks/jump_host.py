"""The machine that rbdtui runs on: whether a run will outlive the login that started it.

A runner leaves its terminal, but not the control group of its login: logind may end all that is in that group.
"""

from __future__ import annotations

import os
import pwd
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rbdtui.findings import Finding, Severity

_GROUP: Final = re.compile(r"/user-(\d+)\.slice/(session-[^/]+\.scope|user@\d+\.service)(?:/|$)", re.MULTILINE)
"""The place of a login's processes, or of those that its user's own manager started (logind, systemd.special(7))."""
_CONFIG_DIRS: Final = ("etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd")
"""Where logind.conf and its drop-ins lie, the strongest first (logind.conf(5))."""
_KEYS: Final = ("KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers")
_YES: Final = ("1", "yes", "y", "true", "t", "on")
"""What systemd reads as true (systemd.syntax(7))."""
_LINGER_DIR: Final = "var/lib/systemd/linger"
_ASK_LIMIT_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class LoginGroup:
    """The control group that a process got from its login."""

    owner: str
    """Who logged in; somebody else than the process belongs to where sudo is in between."""
    is_session: bool
    """A session of its own; otherwise the owner's user manager."""


def check_jump_host(root: Path = Path("/")) -> list[Finding]:
    """What would end a run on this machine together with the login it is started from."""
    group = login_group(_text_of(root / "proc/self/cgroup"))
    if group is None:
        return []
    if group.is_session:
        if not ends_processes(_ask_logind() or logind_settings(root), group.owner):
            return []
        return [Finding("RBD-JUMP-001", Severity.WARNING, params={"owner": group.owner})]
    if (root / _LINGER_DIR / group.owner).exists():
        return []
    return [Finding("RBD-JUMP-002", Severity.WARNING, params={"owner": group.owner})]


def login_group(cgroups: str) -> LoginGroup | None:
    """What ``/proc/self/cgroup`` tells; None for a process that no login holds."""
    found = _GROUP.search(cgroups)
    if found is None:
        return None
    return LoginGroup(_user_name(int(found[1])), found[2].startswith("session-"))


def ends_processes(settings: Mapping[str, str], user: str) -> bool:
    """Whether logind ends the processes of a user's session with it; without a word of it, no."""
    if settings.get("KillUserProcesses", "").lower() not in _YES:
        return False
    only = settings.get("KillOnlyUsers", "").split()
    return user not in settings.get("KillExcludeUsers", "root").split() and (not only or user in only)


def logind_settings(root: Path) -> dict[str, str]:
    """What the files of logind say; a drop-in stands over the main file, the later name over the earlier."""
    settings: dict[str, str] = {}
    for file in _config_files(root):
        settings |= _read_settings(_text_of(file))
    return settings


def _config_files(root: Path) -> Iterator[Path]:
    main = (root / directory / "logind.conf" for directory in _CONFIG_DIRS)
    yield from [file for file in main if file.is_file()][:1]
    drop_ins: dict[str, Path] = {}
    for directory in reversed(_CONFIG_DIRS):
        drop_ins |= {file.name: file for file in (root / directory / "logind.conf.d").glob("*.conf")}
    yield from (drop_ins[name] for name in sorted(drop_ins))


def _ask_logind() -> dict[str, str]:
    """The settings in force, its built-in ones included; empty where logind does not answer."""
    wanted = [f"--property={key}" for key in _KEYS]
    try:
        done = subprocess.run(
            ["loginctl", "--no-pager", "show-user", *wanted],  # noqa: S607 - wherever the system has it
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_ASK_LIMIT_S,
            check=False, env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return _read_settings(done.stdout) if done.returncode == 0 else {}


def _read_settings(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs if key.strip() in _KEYS}


def _text_of(file: Path) -> str:
    """What a file says; nothing where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
