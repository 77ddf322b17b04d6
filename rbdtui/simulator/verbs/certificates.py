"""Scripts on the certificates that RKE2 keeps."""

from __future__ import annotations

import time

from rbdtui.simulator.call import Call, Verbs
from rbdtui.simulator.kubernetes.cluster import DATA_DIR
from rbdtui.simulator.units import Active

_DIRECTORIES = ("server/tls", "server/tls/etcd", "agent")


def _certificates(call: Call) -> list[str]:
    """Paths below RKE2's directory."""
    files, found = call.machine.files, []
    for directory in _DIRECTORIES:
        there = files.listdir(f"{DATA_DIR}/{directory}") if files.is_dir(f"{DATA_DIR}/{directory}") else ()
        found += [f"{directory}/{name}" for name in there if name.endswith(".crt")]
    return found


async def rke2_certificates(call: Call) -> int:
    """``rke2-certificates``."""
    for path in _certificates(call):
        entry = call.machine.files.get(f"{DATA_DIR}/{path}")
        if entry is not None:
            call.line(f"file {int(time.time()) - int(entry.modified_at)} {path}")
            call.out(bytes(entry.content))
            call.line("\nend")
    return 0


async def rke2_renew(call: Call) -> int:
    """``rke2-renew UNIT``: what is deleted is made anew by the start."""
    (unit,) = call.args
    machine = call.machine
    if machine.unit_file(unit) is None:
        return call.fail("rke2: not found", 3)
    await machine.systemd.stop(unit)
    for path in _certificates(call):
        if not path.endswith("-ca.crt"):
            machine.files.remove(f"{DATA_DIR}/{path}")
    call.line(f'level=info msg="Successfully backed up certificates to {DATA_DIR}/server/tls-{int(time.time())}"')
    begun = machine.start_unit(unit)
    await begun.settled()
    return 0 if begun.active is Active.ACTIVE else 5


VERBS: Verbs = {"rke2-certificates": rke2_certificates, "rke2-renew": rke2_renew}
