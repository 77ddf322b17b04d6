"""What a run is carried out with: plan, hosts, bundle and health, put together from its inputs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from rbdtui.bundle.scan import open_bundle
from rbdtui.engine.events import ProbeChanged
from rbdtui.engine.inputs import RunInputs
from rbdtui.plan.builder import build_plan
from rbdtui.plan.step import Bundle, Plan
from rbdtui.probes.monitor import watch_gateway
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.base import Host
from rbdtui.transport.endpoints import endpoints_of
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool


class HealthSource(Protocol):
    """Where the health of the cluster comes from while a run is under way."""

    def changes(self) -> AsyncGenerator[ProbeChanged, None]:
        """Answers that differ from those before, first of all every first answer; goes on until it is cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class RunParts:
    """What a run is carried out with."""

    plan: Plan
    hosts: Mapping[str, Host]
    """By node name."""
    bundle: Bundle
    health: HealthSource | None = None


Assemble = Callable[[RunInputs, Callable[[str], str]], AbstractAsyncContextManager[RunParts]]
"""Puts the parts together from the inputs and a way to get a secret by name; leaving the block lets go of the hosts."""


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
    bundle = open_bundle(inputs.bundle_dir, cache_file=site.path / "bundle-hashes.json")
    async with HostPool(endpoints_of(spec), KnownHosts(site.known_hosts_file), secret) as hosts:
        yield RunParts(build_plan(spec, inputs.facts), hosts, bundle, GatewayHealth(spec, hosts))
