"""One look at Rainbond's namespace: all that its components are judged by, listed at once."""

from __future__ import annotations

import asyncio

from rbdtui.kube.session import Json, KubeAbsentError, KubeSession
from rbdtui.rainbond.workloads import LISTS, Seen, entries


async def look(kube: KubeSession, *kinds: str) -> Seen:
    """List the kinds (without any: all) of `LISTS`; what the API does not know has no items. Raises `KubeError`."""
    wanted = kinds or tuple(LISTS)
    lists = await asyncio.gather(*(_listed(kube, LISTS[kind]) for kind in wanted))
    return Seen({kind: entries(found.get("items")) for kind, found in zip(wanted, lists, strict=True)})


async def _listed(kube: KubeSession, path: str) -> Json:
    try:
        return await kube.get(path)
    except KubeAbsentError:
        return {}
