"""The lab's network on this machine: bridge, cables, rates, squatters, and SSH's detour through a delaying proxy."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.lab.cgroup import kill_all, start_in_background
from tests.lab.layout import (
    Host,
    Plan,
    bridge_name,
    group_name,
    second_bridge_name,
    second_cable_name,
    squatter_name,
    squatter_prefix,
)
from tests.lab.shell import LabError, run, wait_for

_PROXY = Path(__file__).parent / "delay_proxy.py"
_FORWARDING = "3"
"""State of a bridge's port that takes part."""
PROXY_MARK = 0x7262
"""Packets of the delaying proxy itself carry this mark, so that they are not sent to the proxy again."""


def make_bridge(plan: Plan) -> None:
    """Make the bridge with this machine's address on it; nothing is forwarded from it."""
    bridge = bridge_name(plan.name)
    # A fixed address: a bridge takes over the lowest of its ports' addresses, and would change it when a host dies.
    run(["ip", "link", "add", bridge, "address", f"02:72:62:64:00:{plan.quarter:02x}", "type", "bridge"])
    settings = Path("/proc/sys/net")
    if (settings / "ipv6").exists():
        (settings / f"ipv6/conf/{bridge}/disable_ipv6").write_text("1")
    (settings / f"ipv4/conf/{bridge}/forwarding").write_text("0")
    run(["ip", "address", "add", f"{plan.jump_address}/{plan.network.prefixlen}", "dev", bridge])
    run(["ip", "link", "set", bridge, "up"])


def add_card(plan: Plan, host: Host, namespace: str) -> None:
    """Put a second network card, `host1`, into a host's network namespace, on a bridge where only such cards are."""
    bridge, cable = second_bridge_name(plan.name), second_cable_name(plan.name, host.index)
    if not Path(f"/sys/class/net/{bridge}").exists():
        run(["ip", "link", "add", bridge, "type", "bridge"])
        run(["ip", "link", "set", bridge, "up"])
    # The kernel takes a dead host's cable away when it comes to that.
    run(["ip", "link", "del", cable], check=False)
    run(["ip", "link", "add", cable, "type", "veth", "peer", "name", "host1", "netns", namespace])
    run(["ip", "link", "set", cable, "master", bridge, "up"])


def set_link(name: str, state: str) -> None:
    """Set a link `up` or `down`."""
    run(["ip", "link", "set", name, state])


def rate_command(name: str, rate: str) -> list[str]:
    """The command that limits what goes out of a link to a rate such as `10mbit`."""
    return ["tc", "qdisc", "replace", "dev", name, "root", "tbf", "rate", rate, "burst", "64kb", "latency", "300ms"]


def unlimit_command(name: str) -> list[str]:
    """The command that takes the limit off a link; it fails where there is none."""
    return ["tc", "qdisc", "del", "dev", name, "root"]


def add_squatter(plan: Plan, address: str) -> None:
    """Put one more machine on the wire that holds an address and answers for it."""
    name = squatter_name(plan.name, address)
    run(["ip", "netns", "add", name])
    run(["ip", "link", "add", name, "type", "veth", "peer", "name", "host0", "netns", name])
    run(["ip", "link", "set", name, "master", bridge_name(plan.name), "up"])
    run(["ip", "-n", name, "address", "add", f"{address}/{plan.network.prefixlen}", "dev", "host0"])
    run(["ip", "-n", name, "link", "set", "host0", "up"])
    # The kernel lets a new port of a bridge take part up to a second later: until then nobody hears it.
    state = Path(f"/sys/class/net/{name}/brport/state")
    wait_for(f"cable of {address}", lambda: state.read_text().strip() == _FORWARDING, timeout_s=10, pause_s=0.02)


def remove_squatter(name: str) -> None:
    """Take a squatter away, and its cable with it."""
    run(["ip", "netns", "delete", name])
    run(["ip", "link", "delete", name], check=False)


def squatters(lab: str) -> list[str]:
    """Names of the squatters of a lab."""
    listed = run(["ip", "netns", "list"]).stdout.splitlines()
    return [line.split()[0] for line in listed if line.startswith(squatter_prefix(lab))]


def start_delay(plan: Plan, host_name: str, address: str, round_trip_ms: int, directory: Path) -> int:
    """Send SSH from this machine to an address through a delaying proxy; gives the proxy's own port on 127.0.0.1."""
    log = directory / f"delay-{host_name}.log"
    log.write_text("")
    words = [sys.executable, str(_PROXY), address, "22", str(round_trip_ms / 2), str(PROXY_MARK)]
    start_in_background(group_name(plan.name, f"delay-{host_name}"), words, log)
    wait_for(f"delaying proxy of {host_name}", lambda: log.read_text().strip().isdigit(), timeout_s=10)
    port = int(log.read_text())
    run(
        [
            "iptables",
            "-t",
            "nat",
            "-I",
            "OUTPUT",
            *_detour(plan.name, address),
            "-j",
            "REDIRECT",
            "--to-ports",
            str(port),
        ]
    )
    return port


def stop_delay(plan: Plan, host_name: str, address: str) -> None:
    """Take the detour away and end its proxy; harmless when there is none."""
    stop_detours(plan.name, address)
    kill_all(group_name(plan.name, f"delay-{host_name}"))


def stop_detours(lab: str, address: str | None = None) -> None:
    """Take the detour to an address, or every detour of a lab, out of this machine's packet filter."""
    for line in run(["iptables", "-t", "nat", "-S", "OUTPUT"], check=False).stdout.splitlines():
        mine = f"--comment {_comment(lab)} " in line.replace('"', "")
        if mine and (address is None or f"-d {address}/32 " in line):
            run(["iptables", "-t", "nat", "-D", *line.replace('"', "").split()[1:]])


def remove_links(lab: str) -> None:
    """Remove the bridges of a lab and every cable that is left."""
    for link in [*Path("/sys/class/net").glob(f"vb-{lab}-*"), *Path("/sys/class/net").glob(f"vc-{lab}-*")]:
        run(["ip", "link", "delete", link.name], check=False)
    for bridge in (bridge_name(lab), second_bridge_name(lab)):
        if Path(f"/sys/class/net/{bridge}").exists():
            run(["ip", "link", "delete", bridge])
        if Path(f"/sys/class/net/{bridge}").exists():
            raise LabError(f"bridge {bridge} cannot be removed")


def _detour(lab: str, address: str) -> list[str]:
    unmarked = ["-m", "mark", "!", "--mark", hex(PROXY_MARK)]
    return ["-d", f"{address}/32", "-p", "tcp", "--dport", "22", *unmarked, "-m", "comment", "--comment", _comment(lab)]


def _comment(lab: str) -> str:
    return f"rbdlab-{lab}"
