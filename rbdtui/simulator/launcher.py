"""A program that is nothing but the way to another: the bundle's helm must be one for this machine, as a real one is.

It calls execve with Python, ``-Pc`` and a line of code in front of its own arguments (Linux, ELF-64).
"""

from __future__ import annotations

import platform
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_BASE: Final = 0x400000
_HEADERS_BYTES: Final = 64 + 56
_CODE: Final[Mapping[str, bytes]] = {
    # rbx = room below the stack for the arguments; three words from behind the code, then argv[1] and on; execve (59).
    "amd64": bytes.fromhex(
        "488b0c24488d742410488d54cc10488d04cd400000004889e34829c34883e3f04889dc488b054600000048890424488b0543000000"
        "4889442408488b053f0000004889442410488d7c2418fcf348a5488b3c244889e6b83b0000000f05bf7f000000b83c0000000f05"
        "0f1f8000000000"
    ),
    # The same with x12 and execve (221).
    "arm64": bytes.fromhex(
        "e90340f9ea430091e26f298b424000912bf17dd36b010191ec0300918c010bcb8ced7c929f0100914d020010a00140f9ae0540f9"
        "af0940f9e03b00a9ef0b00f9eb6300914e8540f86e8500f8290500f1a1ffff54e1030091a81b80d2010000d4e00f80d2a80b80d2"
        "010000d41f2003d5"
    ),
}
HELM_MACHINES: Final[Mapping[str, int]] = {"amd64": 62, "arm64": 183}
"""ELF's numbers of the architectures that there is code for."""
_RUN_HELM: Final = "import sys; sys.path.insert(0, {root!r}); from rbdtui.simulator.helm import main; sys.exit(main())"


def own_architecture() -> str:
    """Of this machine, in the words of Kubernetes."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def helm_program(arch: str) -> bytes:
    """The program for this machine's Python and this rbdtui."""
    root = str(Path(__file__).resolve().parents[2])
    return _program(arch, (sys.executable, "-Pc", _RUN_HELM.format(root=root)))


def _program(arch: str, words: tuple[str, str, str]) -> bytes:
    code = _CODE[arch]
    pointers_at = _HEADERS_BYTES + len(code)
    texts, places = b"", []
    for word in words:
        places.append(_BASE + pointers_at + 8 * len(words) + len(texts))
        texts += word.encode() + b"\0"
    body = code + struct.pack("<3Q", *places) + texts
    size = _HEADERS_BYTES + len(body)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    entry, phdr = _BASE + _HEADERS_BYTES, 64
    head += struct.pack("<HHIQQQIHHHHHH", 2, HELM_MACHINES[arch], 1, entry, phdr, 0, 0, 64, 56, 1, 64, 0, 0)
    head += struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x10000)
    return head + body
