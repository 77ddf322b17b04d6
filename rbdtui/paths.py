"""Where the files that ship with rbdtui are: beside the packages in a checkout, inside the package in a wheel."""

from __future__ import annotations

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
