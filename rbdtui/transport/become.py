"""Becoming root after the login: not needed, sudo without a password, or sudo with one."""

from __future__ import annotations

import shlex
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
from rbdtui.transport.scripts import PREFIX, Script

_LIMIT_S: Final = 20
_WHO: Final = f"timeout -k 5 {_LIMIT_S} id -u"
_FEED: Final = "cat | sh -c "
_SHIFT: Final = "limit=$1 text=$2; shift 2; "
_RUN: Final = 'timeout -k 5 "$limit" sh -c "$text" "$0" "/proc/$$/fd/0" "$@"'
# This shell has to keep the pipe as its own standard input: some redirect it for a command that they start, or give
# their place to the last one.
_FREE: Final = f"{_SHIFT}: | env LC_ALL=C sudo -n -k {_RUN}; exit $?"
_WITH_PASSWORD: Final = (
    f"set +x; unset pw; IFS= read -r pw; {_SHIFT}printf '%s\\n' \"$pw\" | env LC_ALL=C sudo -S -k -p '' {_RUN}; exit $?"
)
_FROM_FEED: Final = 'exec <"$1" && shift && '
"""What the shell of root does first: its own standard input is sudo's, which holds nothing for it."""

_WANTS_PASSWORD: Final = ("a password is required", "interactive authentication is required")
_WRONG_PASSWORD: Final = (
    "incorrect password",
    "Sorry, try again",
    "no password was provided",
    "incorrect authentication attempt",
    "Authentication failed",
)
_BROKEN: Final = ("should be 0", "must be owned by", "no valid sudoers")
"""What sudo says when it cannot work for anybody."""

RawRun = Callable[[str, bytes], Awaitable[CommandResult]]
"""Runs a command line with a standard input, both as they are."""


@dataclass(frozen=True, slots=True)
class Elevation:
    """What has to stand in front of a command, and of its standard input, for it to run as root.

    With sudo, the channel's standard input goes into a pipe. A shell of the login takes the password from it and gives
    sudo that one line and then the end, so that sudo has no second try; root's shell opens the pipe itself, by its name
    under /proc, for what comes behind the password. So the password never reaches root's shell, no line of a script
    reaches sudo, and sudo's I/O log (``log_input``) sees nothing of what is sent.
    """

    prefix: str = ""
    input: bytes = field(default=b"", repr=False)

    @property
    def by_sudo(self) -> bool:
        """Whether sudo stands in between, whose rules may change at any time."""
        return bool(self.prefix)

    def command(self, script: Script, args: tuple[str, ...], *, limit_s: float, tag: str = "") -> str:
        """The command line for a script, with what `Script.command` says of it."""
        if not self.by_sudo:
            return script.command(args, limit_s=limit_s, tag=tag)
        words = (PREFIX + script.name, f"{limit_s:g}", _FROM_FEED + script.loader(tag), *args)
        return self.prefix + shlex.join(words)


FREE: Final = _FEED + shlex.quote(_FREE) + " "
WITH_PASSWORD: Final = _FEED + shlex.quote(_WITH_PASSWORD) + " "


async def find_elevation(node: str, user: str, run: RawRun, sudo_password: Callable[[], str | None]) -> Elevation:
    """Find out once after a login how to become root; raises the `TransportError` that says why that is impossible.

    A password that is at hand is tried whatever sudo says to a question without one: the words differ between sudo,
    its versions and sudo-rs. It is tried once: tries count towards locking the account.
    """
    if user == "root":
        return Elevation()
    own = await run(_WHO, b"")
    if _is_root(own):
        return Elevation()
    if not own.ok:
        raise ShellUnusableError(node, user=user, detail=_last_line(own))
    free = await run(_who_with(FREE), b"")
    if _is_root(free):
        return Elevation(FREE)
    if (refusal := _final_refusal(node, user, free)) is not None:
        raise refusal
    password = sudo_password()
    if password is None:
        if any(words in free.error_text for words in _WANTS_PASSWORD):
            raise SudoPasswordMissingError(node, user=user)
        raise _refusal(node, user, free)
    line = password.encode() + b"\n"
    checked = await run(_who_with(WITH_PASSWORD), line)
    if _is_root(checked):
        return Elevation(WITH_PASSWORD, line)
    raise _refusal(node, user, checked)


def password_was_refused(result: CommandResult) -> bool:
    """Whether sudo ended because it did not take the password."""
    return any(words in result.error_text for words in _WRONG_PASSWORD)


def _who_with(prefix: str) -> str:
    return prefix + shlex.join([f"{PREFIX}who", str(_LIMIT_S), _FROM_FEED + "id -u"])


def _is_root(result: CommandResult) -> bool:
    return result.ok and result.text.split()[-1:] == ["0"]


def _final_refusal(node: str, user: str, result: CommandResult) -> TransportError | None:
    """The error for what no password changes; None when one may help."""
    refusal = _refusal(node, user, result)
    final = isinstance(refusal, SudoTtyError | SudoAbsentError) or any(w in result.error_text for w in _BROKEN)
    return refusal if final else None


def _refusal(node: str, user: str, result: CommandResult) -> TransportError:
    """Which of the English sentences of sudo (sudoers plugin 1.8 to 1.9) or sudo-rs it was."""
    text = result.error_text
    detail = _last_line(result)
    if "must have a tty" in text:
        return SudoTtyError(node, user=user)
    if result.exit_status == 127:
        return SudoAbsentError(node, user=user)
    if "not in the sudoers file" in text or "not allowed to" in text or "may not run" in text:
        return SudoForbiddenError(node, user=user, detail=detail)
    if password_was_refused(result):
        return SudoPasswordWrongError(node, user=user)
    return SudoForbiddenError(node, user=user, detail=detail)


def _last_line(result: CommandResult) -> str:
    lines = (result.error_text.strip() or result.text.strip()).splitlines()
    return lines[-1][:300] if lines else ""
