"""Scripts that try services outside of the hosts: in the simulated network there are none."""

from __future__ import annotations

import asyncio
import base64
import calendar
import time
from collections.abc import Iterator, Mapping
from typing import Final

from rbdtui.simulator import mysql, nfs, nfs_copy
from rbdtui.simulator.call import Call, Verbs
from rbdtui.simulator.kubernetes.layout import TLS_DIR
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.mysql_dump import DUMPS
from rbdtui.simulator.units import Active

_VRRP_GROUP: Final = "224.0.0.18"
_TOGETHER_ROUNDS: Final = 50
_OURS = "# Written by rbdtui for site "


async def nfs_try(call: Call) -> int:
    """``nfs-try SERVER PATH OPTIONS VERSION...``."""
    if "mount.nfs" not in call.machine.tools:
        call.line("client absent nfs-common")
        return 0
    for version in call.args[3:]:
        call.line(f"failed {version} mount.nfs: Connection timed out for {call.args[0]}:{call.args[1]}")
    return 0


async def nfs_lock(call: Call) -> int:
    """``nfs-lock hold|try|end ...``: of a simulated share nothing can be mounted."""
    if call.args[0] != "end":
        has_client = "mount.nfs" in call.machine.tools
        call.line("failed mount.nfs: Connection timed out" if has_client else "client absent")
    return 0


async def nfs_server(call: Call) -> int:
    """``nfs-server ACTION ARGS...``."""
    action, *args = call.args
    machine = call.machine
    if action == "look":
        for line in _nfs_state(machine, args[0]):
            call.line("\t".join(line))
    elif action == "directory":
        machine.files.mkdir(args[0])
    elif action == "serve":
        try:
            given = nfs.read(machine)
        except nfs.ExportError as error:
            return call.fail(str(error), 3)
        if machine.systemd.unit(nfs.UNIT).active is Active.ACTIVE:
            machine.exported = given
    else:
        return 64
    return 0


