"""What the rest of the program may ask of an offline bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rbdtui.rke2_version import Rke2Version
from rbdtui.spec.model import ClusterSpec


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A file of the offline bundle, with its verified digest."""

    path: Path
    """On the jump host."""
    size_bytes: int
    sha256: str
    within: Path | None = None
    """The bundle, below which no link is followed; None for the file's own directory."""


class Bundle(Protocol):
    """What a step may ask of the offline bundle; answers may take the time of reading a whole file."""

    def file(self, kind: str, arch: str) -> BundleFile:
        """The file of a kind (``rke2``, ``rke2-images``) for an architecture; raises `StepError` when there is none."""
        ...

    def images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        """All archives of images that a plan needs on an architecture; raises `StepError` when one is missing."""
        ...

    def packages(self, os_id: str, os_version: str, arch: str) -> list[BundleFile]:
        """Host packages for an operating system; empty when the bundle has none."""
        ...

    def rke2_version(self, arch: str) -> Rke2Version | None:
        """The version of RKE2 for an architecture; None when it cannot be told. Never raises."""
        ...
