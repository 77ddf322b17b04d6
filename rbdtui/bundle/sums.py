"""Lists of sha256 digests, as ``sha256sum`` writes them and RKE2 releases them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from rbdtui.plain_file import open_plain

_LARGEST_LIST_BYTES: Final = 1 << 20
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")


class ListTooLargeError(Exception):
    """No list of digests is that large."""


def read_sums(path: Path, within: Path) -> dict[str, str]:
    """Digests by file name, without directories; raises `NotPlainError`, `OSError`, `ListTooLargeError`."""
    with open_plain(path, within) as file:
        content = bytearray()
        while block := file.read(_LARGEST_LIST_BYTES + 1 - len(content)):
            content += block
    if len(content) > _LARGEST_LIST_BYTES:
        raise ListTooLargeError(f"more than {_LARGEST_LIST_BYTES} bytes")
    sums: dict[str, str] = {}
    for line in content.decode(errors="replace").splitlines():
        words = line.split(maxsplit=1)
        if len(words) == 2 and _DIGEST.fullmatch(words[0]):
            sums[words[1].rstrip().removeprefix("*").rpartition("/")[2]] = words[0].lower()
    return sums
