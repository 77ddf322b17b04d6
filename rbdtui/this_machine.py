"""What this machine is among those that the plan names."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


def own_boot() -> str:
    """Which start of this machine it is, as the script ``host-boot`` tells it of a host; empty when unknown."""
    try:
        first = (_PROC / "1/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
        return f"{(_PROC / 'sys/kernel/random/boot_id').read_text(encoding='ascii').strip()}-{first}"
    except (OSError, IndexError):
        return ""
