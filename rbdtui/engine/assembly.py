"""The real parts of a run, put together from its inputs: hosts over SSH, the bundle, the plan, the gateway's health."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from rbdtui.bundle.scan import open_bundle
from rbdtui.engine.events import ProbeChanged
from rbdtui.engine.inputs import RunInputs
from rbdtui.engine.parts import RunParts
from rbdtui.plan.builder import build_plan
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

    async def changes(self) -> AsyncGenerator[ProbeChanged, None]:
        """See `HealthSource`."""
        async with aclosing(watch_gateway(self.spec, self.hosts)) as events:
            async for event in events:
                key = event.key
                yield ProbeChanged(key.id, key.target, key.port, event.new.value, event.detail, event.latency_ms)


@asynccontextmanager
async def assemble_site(inputs: RunInputs, secret: Callable[[str], str]) -> AsyncIterator[RunParts]:
    """The real parts: the site's hosts over SSH, its bundle, and the plan of its spec; raises `StepError`."""
    site, spec = inputs.site, inputs.spec
    bundle = open_bundle(bundle_directory(spec, site.path), cache_file=site.path / "bundle-hashes.json")
    async with HostPool(endpoints_of(spec), KnownHosts(site.known_hosts_file), secret) as hosts:
        yield RunParts(build_plan(spec, inputs.facts), hosts, bundle, GatewayHealth(spec, hosts))
