"""The nightly dump of a simulated host: what its script does with the server that runs there."""

from __future__ import annotations

import time

from rbdtui.simulator.machine import Machine
from rbdtui.simulator.mysql import kept_of
from rbdtui.simulator.units import ServiceFailed, Unit

DUMPS = "/var/backups/rbdtui-mysql"
SCRIPT = "/usr/local/sbin/rbdtui-mysql-dump"


async def dump(machine: Machine, unit: Unit) -> None:
    """Write one file; raises `ServiceFailed` where there is no server, no script, or the password is another."""
    option = "--defaults-extra-file="
    words = machine.files.text(SCRIPT).split()
    options = next((word.removeprefix(option) for word in words if word.startswith(option)), "")
    pairs = (line.partition("=") for line in machine.files.text(options).splitlines() if "=" in line)
    login = {key: value for key, _, value in pairs}
    server = machine.mysql
    account = server.data.accounts.get((login.get("user", ""), "127.0.0.1")) if server is not None else None
    if server is None or account is None or account.kept != kept_of(login.get("password", "")):
        unit.log("mysqldump: Got error: 1045: Access denied when trying to connect")
        raise ServiceFailed(2)
    server.copy()
    if not server.read_only and server.replicas:
        unit.log("The replica dumps.")
        return
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(machine.clock()))
    machine.files.mkdir(DUMPS)
    machine.files.put(f"{DUMPS}/{stamp}.sql.gz", b"\x1f\x8b a dump")
