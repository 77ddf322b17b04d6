"""One look at Rainbond's namespace: all that its components are judged by, listed at once; what a crash left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rbdtui.kube.session import Json, KubeAbsentError, KubeError, KubeSession
from rbdtui.rainbond.why import Cause, with_log
from rbdtui.rainbond.workloads import LISTS, NAMESPACE, Seen, entries
from rbdtui.together import together

_LOG_LINES: Final = 20


async def look(kube: KubeSession, *kinds: str, at: Mapping[str, str] = LISTS) -> Seen:
    """List the kinds (without any: all) where ``at`` says; what is not known there has no items. Raises `KubeError`."""
    wanted = kinds or tuple(at)
    lists = await together(*(_listed(kube, at[kind]) for kind in wanted))
    return Seen({kind: entries(found.get("items")) for kind, found in zip(wanted, lists, strict=True)})


async def _listed(kube: KubeSession, path: str) -> Json:
    try:
        return await kube.get(path)
    except KubeAbsentError:
        return {}


async def explained(kube: KubeSession, cause: Cause, namespace: str = NAMESPACE) -> Cause:
    """A cause with what its container logged last, where that says more."""
    if not cause.wants_log:
        return cause
    try:
        log = await kube.log(namespace, cause.pod, cause.container, previous=cause.crashed, tail_lines=_LOG_LINES)
    except KubeError:
        return with_log(cause, None)
    return with_log(cause, log)
