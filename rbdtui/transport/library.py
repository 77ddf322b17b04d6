"""asyncssh, imported without starting programs: all of rbdtui has it from here.

It looks for two libraries that it can do without (asyncssh@2.24.1 crypto/pq.py, crypto/umac.py) by
`ctypes.util.find_library`, which runs ldconfig, gcc and ld, whatever they are on this machine's PATH, each time.
"""

from __future__ import annotations

import ctypes.util
import os
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def find_library(name: str) -> str | None:
    """A library ``lib<name>.so*`` that can be loaded from where the loader looks; None where there is none."""
    for directory in _directories():
        for file in sorted(directory.glob(f"lib{name}.so*"), reverse=True):
            try:
                ctypes.CDLL(str(file))
            except OSError:  # for another machine, or a text that names others
                continue
            return str(file)
    return None


def _directories() -> list[Path]:
    """Those of LD_LIBRARY_PATH, of Debian and its kin, and of Red Hat, SUSE and their kin (ld.so(8))."""
    named = [part for part in os.environ.get("LD_LIBRARY_PATH", "").split(":") if part]
    triplet = sysconfig.get_config_var("MULTIARCH")
    debian = [f"/usr/local/lib/{triplet}", f"/lib/{triplet}", f"/usr/lib/{triplet}"] if triplet else []
    return [Path(each) for each in (*named, *debian, "/usr/local/lib", "/lib64", "/usr/lib64", "/lib", "/usr/lib")]


@contextmanager
def _libraries_by_name() -> Iterator[None]:
    searching = ctypes.util.find_library
    ctypes.util.find_library = find_library
    try:
        yield
    finally:
        ctypes.util.find_library = searching


with _libraries_by_name():
    import asyncssh as asyncssh
