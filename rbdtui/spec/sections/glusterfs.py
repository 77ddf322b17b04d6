"""GlusterFS on the two compute nodes of Rainbond 3.6: which disk, where the brick, which volume."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from rbdtui.spec import values
from rbdtui.spec.types import ModalSection, ModeKeys


def _plain_path(value: str) -> str:
    """An absolute path of plain characters, below the root: it stands in commands and in lists with commas."""
    if re.fullmatch(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+", value) is None:
        values.refuse("RBD-AUDIT-006")
    return value


def _plain_name(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", value) is None:
        values.refuse("RBD-AUDIT-006")
    return value


PlainPath = Annotated[str, AfterValidator(_plain_path)]
VolumeName = Annotated[str, AfterValidator(_plain_name)]


class GlusterfsMode(StrEnum):
    """How many copies the volume keeps."""

    REPLICA_2 = "replica-2"
    """One on each compute node; the two can come to differ."""
    ARBITER = "arbiter"
    """Likewise, and the management node keeps the names of the files, so that the two cannot."""


class Glusterfs(ModalSection):
    """The section ``glusterfs``."""

    MODES: ClassVar[Mapping[str, ModeKeys]] = {
        GlusterfsMode.REPLICA_2: ModeKeys(needed=("brick", "volume"), optional=("disk",)),
        GlusterfsMode.ARBITER: ModeKeys(needed=("brick", "volume"), optional=("disk",)),
    }
    ALIKE: ClassVar[frozenset[str]] = frozenset({"disk", "brick", "volume"})

    mode: GlusterfsMode = GlusterfsMode.REPLICA_2
    disk: PlainPath | None = None
    """The data disk of each compute node, e.g. ``/dev/vdb``; only compared, never formatted."""
    brick: PlainPath = "/data/glusterfs"
    """Directory of the brick on each of them."""
    volume: VolumeName = "data"
