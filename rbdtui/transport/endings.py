"""Ending on a host what was given up there before its own time limit began: a closed channel ends nothing by itself.

A login shell that never comes to its command (a loop in ``.bashrc``, a home that does not answer) has no time limit of
ours. sshd signals it only for users other than root (since OpenSSH 7.9), so what helps in any case is a login of the
other kind: an interactive one on a terminal, where Ctrl-C ends whatever its start-up files hang on.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterable
from typing import Final

from rbdtui.transport.exchange import Exchange
from rbdtui.transport.library import asyncssh

TAG_NAME: Final = "RBDTUI_TRY"
"""Stands with the tag in the command line of what cannot have it elsewhere."""
_SIGNAL_LIMIT_S: Final = 1.5
_TERMINALS: Final = 2
_ANSWER_LIMITS_S: Final = (2.0, 3.0, 5.0)
"""How long one try after another may take: on a busy host the next Ctrl-C would end a kill that is under way."""
_CTRL_C: Final = b"\x03"
_CTRL_C_WORKS_S: Final = 0.4
_OPEN_LIMIT_S: Final = 5.0
_MARK: Final = "\x1e"
# A login shell of sshd leads a group of its own. A bracket in each pattern keeps the search from finding itself.
_KILL: Final = (
    "tagged() {{ grep -l {patterns} /proc/[0-9]*/cmdline 2> /dev/null; }}; n=0; "
    'while l=$(tagged | tr -c "0-9\\n" " "); [ -n "$l" ] && [ $n -lt 10 ]; do '
    "for p in $l; do kill -s KILL -- -$p $p 2> /dev/null; done; n=$((n+1)); sleep 0.1; done; "
    'printf "\\036left %s\\036" "$(echo $l)"'
)


def new_tag() -> str:
    """A word by which the processes of one command are known on the host."""
    return secrets.token_hex(6)


async def end_on_host(
    connection: asyncssh.SSHClientConnection, tags: Iterable[str], by_signal: Exchange | None
) -> bool:
    """End what the host has of commands with these tags; False where that cannot be proven.

    ``by_signal`` is one of them that sshd may be asked to kill, which it does for users other than root. Takes at most
    30 s.
    """
    if by_signal is not None and await _by_signal(by_signal):
        tags = set(tags) - {by_signal.tag}
        if not tags:
            return True
    for _ in range(_TERMINALS):
        try:
            async with asyncio.timeout(_OPEN_LIMIT_S):
                channel, session = await connection.create_session(
                    _Terminal, None, encoding=None, request_pty="force", term_type="dumb"
                )
        except (OSError, asyncssh.Error, TimeoutError):
            return False
        try:
            assert isinstance(session, _Terminal)
            answer = await _by_hand(channel, session, sorted(tags))
        finally:
            # What still hangs on this terminal is hung up with it.
            channel.abort()
        if answer is not None:
            return answer == ""
    return False


async def _by_signal(exchange: Exchange) -> bool:
    exchange.kill()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SIGNAL_LIMIT_S):
            await exchange.closed()
    return exchange.ended


async def _by_hand(channel: asyncssh.SSHClientChannel[bytes], session: _Terminal, tags: list[str]) -> str | None:
    """What is left after a kill typed at a terminal; None where its shell did not come to that."""
    script = _KILL.format(patterns=" ".join(f"-e [{tag[0]}]{tag[1:]}" for tag in tags))
    for limit_s in _ANSWER_LIMITS_S:
        with contextlib.suppress(OSError):
            channel.write(f" exec sh -c '{script}'\n".encode())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                return await asyncio.shield(session.answer)
        # A shell that has not set itself up yet is ended by this, and the terminal with it.
        with contextlib.suppress(OSError):
            channel.write(_CTRL_C)
        await asyncio.sleep(_CTRL_C_WORKS_S)
    return None


class _Terminal(asyncssh.SSHClientSession[bytes]):
    """Waits for the one word that the killing shell says between two marks."""

    def __init__(self) -> None:
        self._seen = ""
        self.answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        """What is left; None when the terminal was closed before that."""

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._seen = (self._seen + data.decode("utf-8", "replace"))[-8192:]
        _, found, rest = self._seen.partition(f"{_MARK}left ")
        left, whole, _ = rest.partition(_MARK)
        if found and whole and not self.answer.done():
            self.answer.set_result(left.strip())

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_result(None)
