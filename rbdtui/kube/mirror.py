"""Collections of the API as they are now: listed once and then told of by watches, so that what rests costs nothing.

Source of versions, bookmarks and 410: kubernetes.io, Kubernetes API Concepts, "Efficient detection of changes".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Final

from rbdtui.kube.session import Json, KubeError, KubeSession, KubeSilentError

_PULSE_S: Final = 6
"""The first collection's watch is begun anew so often: a server that has died in silence is noticed by its end."""
_WATCH_S: Final = 300
_REFUSED: Final = frozenset({400, 403, 405, 406, 422})
"""Who may list may be forbidden to watch; then lists are compared."""
_SHORT_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 8.0
_SETTLE_S: Final = 0.3
"""What changes together is told together."""
_MOST_ITEMS: Final = 20_000
_Name = tuple[str, str]


class Mirror:
    """Some collections, by the names that whoever asks gives them; made by `mirrored`."""

    def __init__(
        self, kube: KubeSession, paths: Mapping[str, str], look_every_s: float, optional: Collection[str]
    ) -> None:
        self._kube, self._paths, self._look_every_s, self._optional = kube, paths, look_every_s, optional
        self._items: dict[str, dict[_Name, Json]] = {}
        self._news = asyncio.Event()
        self._broken: KubeError | None = None

    def of(self, name: str) -> list[Json]:
        """The objects of a collection as they are now."""
        return list(self._items.get(name, {}).values())

    async def complete(self) -> None:
        """Wait until every collection has been listed; raises `KubeError`."""
        while True:
            self._raise()
            self._news.clear()
            if len(self._items) == len(self._paths):
                return
            await self._news.wait()

    async def news(self, limit_s: float) -> bool:
        """Wait until something is not as at the last call; False after so many seconds. Raises `KubeError`."""
        try:
            async with asyncio.timeout(limit_s):
                await self._news.wait()
        except TimeoutError:
            return False
        self._raise()
        await asyncio.sleep(_SETTLE_S)
        self._raise()
        self._news.clear()
        return True

    def _raise(self) -> None:
        if self._broken is not None:
            raise self._broken

    async def keep(self, name: str) -> None:
        """Keep a collection as it is there, for ever."""
        try:
            await self._keep(name, self._paths[name], _PULSE_S if name == next(iter(self._paths)) else _WATCH_S)
        except KubeError as error:
            self._broken = error
        except Exception as error:  # one API's odd answer is said of that API
            self._broken = KubeSilentError(0, type(error).__name__, str(error)[:200])
        self._news.set()

    async def _keep(self, name: str, path: str, lasts_s: int) -> None:
        loop = asyncio.get_running_loop()
        pause_s = 0.0
        while True:
            listed_at = loop.time()
            version = await self._list(name, path)
            try:
                if version:
                    await self._follow(name, path, version, lasts_s)
                else:
                    await asyncio.sleep(self._look_every_s)
                    continue
            except KubeError as error:
                if error.status not in _REFUSED:
                    raise
                await asyncio.sleep(self._look_every_s)
                continue
            # A version that is too old again and again must not become a list without pause.
            soon = loop.time() - listed_at < _LONGEST_PAUSE_S * 2
            pause_s = min(_LONGEST_PAUSE_S, max(_SHORT_S / 2, pause_s * 2)) if soon else 0.0
            await asyncio.sleep(pause_s)

    async def _list(self, name: str, path: str) -> str:
        """Take a whole collection in; its version, empty where there is none to watch from."""
        try:
            listed = await self._kube.get(path)
        except KubeError as error:
            if name not in self._optional or not error.status:
                raise
            listed = {"items": []}
        found = {_name(item): item for item in listed["items"]}
        if self._items.get(name) != found:
            self._items[name] = found
            self._news.set()
        return str((listed.get("metadata") or {}).get("resourceVersion", ""))

    async def _follow(self, name: str, path: str, version: str, lasts_s: int) -> None:
        """Take events in until the API no longer knows the version from which it would have to tell."""
        loop = asyncio.get_running_loop()
        while True:
            begun_at = loop.time()
            try:
                async with aclosing(self._kube.watch(path, version, lasts_s=lasts_s)) as events:
                    async for event in events:
                        version = self._take(name, str(event["type"]), event["object"])
            except KubeError as error:
                if error.status in (404, 410):
                    return
                raise
            if loop.time() - begun_at < _SHORT_S:
                await asyncio.sleep(_SHORT_S)

    def _take(self, name: str, what: str, item: Json) -> str:
        items = self._items[name]
        version = str(item["metadata"]["resourceVersion"])
        if what == "BOOKMARK":
            return version
        if what == "DELETED":
            items.pop(_name(item), None)
        else:
            items[_name(item)] = item
        if len(items) > _MOST_ITEMS:
            raise ValueError(f"more than {_MOST_ITEMS} objects")
        self._news.set()
        return version


def _name(item: Json) -> _Name:
    metadata = item["metadata"]
    return str(metadata.get("namespace", "")), str(metadata["name"])


@asynccontextmanager
async def mirrored(
    kube: KubeSession, paths: Mapping[str, str], *, look_every_s: float, optional: Collection[str] = ()
) -> AsyncIterator[Mirror]:
    """Collections by path, kept up to date for the time of the block; never raises itself.

    What cannot be watched is listed every ``look_every_s``; of ``optional`` ones nothing is there when the API does
    not know them or gives them to others only.
    """
    mirror = Mirror(kube, paths, look_every_s, optional)
    keeping = [asyncio.create_task(mirror.keep(name)) for name in paths]
    try:
        yield mirror
    finally:
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
