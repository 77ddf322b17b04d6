"""Why a component is not ready, told from its pods, claims, nodes and events; and what to do about it.

The classes are those of the vendor's own script (goodrain/rainbond-console, script/install-rainbond.sh), and three that
it does not tell apart. A recorded condition of RbdComponent is told as what it is, the last recorded reason: nobody
takes it back (goodrain/rainbond-operator@v6.2.1-release, controllers/rbdcomponent_controller.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from rbdtui.masking import mask
from rbdtui.rainbond.provisioner import NAME as PROVISIONER
from rbdtui.rainbond.workloads import (
    OPERATOR,
    Json,
    Judgement,
    Seen,
    Standing,
    conditions_of,
    entries,
    is_leaving,
    is_ready,
    name_of,
    number,
)
from rbdtui.words import T, Text

_MOST_DETAIL: Final = 500
_LOG_LINES: Final = 5
_CONSOLE: Final = "rbd-app-ui"
_MIGRATIONS: Final = "rbd-app-ui-migrations"
"""5.17: the Job that makes the console's tables, before there is a console (controllers/handler/app-ui.go)."""
_PREREQUISITES: Final = "failed to check prerequisites"
"""5.17: what components wait with until the package is through (controllers/component-mgr/component.go)."""
_OF_A_TRACE: Final = ("\t", "goroutine ", "created by ", "main.")
"""How lines begin in which Go writes of its stack, beneath the one that says why it ends."""
_IMAGE_TROUBLE: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"}
)
_DATABASE_WORDS: Final = (
    "get db manager failed",
    "failed to connect to database",
    "Database not ready",
    "no ready replicas for rbdcomponent rbd-db",
)
"""What components say while their database does not answer: goodrain/rainbond@v6.2.1-release db/db.go and
db/mysql/mysql.go; goodrain/rainbond-console@v6.2.1-release entrypoint.sh; the operator's handler app-ui.go."""


_NFS: Final = re.compile(r"mount\.nfs|-t nfs")
"""In kubelet's message, which has mount's command and its words (kubernetes/mount-utils, mount_linux.go)."""


class CauseKind(StrEnum):
    """A class of causes."""

    STORAGE_PVC_PENDING = "storage_pvc_pending"
    NODE_NOT_READY = "node_not_ready"
    IMAGE_PULL_FAILED = "image_pull_failed"
    CONTAINER_BACKOFF = "container_backoff"
    STARTUP_PROBE_FAILED = "startup_probe_failed"
    READINESS_PROBE_FAILED = "readiness_probe_failed"
    DATABASE_NOT_READY = "database_not_ready"
    LOG_COLLECT_FAILED = "component_log_collect_failed"
    OPERATOR_NOT_READY = "operator_not_ready"
    MOUNT_FAILED = "mount_failed"
    """A volume of the host is not there, e.g. containerd's directory."""
    NO_PLACE = "no_place"
    """No node takes the pod."""
    NOT_CREATED = "not_created"
    """The operator has not made it, and says why, or has said so once."""
    STARTING = "starting"
    """Nothing is wrong that can be seen."""
    PROVISIONER_ABSENT = "provisioner_absent"
    """Somebody has taken away the NFS provisioner, which no operator makes again."""
    NFS_MOUNT_FAILED = "nfs_mount_failed"
    """A node cannot mount a volume of the NFS server."""
    WRONG_NODES = "wrong_nodes"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why one component is not ready."""

    kind: CauseKind
    component: str
    pod: str = ""
    container: str = ""
    node: str = ""
    detail: str = ""
    """The system's own words, raw, without passwords."""
    crashed: bool = False
    """Whether the telling log is that of the run before."""

    @property
    def wants_log(self) -> bool:
        """Whether the container's last lines say more."""
        return bool(self.container) and self.kind in _TOLD_BY_LOG

    @property
    def text(self) -> Text:
        """What is wrong."""
        return T(f"rainbond.why.{self.kind.value}.message", **self._params)  # words: rainbond.why.*.message

    @property
    def remedy(self) -> Text:
        """What to do."""
        return T(f"rainbond.why.{self.kind.value}.remedy", **self._params)  # words: rainbond.why.*.remedy

    @property
    def _params(self) -> dict[str, str]:
        return {
            "component": self.component,
            "pod": self.pod or self.component,
            "container": self.container or "-",
            "node": self.node or "-",
            "detail": self.detail or "-",
        }


_TOLD_BY_LOG: Final = frozenset(
    {
        CauseKind.CONTAINER_BACKOFF,
        CauseKind.STARTUP_PROBE_FAILED,
        CauseKind.READINESS_PROBE_FAILED,
        CauseKind.DATABASE_NOT_READY,
        CauseKind.STARTING,
    }
)


