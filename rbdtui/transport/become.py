"""Becoming root after the login: not needed, sudo without a password, or sudo with one on standard input."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from rbdtui.transport.base import (
    CommandResult,
    ShellUnusableError,
    SudoAbsentError,
    SudoForbiddenError,
    SudoPasswordMissingError,
    SudoPasswordWrongError,
    SudoTtyError,
    TransportError,
)

_LIMIT_S: Final = 20
_WHO: Final = f"timeout -k 5 {_LIMIT_S} id -u"
_SUDO_FREE: Final = "env LC_ALL=C sudo -n -k "
_SUDO_WITH_PASSWORD: Final = "env LC_ALL=C sudo -S -k -p '' "  # noqa: S105 - a command, not a secret

RawRun = Callable[[str, bytes], Awaitable[CommandResult]]
"""Runs a command line with a standard input, both as they are."""


@dataclass(frozen=True, slots=True)
class Elevation:
    """What has to stand in front of a command, and of its standard input, for it to run as root."""

    prefix: str = ""
    input: bytes = field(default=b"", repr=False)


async def find_elevation(node: str, user: str, run: RawRun, sudo_password: Callable[[], str | None]) -> Elevation:
    """Find out once after a login how to become root; raises the `TransportError` that says why that is impossible.

    The password is tried once, with nothing else on standard input: sudo takes whatever line comes next for the
    second and third try, and tries count towards locking the account.
    """
    if user == "root":
        return Elevation()
    own = await run(_WHO, b"")
    if _is_root(own):
        return Elevation()
    if not own.ok:
        raise ShellUnusableError(node, user=user, detail=_last_line(own))
    free = await run(_SUDO_FREE + _WHO, b"")
    if _is_root(free):
        return Elevation(_SUDO_FREE)
    if "a password is required" not in free.error_text:
        raise _refusal(node, user, free)
    password = sudo_password()
    if password is None:
        raise SudoPasswordMissingError(node, user=user)
    line = password.encode() + b"\n"
    checked = await run(_SUDO_WITH_PASSWORD + _WHO, line)
    if _is_root(checked):
        return Elevation(_SUDO_WITH_PASSWORD, line)
    raise _refusal(node, user, checked)


def _is_root(result: CommandResult) -> bool:
    return result.ok and result.text.split()[-1:] == ["0"]


def _refusal(node: str, user: str, result: CommandResult) -> TransportError:
    """Which of sudo's English sentences it was (sudoers plugin 1.8 to 1.9)."""
    text = result.error_text
    detail = _last_line(result)
    if "must have a tty" in text:
        return SudoTtyError(node, user=user)
    if result.exit_status == 127:
        return SudoAbsentError(node, user=user)
    if "not in the sudoers file" in text or "not allowed to" in text or "may not run sudo" in text:
        return SudoForbiddenError(node, user=user, detail=detail)
    if "incorrect password" in text or "Sorry, try again" in text or "no password was provided" in text:
        return SudoPasswordWrongError(node, user=user)
    return SudoForbiddenError(node, user=user, detail=detail)


def _last_line(result: CommandResult) -> str:
    lines = (result.error_text.strip() or result.text.strip()).splitlines()
    return lines[-1][:300] if lines else ""
