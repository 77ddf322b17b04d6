"""Notices that cluster.yaml was changed elsewhere: in another terminal, or in an editor."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from rbdtui.workbench.background import BackgroundLoop

_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}".encode()


class FileWatch:
    """Looks at one file in the background, whenever it is told to."""

    def __init__(self, file: Path, known: Callable[[], str], background: BackgroundLoop, tell: Callable[[], None]):
        self._file, self._known, self._background, self._tell = file, known, background, tell
        self._signature: tuple[int, int, int] | None = None
        self._looking: Future[None] | None = None
        self.changed = False
        """Whether the file holds another text than the known one; to be reset by whoever sees to it."""

    def look(self) -> None:
        """Look soon, without waiting for it."""
        if self._looking is None or self._looking.done():
            self._looking = self._background.submit(self._look())

    async def _look(self) -> None:
        try:
            status = self._file.stat()
            signature = (status.st_ino, status.st_mtime_ns, status.st_size)
            if signature == self._signature:
                return
            content = self._file.read_bytes()
        except OSError:  # it is just being replaced, or gone: saving will tell
            return
        self._signature = signature
        if content.removeprefix(_BYTE_ORDER_MARK) != self._known().encode():
            self.changed = True
            self._tell()
