"""Specs for plans, and simulated hosts that single steps can be carried out on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from rbdtui.bundle.scan import open_bundle
from rbdtui.facts.gather import gather_all
from rbdtui.facts.model import NodeFacts
from rbdtui.plan.step import Step, StepContext
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.call import Verbs
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import Build, SimulatedFleet
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.verbs import VERBS
from rbdtui.spec.loader import load_spec
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.base import UploadProgress
from rbdtui.transport.endpoints import endpoints_of
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.limits import Limits
from rbdtui.transport.pool import HostPool
from rbdtui.words import Text

SPEED = 50.0
LIMITS = Limits(reconnect_window_s=10.0)
"""A host that was switched off is given up after this; one that comes back does so at once."""
SECRETS = {
    "rke2-token": "canary-of-the-token",
    "rke2-agent-token": "canary-of-the-agents",
    "vrrp-password": "canaryPW",
}


Sections = Mapping[str, Mapping[str, object]]


def spec_of(
    roles: Mapping[str, Sequence[str]], *, profile: str = "kubernetes-only", sections: Sections = MappingProxyType({})
) -> ClusterSpec:
    """A spec with nodes of these roles at 10.0.0.11 and on; sections replace those of a plan with a VIP."""
    data: dict[str, object] = {
        "apiVersion": "rbdtui/v1",
        "name": "site-a",
        "profile": profile,
        "bundle": "bundle",
        "nodes": [
            {"name": name, "address": f"10.0.0.{11 + number}", "roles": list(own)}
            for number, (name, own) in enumerate(roles.items())
        ],
        "kubernetes": {"api": {"mode": "vip"}},
        "gateway": {"mode": "keepalived", "vip": "10.0.0.100/24", "virtual_router_id": 87},
    }
    return ClusterSpec.model_validate({**data, **sections})


ALL_IN_ONE = ("control-plane", "etcd", "worker", "gateway")
SERVER = ("control-plane", "etcd")


def three_servers_and_an_agent(**sections: Mapping[str, object]) -> ClusterSpec:
    roles = {"n1": ALL_IN_ONE, "n2": ALL_IN_ONE, "n3": ALL_IN_ONE, "n4": ("worker",)}
    return spec_of(roles, sections=sections)


@dataclass(slots=True)
class Heard:
    """A reporter that keeps what it is told."""

    lines: list[str] = field(default_factory=list)
    notes: list[Text] = field(default_factory=list)

    def line(self, text: str) -> None:
        self.lines.append(text)

    def note(self, text: Text) -> None:
        self.notes.append(text)

    def progress(self, progress: UploadProgress) -> None:
        pass


@dataclass(slots=True)
class Bench:
    """A simulated fleet with everything that steps need."""

    fleet: SimulatedFleet
    context: StepContext
    heard: Heard

    def machine(self, node: str = "node1") -> Machine:
        return self.fleet.machines[node]

    def file(self, path: str, node: str = "node1") -> str:
        return self.machine(node).files.text(path)

    def with_spec(self, change: Callable[[dict[str, object]], None]) -> StepContext:
        """The context with another spec."""
        data = self.context.spec.model_dump(mode="json")
        change(data)
        return replace(self.context, spec=ClusterSpec.model_validate(data))


@asynccontextmanager
async def bench(
    tmp_path: Path, count: int = 1, *, builds: Sequence[Build] = (Build(),), verbs: Verbs = VERBS, old: bool = False
) -> AsyncIterator[Bench]:
    """A fleet that lives for the block; with three machines and more there is a VIP; ``old`` has Rainbond 5.17."""
    async with SimulatedFleet(count, speed=SPEED, builds=builds, verbs=verbs) as fleet:
        bundle = write_bundle(tmp_path / "bundle", images_bytes=256 * 1024, old=old)
        site = write_demo_site(tmp_path / "site", fleet, bundle=bundle)
        site.known_hosts_file.write_text(fleet.known_hosts)
        spec = load_spec(site.spec_file).spec
        assert spec is not None
        keys = KnownHosts(site.known_hosts_file)
        async with HostPool(endpoints_of(spec), keys, SECRETS.__getitem__, LIMITS) as hosts:
            answers = await gather_all(dict(hosts))
            facts = {name: answer for name, answer in answers.items() if isinstance(answer, NodeFacts)}
            heard = Heard()
            context = StepContext(
                run_id="run1",
                spec=spec,
                facts=facts,
                hosts=hosts,
                bundle=open_bundle(bundle),
                secret=SECRETS.__getitem__,
                report=heard,
                site_dir=site.path,
            )
            yield Bench(fleet, context, heard)


async def settle(step: Step, context: StepContext) -> list[str]:
    """Apply a step, whatever is pending; the sentences of what it changed."""
    pending = await step.pending(context)
    await step.apply(context, pending)
    return [str(change.title) for change in pending.changes]


async def carry_out(step: Step, context: StepContext) -> list[str]:
    """Apply and verify a step; the sentences of what it changed."""
    changes = await settle(step, context)
    await step.verify(context)
    return changes