def why(judgement: Judgement, seen: Seen) -> list[Cause]:
    """The causes of a component that is not ready, one per class, those that need somebody's hand first."""
    if judgement.is_ready:
        return []
    found: list[Cause] = []
    pods = [pod for pod in seen.pods_of(judgement.kind, judgement.name) if not is_leaving(pod)]
    if judgement.standing is Standing.ABSENT and judgement.name == PROVISIONER:
        found.append(Cause(CauseKind.PROVISIONER_ABSENT, judgement.name, detail=judgement.evidence))
    elif judgement.standing is Standing.ABSENT:
        found += _of_the_operator(judgement.name, seen)
    for pod in pods:
        if not is_ready(pod):
            found.append(_of_a_pod(judgement.name, pod, seen))
    if judgement.standing is Standing.ELSEWHERE and not found:
        where = f"{', '.join(judgement.nodes) or '-'} / {', '.join(judgement.planned)}"
        found.append(Cause(CauseKind.WRONG_NODES, judgement.name, detail=where))
    if not found:
        found.append(_without_pods(judgement, seen))
    return _one_per_class(found)


def with_log(cause: Cause, log: str | None) -> Cause:
    """The cause with the last lines of its container; None when they could not be had."""
    if log is None:
        return replace(cause, kind=CauseKind.LOG_COLLECT_FAILED) if cause.kind is CauseKind.STARTING else cause
    lines = [line for line in mask(log).splitlines() if line.strip() and not line.startswith(_OF_A_TRACE)][-_LOG_LINES:]
    if not lines:
        return cause
    if any(word in line for line in lines for word in _DATABASE_WORDS):
        return replace(cause, kind=CauseKind.DATABASE_NOT_READY, detail=_cut(lines[-1]))
    return replace(cause, detail=_cut("\n".join([*([cause.detail] if cause.detail else []), *lines])))


def _of_the_operator(component: str, seen: Seen) -> Iterator[Cause]:
    """Why there is no workload at all."""
    operator = seen.pods_of("Deployment", OPERATOR)
    if not any(is_ready(pod) for pod in operator):
        reasons = [_of_a_pod(component, pod, seen) for pod in operator if not is_leaving(pod)]
        if not reasons:
            yield Cause(CauseKind.OPERATOR_NOT_READY, component, pod=OPERATOR, detail=_said_of(OPERATOR, seen))
        for cause in reasons:
            plain = cause.kind in (CauseKind.STARTING, CauseKind.READINESS_PROBE_FAILED)
            yield replace(cause, kind=CauseKind.OPERATOR_NOT_READY) if plain else cause
        return
    migrating = [pod for pod in seen.pods_of("Job", _MIGRATIONS) if not _is_over(pod)] if component == _CONSOLE else []
    if migrating:
        yield _of_a_pod(component, migrating[0], seen)
        return
    known = seen.find("RbdComponent", component)
    conditions = conditions_of(known) if known is not None else ()
    ready = next((entry for entry in conditions if entry.get("type") == "Ready"), {})
    said = ": ".join(str(ready[key]) for key in ("reason", "message") if ready.get(key))
    if _PREREQUISITES in said and (stage := _package_stage(seen)):
        said = f"{said}; {stage}"
    waits_for_database = any(word in said for word in _DATABASE_WORDS)
    kind = CauseKind.DATABASE_NOT_READY if waits_for_database else CauseKind.NOT_CREATED
    yield Cause(kind, component, detail=_cut(said))


def _is_over(pod: Json) -> bool:
    """Whether a pod of a Job has ended well."""
    return (pod.get("status") or {}).get("phase") == "Succeeded"


def _package_stage(seen: Seen) -> str:
    """Where 5.17's package stands, which all but its first components wait for; empty when it is through."""
    for package in seen.of("RainbondPackage"):
        for entry in conditions_of(package):
            if entry.get("status") != "Completed":
                words = (str(entry.get(key) or "") for key in ("type", "status", "reason", "message"))
                return f"RainbondPackage: {' '.join(filter(None, words))}"
    return ""


def _of_a_pod(component: str, pod: Json, seen: Seen) -> Cause:
    """Why one pod is not ready."""
    spec, name = pod.get("spec") or {}, name_of(pod)
    node = str(spec.get("nodeName") or "")
    base = Cause(CauseKind.STARTING, component, name, node=node)
    if not node:
        return _unplaced(base, pod, seen)
    if not _is_ready_node(node, seen):
        return replace(base, kind=CauseKind.NODE_NOT_READY)
    statuses = [
        *entries((pod.get("status") or {}).get("initContainerStatuses")),
        *entries((pod.get("status") or {}).get("containerStatuses")),
    ]
    for status in statuses:
        cause = _of_a_container(base, status, seen)
        if cause is not None:
            return cause
    mounts = [event for event in _events(seen, name) if event.get("reason") in ("FailedMount", "FailedAttachVolume")]
    if mounts and not any((status.get("state") or {}).get("running") for status in statuses):
        said = _message(mounts)
        kind = CauseKind.NFS_MOUNT_FAILED if _NFS.search(said) else CauseKind.MOUNT_FAILED
        return replace(base, kind=kind, detail=said)
    return replace(base, detail=_said_of(name, seen))


