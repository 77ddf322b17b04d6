"""What this process knows of the login shells of an endpoint.

Whoever asks a host whose shell hangs waits longer each time, and nobody begins there while somebody else still waits
for a first sign.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from rbdtui.transport.base import LoginShellHangsError
from rbdtui.transport.endpoints import Endpoint

FIRST_PAUSE_S: Final = 15
_LONGEST_PAUSE_S: Final = 300
_TURN_LIMIT_S: Final = 120.0
"""After this a turn that nobody gave back, as its event loop is gone, counts as given back."""
_LOOK_EVERY_S: Final = 0.1


@dataclass
class Shells:
    """The login shells of one user on one host, over all connections of this process."""

    hangs: int = 0
    """How often in a row one did not come to its command."""
    unended: set[str] = field(default_factory=set)
    """Tags of commands that may still be there."""
    _error: LoginShellHangsError | None = None
    _ask_again_at: float = 0.0
    _taken_until: float = 0.0

    @property
    def pause_s(self) -> int:
        """How long nobody asks after the next hang."""
        return min(_LONGEST_PAUSE_S, FIRST_PAUSE_S << min(self.hangs, 8))

    def check(self, node: str) -> None:
        """Raise what was found last while it is too early to ask again."""
        if self._error is not None and time.monotonic() < self._ask_again_at:
            raise self._error.again(node)

    async def take_turn(self) -> None:
        """Wait until nobody else waits for a first sign of a shell there."""
        # Those who wait may be in other event loops, which an `asyncio.Event` does not cross.
        while time.monotonic() < self._taken_until:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_EVERY_S)
        self._taken_until = time.monotonic() + _TURN_LIMIT_S

    def give_turn(self) -> None:
        """Let the next one begin."""
        self._taken_until = 0.0

    def note_hang(self, error: LoginShellHangsError) -> None:
        """A shell did not come to its command; nobody asks again for a while."""
        if time.monotonic() < self._ask_again_at:
            return
        self._ask_again_at = time.monotonic() + self.pause_s
        self.hangs += 1
        self._error = error

    def note_sign(self) -> None:
        """A shell came to its command."""
        self.hangs, self._error = 0, None


_KNOWN: dict[tuple[str, int, str, Endpoint | None], Shells] = {}


def shells_of(endpoint: Endpoint) -> Shells:
    """What is known of an endpoint; the same for all connections of this process."""
    return _KNOWN.setdefault((endpoint.address, endpoint.port, endpoint.user, endpoint.before), Shells())
