"""Scripts on units, kernel, packages and addresses."""

from __future__ import annotations

import hashlib
import posixpath
from ipaddress import IPv4Address
from typing import Final

from rbdtui.simulator import haproxy
from rbdtui.simulator.call import Call, Verbs
from rbdtui.simulator.keepalived import ConfigError, parse
from rbdtui.simulator.machine import (
    Machine,
    install_haproxy,
    install_keepalived,
    install_mysql_server,
    install_nfs_server,
)
from rbdtui.simulator.units import Active, Systemd

MODULES_ON_DISK: Final = frozenset(
    {"overlay", "br_netfilter", "vxlan", "nf_conntrack", "nf_tables", "nft_compat", "ip_tables", "iptable_filter"}
    | {"iptable_nat", "ip_vs", "dummy", "tun", "rbd", "ceph"}
)
_SQUATTER_MAC: Final = "02:00:5e:00:53:01"
_LOG_LINES: Final = 15


def unit_file_state(machine: Machine, unit: str) -> str:
    """The word of ``UnitFileState``."""
    if machine.unit_file(unit) is None:
        return ""
    return "enabled" if machine.enabled(unit) else "disabled"


def unit_properties(machine: Machine, name: str) -> dict[str, str]:
    """What ``systemctl show`` knows of a unit."""
    full = Systemd.full_name(name)
    unit = machine.systemd.unit(full)
    is_there = machine.unit_file(full) is not None or unit.task is not None
    invocation = hashlib.sha256(f"{machine.booted_at} {full} {unit.invocations}".encode()).hexdigest()[:32]
    return {
        "Id": full,
        "LoadState": "loaded" if is_there else "not-found",
        "ActiveState": unit.active.value,
        "SubState": unit.sub_state,
        "Result": unit.result,
        "NRestarts": str(unit.restarts),
        "MainPID": str(unit.pid),
        "ExecMainStatus": str(unit.exit_status),
        "UnitFileState": unit_file_state(machine, full),
        "NeedDaemonReload": "yes" if machine.needs_daemon_reload(full) else "no",
        "InvocationID": invocation if unit.invocations and unit.active is not Active.INACTIVE else "",
    }


async def unit_state(call: Call) -> int:
    """``unit-state UNIT...``."""
    for unit in call.args:
        for key, value in unit_properties(call.machine, unit).items():
            call.line(f"{key}={value}")
        call.line("")
    return 0


async def unit_action(call: Call) -> int:
    """``unit-action UNIT ACTION...``."""
    unit, *actions = call.args
    machine = call.machine
    for action in actions:
        if action == "daemon-reload":
            machine.daemon_reload()
            continue
        if action not in _ACTIONS:
            return 64
        if machine.unit_file(unit) is None and action not in {"stop", "reset-failed"}:
            return call.fail(f"Failed to {action} unit: Unit file {unit} does not exist.", 3)
        if not await _act(machine, unit, action):
            for line in list(machine.systemd.lines(unit))[-_LOG_LINES:]:
                call.fail(line.text)
            return 3
    return 0


_ACTIONS: Final = frozenset(
    {"enable", "disable", "start", "start-no-wait", "stop", "restart", "reload-or-restart", "reload", "reset-failed"}
)


async def _act(machine: Machine, name: str, action: str) -> bool:
    unit = machine.systemd.unit(name)
    match action:
        case "enable":
            machine.enable(name)
        case "disable":
            machine.disable(name)
        case "start-no-wait":
            machine.start_unit(name)
        case "reset-failed":
            if unit.active is Active.FAILED:
                unit.change(Active.INACTIVE)
        case "stop":
            await machine.systemd.stop(name)
        case "reload" | "reload-or-restart" if unit.active is Active.ACTIVE and unit.reload is not None:
            unit.reload()
        case "reload":
            return False
        case _:
            if action != "start":
                await machine.systemd.stop(name)
            await machine.start_unit(name).settled()
            return unit.active is Active.ACTIVE or (unit.active is Active.INACTIVE and unit.result == "success")
    return True


