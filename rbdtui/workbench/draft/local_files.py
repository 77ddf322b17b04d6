"""Looks at what the draft names on this machine, away from the screen: a disk or a mount may take long, or for ever."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Final

from rbdtui.findings import Finding
from rbdtui.spec.references import LocalFile, look_at_local
from rbdtui.workbench.background import BackgroundLoop
from rbdtui.workbench.draft.draft import Draft
from rbdtui.workbench.live.asker import Asker

DEBOUNCE_S: Final = 0.2


class LocalFiles:
    """Looks at private keys, certificates and the bundle directory after each change of the draft."""

    def __init__(self, draft: Draft, background: BackgroundLoop, tell: Callable[[], None]) -> None:
        self._draft, self._tell = draft, tell
        self._has_news = False
        self._looks: dict[LocalFile, asyncio.Future[list[Finding]]] = {}
        self._asker: Asker[LocalFile, int, list[Finding]] = Asker(
            background, self._look, self._told, lock=threading.RLock(), debounce_s=DEBOUNCE_S, took=self._took
        )

    def follow(self) -> None:
        """Look again at all that the draft names, a moment after its last change; touches no file itself."""
        self._asker.follow(dict.fromkeys(self._draft.local_files, self._draft.version))

    def close(self) -> None:
        """Wait for nothing any more."""
        self._asker.close()

    async def _look(self, file: LocalFile, version: int) -> list[Finding]:
        """One look at a time: where it hangs, no further thread hangs with it."""
        if file not in self._looks:
            loop = asyncio.get_running_loop()
            self._looks[file] = loop.create_future()
            # A thread of its own that nobody waits for: one that hangs keeps neither others nor the end waiting.
            threading.Thread(target=self._look_in_thread, args=(file, loop), daemon=True).start()
        return await asyncio.shield(self._looks[file])

    def _look_in_thread(self, file: LocalFile, loop: asyncio.AbstractEventLoop) -> None:
        found = look_at_local(file, self._draft.site.path)
        with contextlib.suppress(RuntimeError):  # the loop is closed by now
            loop.call_soon_threadsafe(self._looked, file, found)

    def _looked(self, file: LocalFile, found: list[Finding]) -> None:
        self._looks.pop(file).set_result(found)

    def _took(self, file: LocalFile, found: list[Finding]) -> None:
        if self._draft.local.get(file) != found:
            self._draft.local = {**self._draft.local, file: found}
            self._has_news = True

    def _told(self) -> None:
        if self._has_news:
            self._has_news = False
            self._tell()
