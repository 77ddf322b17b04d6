"""A site directory for a simulated fleet: spec, key and bundle, ready for every command; host keys are not pinned."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.fleet import SimHost, SimulatedFleet
from rbdtui.site import Site

KUBERNETES, RAINBOND, RAINBOND_OLD = "kubernetes-only", "rainbond-6", "rainbond-5.17"
"""Profiles that a simulated site can have."""
_SERVERS: Final = 3
_HEAD: Final = """# A site of simulated hosts. They live on loopback addresses as long as the simulator runs.
apiVersion: rbdtui/v1
name: {name}
profile: {profile}
bundle: {bundle}
ssh:
  user: root
  port: {port}
  key: {key}
nodes:
"""
_TAIL: Final = """kubernetes:
  distribution: rke2
  api: {{mode: vip, address: {vip}}}
gateway: {{mode: keepalived, vip: {vip_with_prefix}, virtual_router_id: 87}}
"""
_ALONE: Final = """kubernetes:
  distribution: rke2
  api: {mode: first-server}
gateway: {mode: none}
"""


def write_demo_site(
    directory: Path,
    fleet: SimulatedFleet,
    *,
    name: str = "demo",
    bundle: Path | None = None,
    empty: bool = False,
    profile: str = KUBERNETES,
) -> Site:
    """Make a site; without ``bundle`` a small one is made in it. ``empty`` leaves the nodes to the operator."""
    site = Site.create(directory)
    key = site.demo_key_file
    key.touch(mode=0o600)
    key.write_bytes(fleet.client_key.export_private_key())
    place = bundle or write_bundle(site.path / "bundle", old=profile == RAINBOND_OLD, kubesphere=True, rook=True)
    text = cluster_yaml(fleet, name=name, key=key, bundle=place, profile=profile)
    if empty:
        text = text.partition("nodes:\n")[0] + "nodes: []\n"
    site.begin(text)
    return site


def cluster_yaml(fleet: SimulatedFleet, *, name: str, key: Path, bundle: Path, profile: str = KUBERNETES) -> str:
    """The spec: three servers that are gateways too, agents behind them; with fewer than three machines one server.

    With Rainbond all build applications; what it keeps it keeps in the cluster.
    """
    stations = list(fleet.stations.values())
    high = len(stations) >= _SERVERS
    servers = _SERVERS if high else 1
    more = ", build" if profile != KUBERNETES else ""
    lines = [_HEAD.format(name=name, profile=profile, bundle=bundle, key=key, port=fleet.port)]
    for number, station in enumerate(stations):
        roles = "control-plane, etcd, worker" if number < servers else "worker"
        roles += (", gateway" if high and number < servers else "") + more
        lines.append(_node_line(station, roles, fleet.port))
    lines.append(_TAIL.format(vip=fleet.vip.ip, vip_with_prefix=fleet.vip) if high else _ALONE)
    return "".join(lines)


def _node_line(station: SimHost, roles: str, port: int) -> str:
    machine = station.machine
    login = [f"port: {station.sshd.port}"] if station.sshd.port != port else []
    if station.build.user != "root":
        login += [f"user: {station.build.user}", "sudo_password: secret:sudo"]
    own = f", ssh: {{{', '.join(login)}}}" if login else ""
    return f"  - {{name: {machine.name}, address: {machine.ip}, roles: [{roles}]{own}}}\n"
