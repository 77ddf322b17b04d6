"""What a removal does with objects of the API by their paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rbdtui.kube.session import KubeAbsentError, KubeSession
from rbdtui.rainbond.workloads import entries


async def items(kube: KubeSession, path: str) -> Sequence[Mapping[str, Any]]:
    """What a collection holds; nothing where the API does not know the kind. Raises `KubeError`."""
    try:
        return entries((await kube.get(path)).get("items"))
    except KubeAbsentError:
        return ()


async def delete(kube: KubeSession, path: str) -> None:
    """Delete an object, unless it is gone; raises `KubeError`."""
    try:
        await kube.delete(path)
    except KubeAbsentError:
        return


async def still_there(kube: KubeSession, paths: Sequence[str]) -> list[str]:
    """Those that are not gone yet: volumes and definitions go some time after they were deleted."""
    return [path for path in paths if await kube.find(path) is not None]


def version_of(definition: Mapping[str, Any]) -> str:
    """The version of a kind that is served, the stored one first."""
    versions = [each for each in (definition.get("spec") or {}).get("versions") or [] if each.get("served", True)]
    stored = [each for each in versions if each.get("storage")]
    return str((stored or versions or [{"name": "v1"}])[0].get("name", "v1"))


def short(path: str) -> str:
    """The end of a path, by which an object is told."""
    return "/".join(path.rsplit("/", 2)[-2:])
