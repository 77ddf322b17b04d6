"""Host packages for the bundle that the lab's own bundle lacks."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.lab.base import base_image, base_key, clean_apt, in_image, prepare_apt
from tests.lab.bundle import PACKAGES
from tests.lab.cache import Cache, cache_root, digest
from tests.lab.machine import debian_sources
from tests.lab.shell import Progress, run, to_stderr


def host_packages(*names: str, progress: Progress = to_stderr) -> Path:
    """A directory with these packages and all that they need beyond the base; built when it is missing."""
    cache = Cache(cache_root(), progress)
    base = base_image(cache, progress)

    def build(place: Path) -> None:
        root, debs = place / "root", place / "debs"
        debs.mkdir()
        run(["cp", "-a", base / "root", root], timeout_s=300)
        prepare_apt(root, debian_sources(progress))
        options = (
            f"-y -q --no-install-recommends --download-only -o APT::Keep-Downloaded-Packages=true {' '.join(names)}"
        )
        in_image(root, f"apt-get update -q && apt-get install {options}", timeout_s=600)
        for package in (root / "var/cache/apt/archives").glob("*.deb"):
            shutil.copy(package, debs / re.sub(r"_\d+%3a", "_", package.name))
        clean_apt(root)
        run(["rm", "-rf", "--one-file-system", root], timeout_s=300)

    return cache.entry("packages", digest(Path(__file__), base_key(), *names), build) / "debs"


def bundle_with(bundle: Path, place: Path, names: Sequence[str]) -> Path:
    """A bundle at another place, with further packages beside those that it has; its large files are not copied."""
    shutil.copytree(bundle, place, copy_function=os.link)
    directory = place / PACKAGES
    for package in host_packages(*names).glob("*.deb"):
        if not (directory / package.name).exists():
            shutil.copy(package, directory)
    return place
