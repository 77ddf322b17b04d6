"""Disks that are too small."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest


@contextmanager
def small_disk(target: Path, *, size: str = "1m") -> Iterator[Path]:
    """A file system of its own at a new directory; skips the test where that needs a root that we are not."""
    target.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(target)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small tmpfs cannot be mounted here (needs root)")
    try:
        yield target
    finally:
        subprocess.run(["umount", "-l", str(target)], check=True)


def fill(directory: Path) -> Path:
    """Leave no byte; the file that took them all."""
    ballast = directory / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (4096, 1):
            with pytest.raises(OSError, match="No space left"):
                _write_for_ever(file, b"x" * size)
    return ballast


def _write_for_ever(file: IO[bytes], data: bytes) -> None:
    while True:
        file.write(data)
