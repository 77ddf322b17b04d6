"""Which workloads a plan's KubeSphere is made of: its own three by the plan, the others by what the chart made.

Source: kubesphere/kubesphere@v4.1.3, config/ks-core/templates (ks-apiserver.yaml, ks-console.yaml,
ks-controller-manager.yaml); what else there is, Redis and the museum of extensions, depends on the values.
"""

from __future__ import annotations

from typing import Final

from rbdtui.kubesphere.chart import (
    API_SERVER,
    CONSOLE,
    CONTROLLER,
    RELEASE,
    SEVERAL,
    has_other_cache,
    is_ha,
    several_pods,
)
from rbdtui.rainbond.components import Component, WorkloadKind
from rbdtui.rainbond.workloads import Json, Seen, name_of, number
from rbdtui.spec.model import ClusterSpec

OWN: Final = (API_SERVER, CONTROLLER, CONSOLE)
"""In the order in which one needs the other."""
_RELEASE_NOTE: Final = "meta.helm.sh/release-name"
"""Annotation by which helm knows what it made (helm/helm@v3.15.4, pkg/action/validate.go)."""


def planned_parts(spec: ClusterSpec) -> list[Component]:
    """Those whose names the plan knows: its own three, and the Redis of several pods where there is one."""
    parts = [Component(name, WorkloadKind.DEPLOYMENT, several_pods(spec)) for name in OWN]
    if is_ha(spec) and not has_other_cache(spec):
        parts.append(Component(f"{RELEASE}-redisha-haproxy", WorkloadKind.DEPLOYMENT, SEVERAL))
        parts.append(Component(f"{RELEASE}-redisha-server", WorkloadKind.STATEFUL_SET, SEVERAL))
    return parts


def kubesphere_parts(spec: ClusterSpec, seen: Seen) -> list[Component]:
    """All workloads that must have pods."""
    parts = [Component(name, WorkloadKind.DEPLOYMENT, several_pods(spec)) for name in OWN]
    for kind in (WorkloadKind.STATEFUL_SET, WorkloadKind.DEPLOYMENT):
        parts += [_made(kind, item) for item in seen.of(kind.value) if _is_of_the_chart(item)]
    return parts


def _is_of_the_chart(item: Json) -> bool:
    notes = (item.get("metadata") or {}).get("annotations") or {}
    return notes.get(_RELEASE_NOTE) == RELEASE and name_of(item) not in OWN


def _made(kind: WorkloadKind, item: Json) -> Component:
    return Component(name_of(item), kind, number((item.get("spec") or {}).get("replicas", 1)))
