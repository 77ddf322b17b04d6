"""The real parts of a run, put together from its inputs: hosts over SSH, the bundle, the plan, the gateway's health."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from rbdtui.bundle.scan import open_bundle
from rbdtui.engine.events import ProbeChanged
from rbdtui.engine.inputs import PurposeKind, RunInputs
from rbdtui.engine.parts import RunParts
from rbdtui.plan.builder import build_plan
from rbdtui.plan.recipes import Request, recipe_named
from rbdtui.plan.removal.builder import build_reset
from rbdtui.plan.removal.kubesphere import build_kubesphere_reset
from rbdtui.plan.removal.rainbond import build_rainbond_reset
from rbdtui.probes.monitor import watch_gateway
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.references import bundle_directory
from rbdtui.transport.base import Host
from rbdtui.transport.endpoints import endpoints_of
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool


@dataclass(frozen=True, slots=True)
class GatewayHealth:
    """The gateway ports and the holder of the virtual address, as they come up during a run."""

    spec: ClusterSpec
    hosts: Mapping[str, Host]
    straight: bool = True
    """Whether this machine may connect to the ports itself."""

    async def changes(self) -> AsyncGenerator[ProbeChanged, None]:
        """See `HealthSource`."""
        async with aclosing(watch_gateway(self.spec, self.hosts, straight=self.straight)) as events:
            async for event in events:
                key = event.key
                yield ProbeChanged(key.id, key.target, key.port, event.new.value, event.detail, event.latency_ms)


@asynccontextmanager
async def assemble_site(inputs: RunInputs, secret: Callable[[str], str]) -> AsyncIterator[RunParts]:
    """The real parts: the site's hosts over SSH, its bundle, and the plan of its spec; raises `StepError`."""
    site, spec = inputs.site, inputs.spec
    if inputs.purpose.kind is not PurposeKind.INSTALL:
        assembled = _assemble_reset if inputs.purpose.kind is PurposeKind.RESET else _assemble_recipe
        async with assembled(inputs, secret) as parts:
            yield parts
        return
    bundle = open_bundle(bundle_directory(spec, site.path), cache_file=site.bundle_hashes_file)
    servers = site.simulated_servers
    known_hosts = KnownHosts(site.known_hosts_file, only=servers)
    async with HostPool(endpoints_of(spec), known_hosts, secret) as hosts:
        yield RunParts(
            build_plan(spec, inputs.facts), hosts, bundle, GatewayHealth(spec, hosts, straight=servers is None)
        )


@asynccontextmanager
async def _assemble_reset(inputs: RunInputs, secret: Callable[[str], str]) -> AsyncIterator[RunParts]:
    """The parts of a reset: hosts and plan. It needs no package, and the disk with the bundle may be gone."""
    site, purpose = inputs.site, inputs.purpose
    known_hosts = KnownHosts(site.known_hosts_file, only=site.simulated_servers)
    async with HostPool(endpoints_of(inputs.spec), known_hosts, secret) as hosts:
        if purpose.only_rainbond:
            plan = build_rainbond_reset(inputs.spec, purpose.nodes, keep_secrets=purpose.keep_secrets)
        elif purpose.only_kubesphere:
            plan = build_kubesphere_reset()
        else:
            plan = build_reset(inputs.spec, purpose.nodes, whole=purpose.whole)
        yield RunParts(plan, hosts, open_bundle(inputs.run_dir))


@asynccontextmanager
async def _assemble_recipe(inputs: RunInputs, secret: Callable[[str], str]) -> AsyncIterator[RunParts]:
    """The parts of a recipe; as a reset it needs no package, and the disk with the bundle may be gone."""
    site, recipe = inputs.site, recipe_named(inputs.purpose.recipe)
    known_hosts = KnownHosts(site.known_hosts_file, only=site.simulated_servers)
    async with HostPool(endpoints_of(inputs.spec), known_hosts, secret) as hosts:
        plan = recipe.build(Request(inputs.spec, inputs.facts, inputs.purpose.arguments))
        yield RunParts(plan, hosts, open_bundle(inputs.run_dir))
