"""Which releases of Rainbond the bundle holds, read away from the screen: a USB disk may take minutes, or for ever."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rbdtui.bundle.scan import open_bundle
from rbdtui.errors import StepError
from rbdtui.spec.references import local_path
from rbdtui.words import T, Text
from rbdtui.workbench.background import BackgroundLoop
from rbdtui.workbench.live.asker import Asker

DEBOUNCE_S: Final = 0.5
_KEY: Final = "bundle"


@dataclass(frozen=True, slots=True)
class BundleLook:
    """What is known of the bundle."""

    directory: str = ""
    """As cluster.yaml names it."""
    reading: bool = False
    releases: tuple[str, ...] = ()
    """Tags, the oldest first."""
    unreadable: Text | None = None
    """Why nobody can tell."""


class BundleView:
    """Reads one bundle at a time; what was read of it is kept in the site, so that nothing is read whole twice."""

    def __init__(self, site_dir: Path, cache_file: Path, background: BackgroundLoop, tell: Callable[[], None]) -> None:
        self._site_dir, self._cache_file = site_dir, cache_file
        self.look = BundleLook()
        self._reads: dict[str, asyncio.Future[BundleLook]] = {}
        self._asker: Asker[str, str, BundleLook] = Asker(
            background, self._read, tell, lock=threading.RLock(), debounce_s=DEBOUNCE_S, took=self._took
        )

    def follow(self, directory: str, *, again: bool = False) -> None:
        """Read the bundle that the draft names now, unless that is done or going on. Returns at once."""
        known = self._asker.questions.get(_KEY)
        if directory == known and not (again and _KEY not in self._asker.waiting):
            return
        same = directory == self.look.directory
        self.look = replace(self.look, reading=True) if same else BundleLook(directory, reading=True)
        self._asker.put(_KEY, directory)

    def close(self) -> None:
        """Wait for nothing any more."""
        self._asker.close()

    async def _read(self, _: str, directory: str) -> BundleLook:
        if directory not in self._reads:
            loop = asyncio.get_running_loop()
            self._reads[directory] = loop.create_future()
            # A thread of its own that nobody waits for, as in `local_files`.
            threading.Thread(target=self._read_in_thread, args=(directory, loop), daemon=True).start()
        return await asyncio.shield(self._reads[directory])

    def _read_in_thread(self, directory: str, loop: asyncio.AbstractEventLoop) -> None:
        try:
            bundle = open_bundle(local_path(directory, self._site_dir), cache_file=self._cache_file)
            look = BundleLook(directory, releases=bundle.rainbond_releases())
        except StepError as error:
            look = BundleLook(directory, unreadable=error.text)
        except Exception as error:  # whatever a disk holds, the screen says that it could not be read
            look = BundleLook(directory, unreadable=T("form.bundle.broke", detail=type(error).__name__))
        with contextlib.suppress(RuntimeError):  # the loop is closed by now
            loop.call_soon_threadsafe(self._done, directory, look)

    def _done(self, directory: str, look: BundleLook) -> None:
        self._reads.pop(directory).set_result(look)

    def _took(self, _: str, look: BundleLook) -> None:
        self.look = look
