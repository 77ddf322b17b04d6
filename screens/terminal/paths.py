"""Paths as an operator reads and types them."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.cells import cell_len, chop_cells


def short_path(path: Path | str) -> str:
    """A path with the home directory as a tilde."""
    text, home = str(path), str(Path.home())
    return f"~{text.removeprefix(home)}" if text == home or text.startswith(f"{home}/") else text


def path_end(path: str, cells: int, mark: str) -> str:
    """The end of a path that is too long for its place, which tells more than its beginning."""
    return path if cell_len(path) <= cells else mark + chop_cells(path[::-1], cells - cell_len(mark))[0][::-1]


def return_command(site: Path) -> str:
    """What to type to come back to a site; as short as a shell understands it."""
    short = short_path(site)
    return f"rbdtui {short}" if shlex.quote(str(site)) == str(site) else f"rbdtui {shlex.quote(str(site))}"
