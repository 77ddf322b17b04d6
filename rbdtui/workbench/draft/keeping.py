"""The draft on the disk: soon, while somebody types, and at once, before the program goes."""

from __future__ import annotations

from concurrent.futures import Future, wait
from typing import Final

from rbdtui.workbench.background import BackgroundLoop
from rbdtui.workbench.draft.draft import Draft

KEEP_LIMIT_S: Final = 2.0
"""How long a draft may take to reach a slow disk before the program goes on."""


class Keeper:
    """Puts one draft on the disk; a full disk is no error here, the draft is still in memory."""

    def __init__(self, draft: Draft, background: BackgroundLoop) -> None:
        self._draft = draft
        self._background = background
        self._keeping: Future[None] | None = None

    def keep(self) -> None:
        """Put the draft on the disk soon, without waiting for it; to be called within a second of a change."""
        if self._keeping is None or self._keeping.done():
            content = self._draft.to_keep()
            if content is not None:
                self._keeping = self._background.submit(self._write(content))

    def keep_now(self) -> None:
        """Put the draft on the disk; a write that is under way ends first, so that an older draft never comes last."""
        if self._keeping is not None:
            wait([self._keeping], KEEP_LIMIT_S)
        content = self._draft.to_keep()
        if content is not None:
            self._draft.write_kept(content)

    async def _write(self, content: bytes) -> None:
        self._draft.write_kept(content)
