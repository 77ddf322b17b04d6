"""The script that finds and removes what an installation left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from rbdtui.simulator import mysql, nfs, nfs_copy
from rbdtui.simulator.call import Call, Verbs
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.units import Active
from rbdtui.simulator.verbs.files import STATE_DIR

_OURS: Final = "# Written by rbdtui for site "
_KEEPALIVED: Final = "keepalived"
_BALANCING: Final = {_KEEPALIVED: "/etc/keepalived/keepalived.conf", "haproxy": "/etc/haproxy/haproxy.cfg"}
"""By unit, the file that says whose it is."""
_EXPORTS: Final = "/etc/exports.d/rbdtui.exports"
_RSYNCD: Final = "/etc/rbdtui-rsyncd.conf"
_MYSQL_CONFIG: Final = f"{mysql.CONFIGS}/zz-rbdtui.cnf"
_MYSQL_DUMP: Final = "mysql-dump-rbdtui.timer"
_RKE2: Final = ("rke2-server", "rke2-agent")
_UNITS: Final[Mapping[str, tuple[str, ...]]] = {
    **{unit: (unit,) for unit in (*_BALANCING, nfs.UNIT)},
    "mysql": (_MYSQL_DUMP, mysql.UNIT),
    "nfs-copy": (nfs_copy.PUSH, nfs_copy.COPY),
    "rke2": _RKE2,
}
"""By action, what it stops."""
_DIRECTORIES: Final = (
    "/etc/keepalived",
    "/etc/haproxy",
    "/etc/modprobe.d",
    "/etc/exports.d",
    "/etc/nfs.conf.d",
    "/etc/systemd/system/haproxy.service.d",
    "/etc/sysctl.d",
    "/etc/modules-load.d",
    "/etc/NetworkManager/conf.d",
    "/etc/systemd/system/keepalived.service.d",
    "/usr/libexec/keepalived",
    mysql.CONFIGS,
    "/usr/local/sbin",
    "/etc/systemd/system",
)
_PATHS: Final = (
    "/etc/rancher/rke2",
    "/etc/rancher/node",
    "/var/lib/rancher/rke2",
    "/run/k3s",
    "/run/flannel",
    "/usr/local/bin/rke2",
    "/usr/local/bin/rke2-killall.sh",
    "/usr/local/bin/rke2-uninstall.sh",
    "/usr/local/share/rke2",
    "/usr/local/lib/systemd/system/rke2-server.service",
    "/usr/local/lib/systemd/system/rke2-agent.service",
    "/usr/local/lib/systemd/system/rke2-server.env",
    "/usr/local/lib/systemd/system/rke2-agent.env",
    "/etc/systemd/system/rke2-server.service",
    "/etc/systemd/system/rke2-agent.service",
    "/opt/rke2",
    "/etc/cni",
    "/opt/cni",
    "/var/lib/cni",
    "/var/lib/kubelet",
)


async def residue(call: Call) -> int:
    """``residue ACTION ARGS...``."""
    action, *args = call.args
    machine = call.machine
    if action == "look":
        return _look(call, args[0])
    if action == "jobs":
        for unit in args:
            await machine.systemd.stop(unit)
    elif action in _UNITS:
        for unit in _UNITS[action]:
            await machine.systemd.stop(unit)
            machine.disable(unit)
    elif action == "address":
        machine.addresses = [each for each in machine.addresses if str(each.ip) != args[0] or each == machine.address]
    elif action == "paths":
        if not {*args} <= {*_PATHS, "/opt/rainbond"}:
            return 64
        for path in args:
            machine.files.remove(path)
        machine.daemon_reload()
    elif action == "state":
        booleans = f"{STATE_DIR}/booleans"
        machine.booleans |= dict.fromkeys(
            machine.files.listdir(booleans) if machine.files.is_dir(booleans) else [], False
        )
        machine.files.remove(STATE_DIR)
    else:
        return 64
    return 0


def _look(call: Call, vip: str) -> int:
    machine = call.machine
    for line in (*_running(machine, vip), *_kept(machine)):
        call.line("\t".join(line))
    return 0


def _running(machine: Machine, vip: str) -> Iterator[tuple[str, str, str]]:
    for unit in _RKE2:
        if machine.unit_file(unit) is not None:
            yield "unit", f"{unit}.service", ""
    for address in machine.addresses:
        if str(address.ip) == vip and address != machine.address:
            yield "address", str(address), machine.interface
    if _site_of(machine, _EXPORTS) and machine.systemd.unit(nfs.UNIT).active is not Active.INACTIVE:
        yield nfs.UNIT, next(line.partition(" ")[0] for name, line in nfs.tables(machine) if name == _EXPORTS), ""
    runs = machine.systemd.unit(mysql.UNIT).active is not Active.INACTIVE
    if _site_of(machine, _MYSQL_CONFIG) and (runs or machine.enabled(mysql.UNIT)):
        yield "mysql", f"{mysql.UNIT}.service", ""
    for unit in (nfs_copy.PUSH, nfs_copy.COPY):
        if machine.systemd.unit(unit).active is not Active.INACTIVE or machine.enabled(unit):
            yield "nfs-copy", f"{unit}.service", ""
    for unit, config in _BALANCING.items():
        if _site_of(machine, config):
            runs = machine.systemd.unit(unit).active is not Active.INACTIVE
            if runs or machine.enabled(unit):
                yield unit, "running" if runs else "enabled", ""


def _kept(machine: Machine) -> Iterator[tuple[str, str, str]]:
    places = [(f"{path}/.rbdtui-nfs") for path in _copied(machine)]
    places += [_RSYNCD, "/etc/rbdtui-rsyncd.secrets", "/etc/rbdtui-rsync.password"]
    yield from (("file", path, site) for path in places if (site := _site_of(machine, path)))
    for directory in _DIRECTORIES:
        for name in machine.files.listdir(directory) if machine.files.is_dir(directory) else []:
            if site := _site_of(machine, f"{directory}/{name}"):
                yield "file", f"{directory}/{name}", site
    yield from (("path", path, "") for path in _PATHS if _is_something(machine, path))
    if _is_something(machine, "/opt/rainbond"):
        yield "data", "/opt/rainbond", ""
    if before := _hosts_before(machine):
        yield "hosts-before", before, ""
    if _is_something(machine, STATE_DIR):
        yield "state", STATE_DIR, ""


def _copied(machine: Machine) -> Iterator[str]:
    """Directories that are given away or taken by us."""
    yield from (line.partition(" ")[0] for name, line in nfs.tables(machine) if name == _EXPORTS)
    yield from re.findall(r"^path = (\S+)$", machine.files.text(_RSYNCD), re.MULTILINE)


def _site_of(machine: Machine, path: str) -> str:
    """The site that a file was written for; empty for one that is not ours."""
    for line in machine.files.text(path).splitlines()[:3]:
        if line.startswith(_OURS):
            return line.removeprefix(_OURS).partition(";")[0]
    return ""


def _is_something(machine: Machine, path: str) -> bool:
    files = machine.files
    return bool(files.listdir(path)) if files.is_dir(path) else files.exists(path)


def _hosts_before(machine: Machine) -> str:
    backups = f"{STATE_DIR}/backup"
    runs = machine.files.listdir(backups) if machine.files.is_dir(backups) else []
    kept = [f"{backups}/{run}/etc/hosts" for run in runs if machine.files.exists(f"{backups}/{run}/etc/hosts")]
    return kept[0] if kept else ""


VERBS: Verbs = {"residue": residue}