async def modules_state(call: Call) -> int:
    """``modules-state MODULE...``."""
    for module in call.args:
        word = "loaded" if module in call.machine.modules else "available" if module in MODULES_ON_DISK else "absent"
        call.line(f"{module} {word}")
    return 0


async def modules_load(call: Call) -> int:
    """``modules-load MODULE...``."""
    status = 0
    for module in call.args:
        if module not in MODULES_ON_DISK | call.machine.modules:
            status = call.fail(f"modprobe: FATAL: Module {module} not found in directory /lib/modules", 3)
        else:
            call.machine.modules.add(module)
    return status


def sysctl_value(machine: Machine, key: str) -> str | None:
    """The value of a kernel parameter; None while the kernel has no such key."""
    if key.startswith("net.bridge.") and "br_netfilter" not in machine.modules:
        return None
    return machine.sysctl.get(key)


async def sysctl_state(call: Call) -> int:
    """``sysctl-state KEY...``."""
    for key in call.args:
        call.line(f"{key}={sysctl_value(call.machine, key) or ''}")
    return 0


async def sysctl_set(call: Call) -> int:
    """``sysctl-set KEY=VALUE...``."""
    status = 0
    for setting in call.args:
        key, _, value = setting.partition("=")
        if sysctl_value(call.machine, key) is None:
            status = call.fail(f"{setting}: refused by the kernel", 3)
        else:
            call.machine.sysctl[key] = value
    return status


async def packages_state(call: Call) -> int:
    """``packages-state PACKAGE...``."""
    for package in call.args:
        installed, found = package in call.machine.packages, package in call.machine.tools
        call.line(f"{package} {'1:2.2.7-1' if installed else '?' if found else ''}".rstrip())
    return 0


_BRINGS: Final = {"nfs-common": "mount.nfs", "rsync": "rsync", "inotify-tools": "inotifywait"}
_INSTALLERS: Final = {
    "haproxy": install_haproxy,
    "keepalived": install_keepalived,
    "nfs-kernel-server": install_nfs_server,
    "mysql-community-server": install_mysql_server,
}


async def packages_install(call: Call) -> int:
    """``packages-install DIRECTORY UNIT...``; a package's name is what its file's name begins with."""
    directory, *_held = call.args
    files = call.machine.files
    names = files.listdir(directory) if files.is_dir(directory) else []
    packages = [name for name in names if posixpath.splitext(name)[1] in {".deb", ".rpm"}]
    if not packages:
        return 4
    for file in packages:
        package = file.partition("_")[0]
        if package in call.machine.packages:
            continue
        await call.machine.network.pace.sleep(1.5)
        call.line(f"Selecting previously unselected package {package}.\nSetting up {package} ...")
        call.machine.packages.add(package)
        if package in _BRINGS:
            call.machine.tools.add(_BRINGS[package])
        if package in _INSTALLERS:
            _INSTALLERS[package](call.machine)
            call.machine.daemon_reload()
    return 0


async def holds_address(call: Call) -> int:
    """``holds-address ADDRESS...``."""
    own = {str(address.ip) for address in call.machine.addresses}
    for address in call.args:
        call.line(f"{address} {'yes' if address in own else 'no'}")
    return 0


async def neighbour(call: Call) -> int:
    """``neighbour ADDRESS [ping | forget]``; the table of a simulated machine is always true."""
    address, how = (*call.args, "")[:2]
    wanted, network = IPv4Address(address), call.machine.network
    answering = [other.mac for other in network.seen_by(call.machine, network.holders(wanted))]
    if wanted in network.squatters and network.plugged(call.machine):
        answering.append(_SQUATTER_MAC)
    if how == "forget":
        call.out("forgotten\n" * len(answering))
        return 0
    if any(own.ip == wanted for own in call.machine.addresses):
        call.line("own")
        return 0
    if how == "ping":
        call.line("pinged")
    for mac in answering:
        call.line(f"neighbour {mac} {call.machine.interface}")
    return 0


async def keepalived_test(call: Call) -> int:
    """``keepalived-test``, the configuration on standard input."""
    if "keepalived" not in call.machine.packages:
        return 4
    try:
        parse((await call.payload()).decode("utf-8", "replace"))
    except (ConfigError, ValueError) as error:
        return call.fail(str(error), 3)
    return 0


