"""Faults of simulated servers, asked for by whoever sits at the demo: one line of JSON there, one back."""

from __future__ import annotations

import json
import threading
from typing import IO, Final

ANSWER_LIMIT: Final = 64 * 1024
SHORT_FAULTS: Final = (
    "power_off", "power_on", "reboot", "cut", "mend", "hang", "wake", "full_disk", "free_disk", "crash_component",
    "lose_image", "silence_database", "heal_rainbond",
)  # fmt: skip
"""Faults that need nothing but a node."""


class FaultLine:
    """The way to the process of the simulated servers."""

    def __init__(
        self,
        nodes: tuple[str, ...],
        ask: IO[bytes],
        answer: IO[bytes],
        *,
        addresses: tuple[str, ...] = (),
        free_address: str = "",
    ) -> None:
        self.nodes = nodes
        """Names of the simulated servers."""
        self.addresses = addresses
        """Where they are, in the same order."""
        self.free_address = free_address
        """One of their network that nobody has, with its prefix length."""
        self._ask, self._answer = ask, answer
        self._one_at_a_time = threading.Lock()

    def ask(self, fault: str, node: str, **arguments: str | int | float) -> str | None:
        """Have a fault happen and wait for the answer; None when it did, else why it did not. Blocks: use a thread."""
        line = json.dumps({"do": fault, "node": node, **arguments}).encode() + b"\n"
        with self._one_at_a_time:
            try:
                self._ask.write(line)
                self._ask.flush()
                answer = json.loads(self._answer.readline(ANSWER_LIMIT))
            except (OSError, ValueError) as error:
                return str(error)
        return None if answer.get("ok") else str(answer.get("error", ""))
