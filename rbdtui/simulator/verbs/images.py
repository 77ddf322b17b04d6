"""Scripts on the images of RKE2's containerd."""

from __future__ import annotations

import tarfile

from rbdtui.simulator.call import Call, Verbs
from rbdtui.simulator.kubernetes.layout import BIN_DIR, archive_fault, import_images

_SOCKET = "/run/k3s/containerd/containerd.sock"
_NOT_THERE = 3


def _is_there(call: Call) -> bool:
    return call.machine.files.exists(f"{BIN_DIR}/ctr") and call.machine.files.exists(_SOCKET)


async def images_state(call: Call) -> int:
    """``images-state``."""
    if not _is_there(call):
        return call.fail(f"{BIN_DIR}/ctr or {_SOCKET} is not there", _NOT_THERE)
    for name, digest in call.machine.images.items():
        call.line(f"{name} {digest}")
    return 0


async def images_import(call: Call) -> int:
    """``images-import ARCHIVE NAME...``."""
    if not _is_there(call):
        return call.fail(f"{BIN_DIR}/ctr or {_SOCKET} is not there", _NOT_THERE)
    archive = call.args[0]
    if not call.machine.files.exists(archive):
        return call.fail(f"sh: 1: cannot open {archive}: No such file", 2)
    if said := archive_fault(call.machine, archive):
        return call.fail(f"ctr: {said}")
    try:
        import_images(call.machine, archive)
    except tarfile.TarError as error:
        return call.fail(f"ctr: {error}")
    for name in call.args[1:]:
        call.line(f"unpacking {name}...done")
    return 0


VERBS: Verbs = {"images-state": images_state, "images-import": images_import}
