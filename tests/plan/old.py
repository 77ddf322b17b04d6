"""A Rainbond 3.6 on three simulated machines, and what its users get of it at any moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rbdtui.audit.audit import Audit, audit_site
from rbdtui.audit.target import GRDATA, OF_VIP, Target, target_of
from rbdtui.bundle.scan import open_bundle
from rbdtui.plan.conversion.groups import GROUPS
from rbdtui.plan.recipes.convert import CHOSEN, RECIPE, VERSION
from rbdtui.plan.recipes.recipe import Request
from rbdtui.plan.step import Plan, StepContext
from rbdtui.simulator.fleet import Build, SimulatedFleet
from rbdtui.simulator.old_site import OldSite, install
from rbdtui.simulator.rainbond_3_6 import before
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.endpoints import endpoints_of
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.limits import Limits
from rbdtui.transport.pool import HostPool
from tests.plan.support import SECRETS, SPEED, Heard

PLAN = """\
apiVersion: rbdtui/v1
name: old
profile: rainbond-3.6
bundle: nothing
ssh: {{user: root, key: {key}, port: {port}}}
nodes:
  - {{name: manage01, address: {0}, roles: [control-plane, etcd], ssh: {{port: {port0}}}}}
  - {{name: compute01, address: {1}, roles: [worker, gateway], ssh: {{port: {port1}}}}}
  - {{name: compute02, address: {2}, roles: [worker, gateway], ssh: {{port: {port2}}}}}
gateway: {{mode: keepalived, vip: {vip}, virtual_router_id: 87}}
glusterfs: {{mode: {mode}, brick: /data/glusterfs, volume: data}}
"""
GLUSTER = ("glusterd", "mount.glusterfs", "keepalived")


@dataclass(slots=True)
class Old:
    """The site, with all that steps need."""

    site: OldSite
    context: StepContext
    heard: Heard

    @property
    def target(self) -> Target:
        """What the page wants of it."""
        return self.site.target

    def plan(self, *groups: str, version: str = "3.6") -> Plan:
        """The conversion, or some of its groups."""
        chosen = " ".join(groups or GROUPS)
        return RECIPE.build(Request(self.context.spec, {}, {CHOSEN: chosen, VERSION: version}))

    async def audit(self) -> Audit:
        """As the audit sees it."""
        return await audit_site(self.context.spec, self.context.hosts)

    def files(self) -> dict[str, str]:
        """All files of the three servers that a conversion may touch."""
        found = {}
        for name, machine in self.site.machines.items():
            for root in ("/etc", "/opt/rainbond"):
                for path in machine.files.walk(root):
                    if not machine.files.is_dir(path):
                        found[f"{name}:{path}"] = machine.files.text(path)
        return found

    def broken(self) -> list[str]:
        """What does not work for users: applications, images by name, shared data that is the same everywhere."""
        site, wrong = self.site, []
        manage = self.target.manage.name
        entrances = [name for name, host in site.hosts.items() if "rbd-lb" in host.containers]
        if manage not in entrances and not self.holders(entrances):
            wrong.append("nobody takes in applications")
        for name in site.machines:
            try:
                site.pull(name)
            except Exception as error:
                wrong.append(f"{name}: {error}")
        if len({id(site.shared(name)) for name in site.machines}) != 1:
            wrong.append(f"{GRDATA} is not the same everywhere")
        users = ("rbd-hub", "rbd-repo", "rbd-api", "rbd-entrance", "rbd-db")
        wrong += [f"{user} stands still" for user in users if user not in site.hosts[manage].containers]
        return wrong

    def holders(self, among: list[str]) -> list[str]:
        """Who of these has the address that moves."""
        return [
            name for name in among if any(str(own.ip) == self.target.vip for own in self.site.machines[name].addresses)
        ]

    def leads_to(self, node: str) -> list[str]:
        """Where the name of the registry leads on a server."""
        return self.site.machines[node].addresses_of(OF_VIP[0])


def spec_of_fleet(fleet: SimulatedFleet, mode: str, key: Path) -> ClusterSpec:
    """The plan of it."""
    addresses = [str(machine.ip) for machine in fleet.machines.values()]
    ports = {f"port{number}": station.sshd.port for number, station in enumerate(fleet.stations.values())}
    values = {"vip": fleet.vip, "mode": mode, "key": key, "port": fleet.port, **ports}
    spec = parse_spec(PLAN.format(*addresses, **values)).spec
    assert spec is not None
    return spec


@asynccontextmanager
async def old_site(tmp_path: Path, mode: str = "arbiter") -> AsyncIterator[Old]:
    """A site as the installer leaves it, with the packages that a conversion needs."""
    async with SimulatedFleet(3, speed=SPEED, builds=(Build(),)) as fleet:
        key = tmp_path / "key"
        key.write_bytes(fleet.client_key.export_private_key())
        key.chmod(0o600)
        spec = spec_of_fleet(fleet, mode, key)
        target = target_of(spec)
        hosts = before(target)
        for host in hosts.values():
            host.programs |= set(GLUSTER)
        machines = dict(zip((server.name for server in target.servers), fleet.machines.values(), strict=True))
        site = install(target, hosts, machines)
        for machine in machines.values():
            machine.start_unit("docker")
            machine.start_unit("kubelet")
        keys = tmp_path / "known_hosts"
        known = fleet.known_hosts
        for number, name in enumerate(machines, 1):
            known = known.replace(f"node{number} ", f"{name} ")
        keys.write_text(known)
        heard = Heard()
        limits = Limits(reconnect_window_s=10.0)
        async with HostPool(endpoints_of(spec), KnownHosts(keys), SECRETS.__getitem__, limits=limits) as pool:
            context = StepContext(
                run_id="20260101T000000Z-1", spec=spec, facts={}, hosts=pool, bundle=open_bundle(tmp_path),
                secret=SECRETS.__getitem__, report=heard, site_dir=tmp_path,
            )  # fmt: skip
            yield Old(site, context, heard)
