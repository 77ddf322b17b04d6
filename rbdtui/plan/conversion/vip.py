"""The address that moves between the two compute nodes: keepalived with a check of rbd-lb, then where names lead.

keepalived comes before the lines of the hosts files: a name never leads to an address that nobody has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.audit.facts import ENVIRONMENT, KEEPALIVED
from rbdtui.audit.row import RowState
from rbdtui.audit.rows.vip import instance_fits, instance_with
from rbdtui.audit.seen import SeenHost, SeenSite
from rbdtui.audit.target import LB_API_PORT
from rbdtui.errors import StepError
from rbdtui.plan.cluster import VRRP_SECRET, vip_priority
from rbdtui.plan.content import SecretRef, fill_asset
from rbdtui.plan.conversion import edits
from rbdtui.plan.conversion.entrance import DNS
from rbdtui.plan.conversion.looking import look, need_programs, need_way_in, server, target
from rbdtui.plan.conversion.resources import KubeletResolvers, OldFile, Runs
from rbdtui.plan.conversion.step import ConvertStep
from rbdtui.plan.conversion.volume import HOSTS
from rbdtui.plan.resources.base import Looked, Resource, Target
from rbdtui.plan.resources.files import ManagedFile, header
from rbdtui.plan.resources.units import RunningUnit, digest_of
from rbdtui.plan.step import Pending, StepContext
from rbdtui.plan.steps.keepalived import CHECK_FILE, DROP_IN_FILE, UNIT, check_name, unicast_lines
from rbdtui.plan.vip import wait_for_one_holder
from rbdtui.spec.model import ClusterSpec
from rbdtui.together import together
from rbdtui.transport.scripts import script

_HELD_S: Final = 90.0


@dataclass(frozen=True, slots=True)
class OldKeepalived(ConvertStep):
    """keepalived carries the address to a compute node whose rbd-lb answers."""

    name: ClassVar[str] = "convert-keepalived"

    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """Its files and the daemon; where the site's own carry the address as wanted, they stay.

        A file with other addresses is somebody else's while keepalived runs with it; the package of Red Hat brings a
        sample, which nobody runs.
        """
        await need_programs(context, self.node, "keepalived", "curl")
        wanted = target(context)
        facts = ("keepalived_conf", "interfaces", "audit_units")
        seen = await together(*(look(context, each.name, *facts) for each in wanted.servers))
        hosts = {host.name: host for host in seen}
        own = hosts[self.node]
        parts = list(instance_fits(SeenSite(wanted, hosts), own))
        is_ours = (own.keepalived.text or "").startswith(header(context.spec.name))
        if not is_ours and parts and all(part.state in (RowState.OK, RowState.WEAK) for part in parts):
            return (Runs(UNIT),)
        others = [
            block.value for block in own.keepalived_read.root.all("vrrp_instance")
            if block is not instance_with(own, wanted.vip)
        ]  # fmt: skip
        unit = own.units.get("keepalived")
        if others and unit is not None and unit.active == "active":
            raise StepError("convert_other_router", node=self.node, path=KEEPALIVED, names=", ".join(others))
        return self._files(context, own)

    def _files(self, context: StepContext, own: SeenHost) -> Sequence[Resource]:
        spec = context.spec
        first_line = header(spec.name)
        values: dict[str, str | SecretRef] = {"header": first_line, "port": str(LB_API_PORT)}
        check = fill_asset("keepalived-rbd-lb-check.sh", values, context.secret)
        tracked = check_name(check)
        values |= {
            "node": self.node,
            "interface": self._interface(spec, own),
            "router_id": str(spec.gateway.virtual_router_id),
            "priority": str(vip_priority(spec, spec.node(self.node))),
            "vip": str(spec.gateway.vip),
            "password": SecretRef(VRRP_SECRET),
            "unicast": unicast_lines(spec, spec.node(self.node)),
            "check": fill_asset("keepalived-check.conf", {"name": tracked, "script": CHECK_FILE}, context.secret).shown,
            "track": f"    track_script {{\n        {tracked}\n    }}\n",
        }
        config = fill_asset("keepalived.conf", values, context.secret)
        drop_in = fill_asset("keepalived-unit.conf", {"header": first_line}, context.secret)
        return (
            ManagedFile(CHECK_FILE, check, mode=0o755),
            ManagedFile(DROP_IN_FILE, drop_in),
            ManagedFile(KEEPALIVED, config, mode=0o600, validator=script("keepalived-test")),
            RunningUnit(UNIT, digest_of([config, check, drop_in])),
        )

    def _interface(self, spec: ClusterSpec, own: SeenHost) -> str:
        if spec.gateway.interface != "auto":
            return spec.gateway.interface
        address = str(spec.vrrp_address(spec.node(self.node)))
        for interface in own.interfaces:
            if any(str(each.ip) == address for each in interface.addresses):
                return interface.name
        raise StepError("no_interface", node=self.node, address=address)

    async def prove(self, context: StepContext) -> None:
        """One of those that are told has the address; raises `StepError`."""
        await wait_for_one_holder(context, limit_s=_HELD_S)

    async def restore(self, context: StepContext, pending: Pending[tuple[Looked, ...]]) -> None:
        """keepalived as it was before: stopped where we have started it."""
        for each in pending.seen:
            if isinstance(each.resource, RunningUnit) and each.pending.seen.active != "active":
                await each.resource.remove(Target.of(context, self.node))


@dataclass(frozen=True, slots=True)
class PlatformNames(ConvertStep):
    """Names of the platform lead to the address that moves, and those that rbd-lb does not serve to the manager."""

    name: ClassVar[str] = "convert-hosts"

    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """The hosts file."""
        wanted = target(context)
        uuid = (await look(context, wanted.manage.name, "node_uuid")).uuid.text or ""
        names = edits.all_names(wanted, uuid.strip().rpartition("=")[2])
        return (OldFile(HOSTS, lambda text: edits.hosts(text, names)),)

    async def ready(self, context: StepContext) -> None:
        """A name leads to an address only once somebody has it; raises `StepError`."""
        await need_way_in(context)

    async def prove(self, context: StepContext) -> None:
        """The server itself finds them there; raises `StepError`."""
        wanted = target(context)
        seen = await look(context, self.node, "audit_names")
        names = edits.all_names(wanted, "")
        wrong = {name: seen.names.get(name, "") for name, address in names.items() if seen.names.get(name) != address}
        if wrong:
            evidence = "\n".join(f"{name}: {found or '-'}" for name, found in wrong.items())
            raise StepError("convert_names", node=self.node, names=", ".join(wrong), evidence=evidence)


@dataclass(frozen=True, slots=True)
class ContainerResolvers(ConvertStep):
    """Containers that are started from now on ask rbd-dns on both compute nodes."""

    name: ClassVar[str] = "convert-resolvers"

    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """kubelet's environment, and the kubelet that reads it."""
        wanted = target(context)
        host = await look(context, self.node, "kubelet_environment")
        own = host.kubelet_read.variables.get("HOST_IP")
        if own is not None and own.value != server(context, self.node).address:
            raise StepError("convert_not_edited", node=self.node, path=ENVIRONMENT, reason=f"HOST_IP={own.value}")
        servers = wanted.dns_servers
        return OldFile(ENVIRONMENT, lambda text: edits.resolvers(text, servers)), KubeletResolvers(servers)

    async def ready(self, context: StepContext) -> None:
        """Containers are sent to rbd-dns only once it runs on both; raises `StepError`."""
        await need_way_in(context)
        for each in target(context).computes:
            if (await look(context, each.name, "containers")).container(DNS) is None:
                raise StepError("convert_silent", node=each.name, name=DNS)

    async def restore(self, context: StepContext, pending: Pending[tuple[Looked, ...]]) -> None:
        """kubelet reads its old environment."""
        target_of_node = Target.of(context, self.node)
        for each in pending.seen:
            if isinstance(each.resource, KubeletResolvers):
                await each.resource.settle(target_of_node, Pending())
