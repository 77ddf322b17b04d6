"""The README's pictures: the kept pictures of good states, copied to where the README shows them from.

``python -m tests.screens.readme`` copies them again after the pictures themselves have changed and been looked at.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SHOWN: Final = ROOT / "assets" / "pictures"
_KEPT: Final = Path(__file__).parent / "__snapshots__"
PICTURES: Final[Mapping[str, Path]] = {
    "nodes.svg": _KEPT / "test_nodes_pictures" / "test_servers[80x24-en][good].svg",
    "roles.svg": _KEPT / "test_roles" / "test_pictures[80x24-en][good].svg",
    "review.svg": _KEPT / "test_review_pictures" / "test_a_step_with_its_differences[80x24-en][files].svg",
    "run.svg": _KEPT / "test_run_pictures" / "test_every_stage[upload-80x24-en].svg",
    "health.svg": _KEPT / "test_health" / "test_pictures[80x24-en][healthy].svg",
}
"""By the name under which the README shows them; each is redrawn and compared by the test that keeps it."""


def main() -> None:
    """Copy all of them."""
    SHOWN.mkdir(exist_ok=True)
    for name, kept in PICTURES.items():
        shutil.copyfile(kept, SHOWN / name)


if __name__ == "__main__":
    main()
