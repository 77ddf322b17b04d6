"""Paths as an operator reads and types them."""

from __future__ import annotations

import shlex
from pathlib import Path


def short_path(path: Path | str) -> str:
    """A path with the home directory as a tilde."""
    text, home = str(path), str(Path.home())
    return f"~{text.removeprefix(home)}" if text == home or text.startswith(f"{home}/") else text


def return_command(site: Path) -> str:
    """What to type to come back to a site; as short as a shell understands it."""
    short = short_path(site)
    return f"rbdtui {short}" if shlex.quote(str(site)) == str(site) else f"rbdtui {shlex.quote(str(site))}"