def _nfs_state(machine: Machine, path: str) -> Iterator[tuple[str, ...]]:
    files = machine.files
    kind = "directory" if files.is_dir(path) else "other" if files.exists(path) else "absent"
    names = set(files.listdir(path)) - {"lost+found", ".rbdtui-nfs"} if kind == "directory" else ()
    yield "path", kind, str(len(names))
    if role := nfs_copy.role_of(machine, path):
        first = files.text(f"{path}/.rbdtui-nfs").partition("\n")[0]
        yield "mark", role, first.removeprefix(_OURS).partition(";")[0]
    disk = files.disk_of(path)
    yield "space", "ext4", str(disk.size_bytes // 1024), str(disk.available_bytes // 1024), disk.path
    unit = machine.systemd.unit(nfs.UNIT).active.value if machine.unit_file(f"{nfs.UNIT}.service") else "absent"
    yield "unit", unit
    yield from (("table", name, line) for name, line in nfs.tables(machine))
    yield from (
        ("served", f"{given}\t{each}".replace("\t", " ")) for given, own in machine.exported.items() for each in own
    )


async def nfs_copy_look(call: Call) -> int:
    """``nfs-copy``."""
    machine = call.machine
    for kind, unit in (("push", nfs_copy.PUSH), ("copy", nfs_copy.COPY)):
        there = machine.unit_file(unit) is not None
        call.line(f"{kind}\t{machine.systemd.unit(unit).active.value if there else 'absent'}")
    for line in machine.files.text(nfs_copy.STATE).splitlines():
        key, _, value = line.partition(" ")
        if value:
            call.line(f"{key}\t{value}")
    call.line(f"watches\t{machine.sysctl['fs.inotify.max_user_watches']}")
    call.line(f"now\t{int(machine.clock())}")
    return 0


async def mysql_server(call: Call) -> int:
    """``mysql-server look``."""
    if call.args[0] != "look":
        return 64
    for line in _mysql_state(call.machine):
        call.line("\t".join(line))
    return 0


def _mysql_state(machine: Machine) -> Iterator[tuple[str, ...]]:
    files = machine.files
    if "mysqld" in machine.tools:
        yield (
            "program",
            f"/usr/sbin/mysqld  Ver {machine.mysql_version} for Linux on x86_64 (MySQL Community Server - GPL)",
        )
    there = machine.unit_file("mysql.service") is not None
    yield "unit", "mysql.service", machine.systemd.unit(mysql.UNIT).active.value if there else "absent"
    config = f"{mysql.CONFIGS}/zz-rbdtui.cnf"
    yield "config", config
    first = files.text(config).partition("\n")[0]
    if first.startswith(_OURS):
        yield "site", first.removeprefix(_OURS).partition(";")[0]
    for name in sorted(files.listdir(mysql.DATA)) if files.is_dir(mysql.DATA) else []:
        if name not in ("mysql", "performance_schema", "sys") and files.is_dir(f"{mysql.DATA}/{name}"):
            yield "database", name
    disk = files.disk_of(mysql.DATA)
    yield "space", "ext4", str(disk.size_bytes // 1024), str(disk.available_bytes // 1024), disk.path
    dumps = sorted(files.listdir(DUMPS)) if files.is_dir(DUMPS) else []
    newest = calendar.timegm(time.strptime(dumps[-1], "%Y%m%dT%H%M%SZ.sql.gz")) if dumps else 0
    yield "dump", str(newest), str(len(dumps))


async def resolve(call: Call) -> int:
    """``resolve NAME``: what the hosts file says, all of it, else a public DNS."""
    if listed := call.machine.addresses_of(call.args[0]):
        for address in sorted(set(listed)):
            call.line(address)
        return 0
    name = call.args[0].removesuffix(".nip.io")
    labels = name.split(".")
    if name != call.args[0] and len(labels) >= 4 and all(label.isdecimal() for label in labels[-4:]):
        call.line(".".join(labels[-4:]))
    return 0


async def vrrp_listen(call: Call) -> int:
    """``vrrp-listen ADDRESS SECONDS``: what `Network.announced` says, for as long as it takes to hear it."""
    call.line(f"interface {call.machine.interface}")
    await call.machine.network.pace.sleep(float(call.args[1]))
    if call.machine.network.plugged(call.machine):
        for said in call.machine.network.announced:
            call.line(f"heard {said}")
    call.line("listened")
    return 0


async def packets_between(call: Call) -> int:
    """``packets-between WAY OWN SECONDS MARK TARGET...``: all that speak to it; VXLAN's port is the cluster's."""
    way, own, seconds, mark, *targets = call.args
    network, machine = call.machine.network, call.machine
    names = ("rke2-server.service", "rke2-agent.service")
    if way != "vrrp" and any(machine.systemd.unit(name).active is Active.ACTIVE for name in names):
        return 5
    trial = network.trials.setdefault(mark, {})
    trial[own] = machine.name
    to_all = targets == [_VRRP_GROUP]
    await network.pace.sleep(float(seconds))
    await _begun_together(trial, len(network.machines) if to_all else len(targets) + 1)
    seen = {other.name for other in network.seen_by(machine, network.machines)} - {machine.name}
    deaf = network.without_vrrp if way == "vrrp" else network.without_vxlan
    for address, name in trial.items():
        if name in seen and machine.name not in deaf and (to_all or address in targets):
            call.line(f"heard {address}")
    call.line("tried")
    return 0


async def _begun_together(trial: Mapping[str, str], number: int) -> None:
    """Where time is hurried, those that began at one moment are not there at one moment: wait a little for them."""
    for _ in range(_TOGETHER_ROUNDS):
        if len(trial) >= number:
            return
        await asyncio.sleep(0.02)


async def fsync_try(call: Call) -> int:
    """``fsync-try PATH``: the disks of simulated machines are good ones."""
    call.line(f"directory {call.args[0]}")
    for number in range(100):
        call.line(f"{2_000_000 + number * 1000} 1000000")
    return 0


async def etcd_certificates(call: Call) -> int:
    """``etcd-certificates ROOT``: those of RKE2, whose pairs fit by how they are made."""
    files, directory = call.machine.files, f"{TLS_DIR}/etcd"
    paths = [f"{directory}/{name}" for name in ("server-ca.crt", "client.crt", "client.key")]
    if not any(files.exists(path) for path in paths):
        return 0
    call.line(f"layout rke2 {' '.join(paths)}")
    for path in paths:
        if not files.text(path):
            call.line(f"absent {path}")
    for role, path in zip(("ca", "cert"), paths, strict=False):
        if files.text(path):
            call.line(f"{role} {base64.b64encode(files.text(path).encode()).decode()}")
    call.line(f"fits {'yes' if files.text(paths[1]) and files.text(paths[2]) else 'unknown'}")
    return 0


async def balancer_listen(call: Call) -> int:
    """``balancer-listen UNIT …``: there is no systemd-socket-activate on simulated machines."""
    call.line("absent")
    return 0


async def balancer_stop(call: Call) -> int:
    """``balancer-stop UNIT``."""
    return 0


VERBS: Verbs = {
    "balancer-listen": balancer_listen,
    "balancer-stop": balancer_stop,
    "etcd-certificates": etcd_certificates,
    "packets-between": packets_between,
    "vrrp-listen": vrrp_listen,
    "fsync-try": fsync_try,
    "mysql-server": mysql_server,
    "nfs-copy": nfs_copy_look,
    "nfs-server": nfs_server,
    "nfs-lock": nfs_lock,
    "nfs-try": nfs_try,
    "resolve": resolve,
}