async def haproxy_test(call: Call) -> int:
    """``haproxy-test``, the configuration on standard input."""
    if "haproxy" not in call.machine.packages:
        return 4
    try:
        haproxy.parse((await call.payload()).decode("utf-8", "replace"))
    except haproxy.ConfigError as error:
        return call.fail(str(error), 3)
    return 0


async def haproxy_status(call: Call) -> int:
    """``haproxy-status PORT``."""
    (port,) = call.args
    if call.machine.balanced is None or call.machine.listener("127.0.0.1", int(port)) is None:
        return 3
    for server in call.machine.balanced:
        call.line(f"server {server.proxy} {server.name} {'UP' if server.is_up else 'DOWN'} {server.check or '-'}")
    return 0


async def selinux_boolean(call: Call) -> int:
    """``selinux-boolean ACTION NAME``."""
    action, name = call.args
    booleans = call.machine.booleans
    if action == "state":
        call.line("absent" if name not in booleans else "on" if booleans[name] else "off")
    else:
        call.machine.files.put(f"/var/lib/rbdtui/booleans/{name}", b"")
        booleans[name] = True
    return 0


async def keepalived_check(call: Call) -> int:
    """``keepalived-check NAME``."""
    (name,) = call.args
    lines = [line.text for line in call.machine.systemd.lines("keepalived")]
    said = [line for line in lines if line.startswith(("Starting VRRP child process", f"VRRP_Script({name}) "))][-1:]
    good = any(word in line for line in said for word in (") succeeded", ") considered successful"))
    call.line("passes" if good else "fails" if any("VRRP_Script(" in line for line in said) else "silent")
    call.fail("\n".join(lines[-_LOG_LINES:]), 0)
    return 0


async def clock(call: Call) -> int:
    """``clock``."""
    call.line(f"@@clock {call.machine.clock():.9f}")
    return 0


async def health(call: Call) -> int:
    """``health PATH... NAME...``."""
    machine = call.machine
    call.line(f"time {machine.clock():.9f}")
    for unit in ("haproxy", "keepalived", "rke2-server", "rke2-agent"):
        shown = unit_properties(machine, unit)
        call.line(f"unit {unit} " + " ".join(f"{key}={shown[key]}" for key in ("LoadState", "ActiveState", "SubState")))
    if machine.listener("127.0.0.1", 9345) is not None:
        call.line("listens 9345")
    for address in ("127.0.0.1", *sorted(str(own.ip) for own in machine.addresses)):
        call.line(f"address {address}")
    call.line(f"boot {machine.identity('boot')[:20]}-{machine.booted_at:.0f}")
    for asked in call.args:
        if not asked.startswith("/"):
            for address in machine.addresses_of(asked):
                call.line(f"name {asked} {address}")
            call.line(f"asked {asked}")
        elif machine.files.exists(asked):
            disk = machine.files.disk_of(asked)
            used = 100 - disk.available_bytes * 100 // disk.size_bytes
            call.line(f"disk {used} {disk.size_bytes // 1024} {disk.available_bytes // 1024} {asked}")
            call.line(f"inodes 4 {asked}")
    return 0


async def host_boot(call: Call) -> int:
    """``host-boot``."""
    call.line(call.machine.identity(f"boot {call.machine.booted_at}"))
    return 0


async def host_reboot(call: Call) -> int:
    """``host-reboot``: the machine's own word to whoever has its switch."""
    call.machine.wants_reboot()
    return 0


VERBS: Verbs = {
    "host-boot": host_boot,
    "host-reboot": host_reboot,
    "clock": clock,
    "health": health,
    "haproxy-status": haproxy_status,
    "haproxy-test": haproxy_test,
    "holds-address": holds_address,
    "keepalived-check": keepalived_check,
    "keepalived-test": keepalived_test,
    "neighbour": neighbour,
    "modules-load": modules_load,
    "modules-state": modules_state,
    "packages-install": packages_install,
    "packages-state": packages_state,
    "selinux-boolean": selinux_boolean,
    "sysctl-set": sysctl_set,
    "sysctl-state": sysctl_state,
    "unit-action": unit_action,
    "unit-state": unit_state,
}
