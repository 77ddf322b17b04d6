"""HAProxy on servers of its own: it forwards TCP to the servers and the gateways that answer.

It listens on all addresses of its host, not on the VIP alone: whoever gets the VIP serves at once, and either of the
pair can be asked by itself. What stands behind it is down until it is installed, which is no failure. An API server
that answers 401 or 403 is up: RKE2 turns anonymous requests off, so that nobody is told more without a login
(k3s-io/k3s, pkg/daemons/control/server.go, ``apiServer``); where they are on, one that is not ready says 500.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.plan.content import Content, fill_asset
from rbdtui.plan.resources.base import Resource
from rbdtui.plan.resources.files import ManagedFile, header
from rbdtui.plan.resources.selinux import SelinuxBoolean
from rbdtui.plan.resources.units import RunningUnit, digest_of
from rbdtui.plan.step import Gate, StepContext, StepError
from rbdtui.plan.steps.base import ResourceStep
from rbdtui.probes.haproxy_page import ServerSeen, proxy_name, read_page
from rbdtui.spec.balanced import STATUS_PORT, Behind, Forwarded, forwarded_by_pair
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.base import TransportError
from rbdtui.transport.scripts import script

CONFIG_FILE: Final = "/etc/haproxy/haproxy.cfg"
DROP_IN_FILE: Final = "/etc/systemd/system/haproxy.service.d/rbdtui.conf"
UNIT: Final = "haproxy.service"
_CHECKS: Final = {
    Behind.API: ("    option httpchk GET /readyz", "    http-check expect rstatus ^(200|401|403)$"),
    Behind.SUPERVISOR: ("    option httpchk GET /ping", "    http-check expect status 200"),
    Behind.GATEWAY: (),
}
"""How a server behind a port is found to be up; where nothing stands here, a connection is enough."""


def configuration(spec: ClusterSpec) -> Content:
    """What HAProxy is configured with: the same on all balancers."""
    proxies = "".join(f"\n{_proxy(each)}" for each in forwarded_by_pair(spec))
    values = {"header": header(spec.name), "status_port": str(STATUS_PORT), "proxies": proxies.rstrip("\n")}
    return fill_asset("haproxy.cfg", values, _no_secret)


def _proxy(forwarded: Forwarded) -> str:
    lines = [f"listen {proxy_name(forwarded.port)}", f"    bind :{forwarded.port}", *_CHECKS[forwarded.behind]]
    tls = " check-ssl verify none" if forwarded.behind is not Behind.GATEWAY else ""
    for node in forwarded.nodes:
        lines.append(f"    server {node.name} {node.cluster_address}:{forwarded.target_port} check{tls}")
    return "\n".join(lines) + "\n"


def _no_secret(name: str) -> str:
    raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Haproxy(ResourceStep):
    """HAProxy forwards all that the plan puts behind it."""

    name: ClassVar[str] = "haproxy"

    def resources(self, context: StepContext) -> Sequence[Resource]:
        """SELinux first, which would not let it listen; the daemon last."""
        config = configuration(context.spec)
        drop_in = fill_asset("haproxy-unit.conf", {"header": header(context.spec.name)}, _no_secret)
        return (
            # Policy of fedora-selinux, rhcs.te: without it HAProxy may listen on, and connect to, web ports only.
            SelinuxBoolean("haproxy_connect_any"),
            ManagedFile(DROP_IN_FILE, drop_in),
            ManagedFile(CONFIG_FILE, config, validator=script("haproxy-test")),
            RunningUnit(UNIT, digest_of([config, drop_in])),
        )


@dataclass(frozen=True, slots=True)
class _Balanced(Gate):
    """HAProxy on every balancer has found all servers behind some ports up."""

    behind: ClassVar[frozenset[Behind]]
    time_limit_s: ClassVar[float] = 240.0
    wait_s: ClassVar[float] = 180.0
    look_every_s: ClassVar[float] = 2.0

    async def waiting_for(self, context: StepContext) -> StepError | None:
        """The first balancer that does not lead to all of them."""
        forwarded = [each for each in forwarded_by_pair(context.spec) if each.behind in self.behind]
        for balancer in context.spec.balancers:
            if not context.takes_part(balancer.name):
                continue
            try:
                seen = await read_page(context.hosts[balancer.name], timeout_s=10.0)
            except TransportError as error:
                return StepError("haproxy_silent", node=balancer.name, evidence=str(error), retryable=True)
            if seen is None:
                return StepError("haproxy_silent", node=balancer.name, retryable=True)
            if wrong := _not_up(context, forwarded, seen):
                return StepError(
                    "balancer_not_leading", node=balancer.name, count=len(wrong), evidence="\n".join(wrong),
                    retryable=True,
                )  # fmt: skip
        return None


def _not_up(context: StepContext, forwarded: Sequence[Forwarded], seen: Sequence[ServerSeen]) -> list[str]:
    """What is not up of that which takes part in the run, raw."""
    found = {(each.proxy, each.server): each for each in seen}
    wrong = []
    for each in forwarded:
        for node in (node for node in each.nodes if context.takes_part(node.name)):
            server = found.get((proxy_name(each.port), node.name))
            if server is None or not server.is_up:
                state = f"{server.status} {server.check}" if server is not None else "not configured"
                wrong.append(f"{each.port} {node.name} {node.cluster_address}:{each.target_port}: {state}")
    return wrong


@dataclass(frozen=True, slots=True)
class ServersBalanced(_Balanced):
    """Both balancers lead to every server."""

    name: ClassVar[str] = "servers-balanced"
    behind: ClassVar[frozenset[Behind]] = frozenset({Behind.API, Behind.SUPERVISOR})


@dataclass(frozen=True, slots=True)
class GatewaysBalanced(_Balanced):
    """Both balancers lead to every gateway."""

    name: ClassVar[str] = "gateways-balanced"
    behind: ClassVar[frozenset[Behind]] = frozenset({Behind.GATEWAY})
