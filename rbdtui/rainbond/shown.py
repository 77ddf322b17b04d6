"""Whether workloads show what the plan says: a changed RainbondCluster does not reach those that have settled.

The operator looks at a component again only when its RbdComponent changes or the operator itself starts anew
(goodrain/rainbond-operator@v6.2.1-release, controllers/rbdcomponent_controller.go:267,276; seen in runs of it).
Passwords are compared by digests, and told as such.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from rbdtui.content import SecretRef
from rbdtui.rainbond.components import WorkloadKind, used_components
from rbdtui.rainbond.releases import Release
from rbdtui.rainbond.values import value_tree
from rbdtui.rainbond.workloads import OPERATOR, Json, Seen, entries
from rbdtui.rainbond_version import RainbondVersion
from rbdtui.spec.model import ClusterSpec

_DSN: Final = re.compile(
    r"--mysql=(?P<user>[^:@]*):(?P<password>.*)@tcp\((?P<server>[^()@]*)\)/(?P<name>[^?]*)(?:\?.*)?\Z", re.DOTALL
)
_OF_A_RELEASE: Final = "-release"
"""In the tag of every image that comes with a release; others have tags of their makers."""
_HOST_LABELS: Final = ("kubernetes.io/hostname", "k3s.io/hostname")
_CONSOLE: Final = "rbd-app-ui"
_ETCD_OPTIONS: Final = ("--etcd", "--etcd-endpoints", "--discover.etcd.addr")
"""Of 5.17 (goodrain/rainbond-operator@v5.17.2-release, controllers/handler)."""


@dataclass(frozen=True, slots=True)
class Database:
    """Where a component looks for its tables."""

    user: str
    password_digest: str
    server: str
    """Host and port."""
    name: str

    def __str__(self) -> str:
        return f"{self.user}:{self.password_digest}@{self.server}/{self.name}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the workloads of a plan must show."""

    nodes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By component: the nodes that its pods are bound to."""
    region: Database | None = None
    """None where the built-in database is used."""
    console: Database | None = None
    etcd: str = ""
    """Endpoints as 5.17 writes them; empty where it has an etcd of its own."""
    tag: str = ""
    """Of the planned release; empty where it is not to be looked at."""
    parts: frozenset[str] = frozenset()
    """Names of the workloads whose images are looked at for it."""


def wanted(spec: ClusterSpec, release: Release, secret: Callable[[str], str]) -> Wanted:
    """From the plan; ``secret`` gives the value of a name of the vault."""
    cluster = value_tree(spec, release).get("Cluster")
    tree = cluster if isinstance(cluster, Mapping) else {}
    return Wanted(
        nodes={part.name: frozenset(part.nodes) for part in used_components(spec, release) if part.nodes},
        region=_planned(tree.get("regionDatabase"), secret),
        console=_planned(tree.get("uiDatabase"), secret),
        etcd=_planned_etcd(tree.get("etcd")),
        tag=release.tag,
        parts=frozenset({OPERATOR, *(part.name for part in used_components(spec, release))}),
    )


def _planned(values: object, secret: Callable[[str], str]) -> Database | None:
    if not isinstance(values, Mapping) or values.get("enable") is not True:
        return None
    password = values.get("password")
    plain = secret(password.name) if isinstance(password, SecretRef) else str(password or "")
    server = f"{values.get('host')}:{values.get('port')}"
    return Database(str(values.get("username") or ""), _digest(plain), server, str(values.get("name") or ""))


def _planned_etcd(values: object) -> str:
    endpoints = values.get("endpoints") if isinstance(values, Mapping) and values.get("enable") is True else None
    return ",".join(map(str, endpoints)) if isinstance(endpoints, list) else ""


def stale(plan: Wanted, seen: Seen) -> list[str]:
    """What workloads show that is not so planned, one line each, raw; what they do not show at all is not judged."""
    return [line for kind in WorkloadKind for item in seen.of(kind.value) for line in _differences(plan, item)]


def outdated(plan: Wanted, seen: Seen) -> list[str]:
    """Workloads with an image of another release of Rainbond, one line each, raw."""
    wanted = RainbondVersion.parse(plan.tag)
    return [
        f"{name}: image {image}, planned {plan.tag}"
        for kind in WorkloadKind
        for item in seen.of(kind.value)
        if (name := str((item.get("metadata") or {}).get("name", ""))) in plan.parts
        for container in entries(_pod(item).get("containers"))
        for image in [str(container.get("image", "")).rpartition("/")[2]]
        if _OF_A_RELEASE in image and RainbondVersion.parse(image.rpartition(":")[2]) not in (None, wanted)
    ]


def _pod(workload: Json) -> Json:
    pod: Json = ((workload.get("spec") or {}).get("template") or {}).get("spec") or {}
    return pod


def _differences(plan: Wanted, workload: Json) -> Iterator[str]:
    name = str((workload.get("metadata") or {}).get("name", ""))
    pod = _pod(workload)
    bound, planned = _bound_to(pod), plan.nodes.get(name)
    if planned is not None and bound is not None and bound != planned:
        yield f"{name}: on {', '.join(sorted(bound))}, planned {', '.join(sorted(planned))}"
    shown, database = _region(pod), plan.region
    if name == _CONSOLE:
        shown, database = _console(pod), plan.console
    if shown is not None and database is not None and shown != database:
        yield f"{name}: database {shown}, planned {database}"
    etcd = _etcd(pod)
    if plan.etcd and etcd is not None and etcd != plan.etcd:
        yield f"{name}: etcd {etcd}, planned {plan.etcd}"


def _bound_to(pod: Json) -> frozenset[str] | None:
    """The nodes that an affinity to host names allows; None without one."""
    required = (((pod.get("affinity") or {}).get("nodeAffinity") or {})
                .get("requiredDuringSchedulingIgnoredDuringExecution") or {})  # fmt: skip
    for term in entries(required.get("nodeSelectorTerms")):
        for expression in entries(term.get("matchExpressions")):
            if expression.get("key") in _HOST_LABELS and isinstance(expression.get("values"), list):
                return frozenset(str(value) for value in expression["values"])
    return None


def _region(pod: Json) -> Database | None:
    for container in entries(pod.get("containers")):
        for arg in [*(container.get("args") or []), *(container.get("command") or [])]:
            if found := _DSN.match(str(arg)):
                return Database(found["user"], _digest(found["password"]), found["server"], found["name"])
    return None


def _etcd(pod: Json) -> str | None:
    """The endpoints that a component was given; None where it was given none."""
    for container in entries(pod.get("containers")):
        for arg in container.get("args") or []:
            option, is_given, value = str(arg).partition("=")
            if is_given and option in _ETCD_OPTIONS:
                return value
    return None


def _console(pod: Json) -> Database | None:
    for container in entries(pod.get("containers")):
        values = {str(each.get("name")): each.get("value") for each in entries(container.get("env"))}
        if "MYSQL_HOST" in values:
            text = {key: str(value if value is not None else "") for key, value in values.items()}
            server = f"{text['MYSQL_HOST']}:{text.get('MYSQL_PORT', '')}"
            password = _digest(text.get("MYSQL_PASS", ""))
            return Database(text.get("MYSQL_USER", ""), password, server, text.get("MYSQL_DB", ""))
    return None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:12]
