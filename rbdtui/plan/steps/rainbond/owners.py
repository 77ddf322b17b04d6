"""Who has the web ports of the gateways: Rainbond's gateway, or something that answers in its place.

An answer proves nothing here: RKE2's ingress controller answers on 80 with the same 404, and both are called nginx. The
control group of a process names its pod, by the UID that the API knows.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from rbdtui.kube.session import KubeSession
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.rainbond.access import rainbond_release
from rbdtui.probes.namespace import look
from rbdtui.rainbond.components import used_components
from rbdtui.together import together
from rbdtui.transport.base import TransportError
from rbdtui.transport.scripts import script

GATEWAY: Final = "rbd-gateway"
WEB_PORTS: Final = (80, 443)


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that listens."""

    port: int
    process: str
    pod: str
    """The UID of its pod; empty for a process of the host itself, and where it cannot be told."""


async def wrong_owners(context: StepContext, kube: KubeSession) -> list[str]:
    """Web ports of gateways that Rainbond's gateway does not have, raw; raises `KubeError`, `StepError`."""
    nodes = [node.name for node in context.spec.gateways if context.takes_part(node.name)]
    if context.spec.is_existing or not nodes:
        return []
    kinds = [
        part.kind for part in used_components(context.spec, await rainbond_release(context)) if part.name == GATEWAY
    ]
    seen = await look(kube, "Pod")
    pods = {str(pod["metadata"].get("uid", "")) for kind in kinds for pod in seen.pods_of(kind, GATEWAY)}
    asked = await together(*(_wrong_on(context, node, pods) for node in nodes))
    return [line for lines in asked for line in lines]


async def _wrong_on(context: StepContext, node: str, pods: Collection[str]) -> list[str]:
    try:
        answer = await context.hosts[node].must(script("port-owners"), *map(str, WEB_PORTS), timeout_s=20.0)
    except TransportError as error:
        return [str(error)]
    return judge_owners(node, read_owners(answer.text), pods)


def read_owners(text: str) -> list[Owner]:
    """The lines of the script; what is not understood is left out."""
    fields = [line.split(" ") for line in text.splitlines()]
    return [
        Owner(int(port), process, "" if pod == "-" else pod)
        for port, process, pod in (each for each in fields if len(each) == 3)
        if port.isdecimal()
    ]


def judge_owners(node: str, owners: Collection[Owner], pods: Collection[str]) -> list[str]:
    """What is wrong on a gateway, given the UIDs of the pods that should have the ports."""
    free = [port for port in WEB_PORTS if port not in {owner.port for owner in owners}]
    others = [owner for owner in owners if owner.pod not in pods or not owner.pod]
    return [
        *(f"{node}:{port}: nobody listens" for port in free),
        *(
            f"{node}:{owner.port}: {owner.process}, {f'pod {owner.pod}' if owner.pod else 'no pod'}: not {GATEWAY}"
            for owner in others
        ),
    ]