def _unplaced(base: Cause, pod: Json, seen: Seen) -> Cause:
    """A pod that has no node yet: a claim that is not bound, or no node that takes it."""
    scheduled = next((entry for entry in conditions_of(pod) if entry.get("type") == "PodScheduled"), {})
    message = str(scheduled.get("message") or "") or _said_of(base.pod, seen)
    volumes = entries((pod.get("spec") or {}).get("volumes"))
    claims = [str((volume.get("persistentVolumeClaim") or {}).get("claimName") or "") for volume in volumes]
    for claim in filter(None, claims):
        known = seen.find("PersistentVolumeClaim", claim)
        if known is None or (known.get("status") or {}).get("phase") != "Bound":
            said = _said_of(claim, seen) or message
            storage_class = str(((known or {}).get("spec") or {}).get("storageClassName") or "-")
            detail = _cut(f"{claim} ({storage_class}): {said or 'absent'}")
            if known is None or "waiting for first consumer" not in said or "persistentvolumeclaim" in message:
                return replace(base, kind=CauseKind.STORAGE_PVC_PENDING, detail=detail)
    if not message:
        return base
    return replace(base, kind=CauseKind.NO_PLACE, detail=_cut(message))


def _of_a_container(base: Cause, status: Json, seen: Seen) -> Cause | None:
    """What a container's own status says; None when it is as it should be."""
    state, last = status.get("state") or {}, status.get("lastState") or {}
    waiting = state.get("waiting") or {}
    own = replace(base, container=str(status.get("name", "")))
    reason = str(waiting.get("reason", ""))
    if reason in _IMAGE_TROUBLE:
        said = f"{status.get('image', '')}: {waiting.get('message') or reason}"
        return replace(own, kind=CauseKind.IMAGE_PULL_FAILED, detail=_cut(said))
    ended = state.get("terminated") or last.get("terminated") or {}
    again = number(status.get("restartCount"))
    if reason == "CrashLoopBackOff" or (again and not status.get("ready") and ended.get("exitCode")):
        said = f"exit {ended.get('exitCode', '?')} {ended.get('reason', '')}, {again} restarts"
        return replace(own, kind=CauseKind.CONTAINER_BACKOFF, detail=said, crashed=not state.get("running"))
    if "running" in state and not status.get("ready"):
        failed = [event for event in _events(seen, base.pod) if event.get("reason") == "Unhealthy"]
        startup = [event for event in failed if "tartup probe" in str(event.get("message", ""))]
        kind = CauseKind.STARTUP_PROBE_FAILED if startup else CauseKind.READINESS_PROBE_FAILED
        return replace(own, kind=kind if failed else CauseKind.STARTING, detail=_message(startup or failed))
    return None


def _without_pods(judgement: Judgement, seen: Seen) -> Cause:
    """A workload whose pods are all well, or which has none: what its controller said last."""
    owners = {judgement.name}
    owners |= {
        str((event.get("involvedObject") or {}).get("name", ""))
        for event in seen.of("Event")
        if str((event.get("involvedObject") or {}).get("name", "")).rpartition("-")[0] == judgement.name
    }
    failed = [event for owner in owners for event in _events(seen, owner) if event.get("type") == "Warning"]
    detail = _message(failed) or judgement.evidence
    return Cause(CauseKind.NOT_CREATED if failed else CauseKind.STARTING, judgement.name, detail=detail)


def _is_ready_node(node: str, seen: Seen) -> bool:
    """Whether kubelet is heard of; a node that nobody has listed is taken for ready."""
    known = seen.find("Node", node)
    if known is None:
        return True
    return is_ready(known)


def _events(seen: Seen, name: str) -> list[Json]:
    """The events about an object, oldest first."""
    own = [event for event in seen.of("Event") if (event.get("involvedObject") or {}).get("name") == name]
    return sorted(own, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))


def _said_of(name: str, seen: Seen) -> str:
    """The last warning about an object."""
    return _message([event for event in _events(seen, name) if event.get("type") == "Warning"])


def _message(events: Sequence[Json]) -> str:
    return _cut(mask(str(events[-1].get("message", "")))) if events else ""


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_DETAIL else f"{text[:_MOST_DETAIL]}…"


def _one_per_class(found: Iterable[Cause]) -> list[Cause]:
    first: dict[CauseKind, Cause] = {}
    for cause in found:
        first.setdefault(cause.kind, cause)
    return sorted(first.values(), key=lambda cause: cause.kind is CauseKind.STARTING)
