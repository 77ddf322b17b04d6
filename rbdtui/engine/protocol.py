"""What a client and a runner say to each other over the control socket: one line of JSON each way.

A request is a `Request`; the answer is ``{"ok": true, "run": …, "pid": …, "seq": …}`` or
``{"ok": false, "error": <text>}``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from rbdtui.engine.events import Choice

SOCKET_NAME: Final = "control.sock"
LINE_LIMIT_BYTES: Final = 64 * 1024


class Command(StrEnum):
    """What a client may ask of a runner."""

    PING = "ping"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    STOP = "stop"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Request:
    """One command."""

    command: Command
    by: str = ""
    """Who wishes it, as the journal names them."""
    step: str | None = None
    """Which failed step to retry; None for all."""
    question: str = ""
    choice: Choice | None = None

    def to_line(self) -> bytes:
        """The request as it is sent."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @staticmethod
    def of_line(line: bytes) -> Request:
        """Read what `to_line` gave; raises `ValueError`."""
        return _REQUEST.validate_json(line)


_REQUEST: Final = TypeAdapter(Request)


@contextmanager
def socket_address(run_dir: Path) -> Iterator[str]:
    """An address of the control socket that fits the 108 bytes of a unix address, however deep the directory is."""
    directory = os.open(run_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{SOCKET_NAME}"
    finally:
        os.close(directory)
