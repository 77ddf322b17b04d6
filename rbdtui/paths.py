"""Paths: where the files that ship with rbdtui are, and how a path is told to somebody who will type it.

Shipped files lie beside the packages in a checkout, inside the package in a wheel.
"""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


@cache
def assets_dir() -> Path:
    """The directory of shipped assets."""
    installed = _PACKAGE / "_assets"
    return installed if installed.is_dir() else _PACKAGE.parent / "assets"


def asset(*parts: str) -> Path:
    """The path of one shipped asset, e.g. ``asset("scripts", "read-file.sh")``."""
    return assets_dir().joinpath(*parts)


def as_typed(path: Path) -> str:
    """A path as it is typed in a shell: a command that we name can be copied, whatever the site is called."""
    return shlex.quote(str(path))
