"""The README's pictures: those kept of one site from its plan to its health, copied to where the README has them.

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
    f"{name}.svg": _KEPT / "test_readme_pictures" / f"test_one_site_from_its_servers_to_its_health[{name}].svg"
    for name in ("nodes", "roles", "once", "review", "run", "health")
}
"""By the name under which the README shows them; each is redrawn and compared by the test that keeps it."""


def main() -> None:
    """Copy all of them."""
    SHOWN.mkdir(exist_ok=True)
    for name, kept in PICTURES.items():
        shutil.copyfile(kept, SHOWN / name)


if __name__ == "__main__":
    main()
