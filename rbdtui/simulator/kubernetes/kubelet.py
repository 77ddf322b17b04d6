"""The kubelet of a simulated node: pods of the node, from the image to the container that is ready."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.kubernetes.selectors import Object
from rbdtui.simulator.kubernetes.telling import condition, event, is_ready, now
from rbdtui.simulator.kubernetes.volumes import IN_CLUSTER, claims_of, exports, files_of
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.nfs import serves

START_S: Final = 1.0
_BACK_OFF_S: Final = 10.0
_TICK_S: Final = 0.5
_LOG_LINES: Final = 500


class Server(Protocol):
    """What a container listens with."""

    def stop(self) -> None:
        """Close all that was opened."""
        ...


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the program of an image does once it runs."""

    ready_s: float = 1.0
    """From its start to its readiness."""
    lines: tuple[str, ...] = ()
    """What it says when it starts."""
    waits: Callable[[Cluster, Object], str] | None = None
    """A line that it says again and again while it cannot go on; empty when it can."""
    listen: Callable[[Cluster, Machine], Awaitable[Server]] | None = None
    """Opens its ports on the node; raises `OSError` where one is taken."""
    done: Callable[[Cluster, Machine, Object], bool] | None = None
    """For a program that may end well: does what it is for, and says whether it has ended."""


_PLAIN: Final = Behaviour()


def image_name(image: str) -> str:
    """The last part of an image's name, without its tag."""
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0]


@dataclass(slots=True)
class _Container:
    """One container's life."""

    began_s: float = 0.0
    started: str = ""
    running: bool = False
    restarts: int = 0
    ended: Object = field(default_factory=dict)
    """The ``terminated`` state of the run before."""
    waiting: tuple[str, str] = ("ContainerCreating", "")
    again_s: float = 0.0
    """When it is tried again."""
    said_s: float = -1e9
    ready: bool = False
    server: Server | None = None
    over: bool = False


class Kubelet:
    """All pods of one node, for as long as its RKE2 runs."""

    def __init__(self, cluster: Cluster, machine: Machine, name: str, behaviours: Mapping[str, Behaviour]) -> None:
        self._cluster, self._machine, self._name = cluster, machine, name
        self._behaviours = behaviours
        self._store, self._pace = cluster.store, cluster.network.pace
        self._kind = self._store.kind("", "pods")
        self._lives: dict[str, dict[str, _Container]] = {}

    async def run(self) -> None:
        """Until cancelled; then everything that it started is gone."""
        try:
            while True:
                version = self._store.version
                if self._cluster.api_for(self._machine) is not None:
                    await self._look()
                await self._store.wait(version, _TICK_S * 4 / self._pace.speed)
                await self._pace.sleep(_TICK_S)
        finally:
            for lives in self._lives.values():
                _stop(lives)

    async def _look(self) -> None:
        pods = [pod for pod in self._store.listed(self._kind) if pod["spec"].get("nodeName") == self._name]
        uids = {pod["metadata"]["uid"] for pod in pods}
        for uid in [uid for uid in self._lives if uid not in uids]:
            _stop(self._lives.pop(uid))
        for pod in pods:
            if pod.get("status", {}).get("phase") not in {"Succeeded", "Failed"}:
                await self._live(pod)

    async def _live(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if uid not in self._lives:
            self._lives[uid] = _remembered(pod)
        lives = self._lives[uid]
        mount = self._why_not_mounted(pod)
        for container in pod["spec"]["containers"]:
            life = lives[container["name"]]
            if mount and not life.running:
                event(self._store, pod, *mount)
            else:
                await self._go_on(pod, container, life)
        self._report(pod, lives)

    def _why_not_mounted(self, pod: Object) -> tuple[str, str] | None:
        """Reason and message of a volume that is not there."""
        store, namespace = self._store, pod["metadata"]["namespace"]
        if any(claim is None or claim.get("status", {}).get("phase") != "Bound" for claim in claims_of(store, pod)):
            return "FailedMount", "Unable to attach or mount volumes: timed out waiting for the condition"
        if (silent := self._silent_server(pod)) is not None:
            return "FailedMount", silent
        for volume in pod["spec"].get("volumes", []):
            words = f'MountVolume.SetUp failed for volume "{volume["name"]}" : '
            path = volume.get("hostPath", {})
            if path.get("type") == "Directory" and not self._machine.files.is_dir(_real(path["path"])):
                return "FailedMount", f"{words}hostPath type check failed: {path['path']} is not a directory"
            for key, plural, word in (("secret", "secrets", "secretName"), ("configMap", "configmaps", "name")):
                name = volume.get(key, {}).get(word, "")
                if name and not volume[key].get("optional") and not store.find(store.kind("", plural), namespace, name):
                    return "FailedMount", f'{words}{plural.removesuffix("s")} "{name}" not found'
        return None

    def _silent_server(self, pod: Object) -> str | None:
        """What is said of the first volume on an NFS server that does not answer, or keeps it from this machine."""
        volumes = self._store.kind("", "persistentvolumes")
        for claim in filter(None, claims_of(self._store, pod)):
            name = claim["spec"].get("volumeName", "")
            found = self._store.find(volumes, "", name) or {"spec": {}}
            if (nfs := found["spec"].get("nfs")) and (why := self._nfs_refusal(nfs)):
                return (
                    f'MountVolume.SetUp failed for volume "{name}" : mount failed: exit status 32 Mounting arguments: '
                    f"-t nfs {nfs['server']}:{nfs['path']} Output: mount.nfs: {why}"
                )
        return None

    def _nfs_refusal(self, nfs: Object) -> str:
        """Why a directory cannot be mounted; an address that no machine has is a server of somebody else: it works."""
        if self._cluster.faults.nfs_silent or (nfs["server"] == IN_CLUSTER and not exports(self._store)):
            return "Connection timed out"
        network = self._cluster.network
        named = [each for each in network.machines if str(each.ip) == nfs["server"]]
        if not named:
            return ""
        server = next(iter(network.seen_by(self._machine, [each for each in named if each.powered])), None)
        if server is None:
            return "Connection timed out"
        if serves(server, nfs["path"], self._machine.ip):
            return ""
        refused = server.listener(nfs["server"], 2049) is None
        return (
            "Connection refused" if refused else f"access denied by server while mounting {nfs['server']}:{nfs['path']}"
        )

    def _behaviour(self, container: Object) -> Behaviour:
        by_image = self._behaviours.get(image_name(container["image"]), _PLAIN)
        return self._behaviours.get(str(container["name"]), by_image)

    async def _go_on(self, pod: Object, container: Object, life: _Container) -> None:
        now_s = self._pace.now_s
        if life.over or now_s < life.again_s:
            return
        if not life.running:
            await self._start(pod, container, life)
            return
        behaviour = self._behaviour(container)
        crash = self._cluster.faults.crash(pod)
        if crash:
            self._say(pod, container, crash)
            self._end(pod, container, life, 1)
        elif behaviour.waits is not None and (words := behaviour.waits(self._cluster, pod)):
            life.ready = False
            if now_s > life.said_s + 3.0:
                life.said_s = now_s
                self._say(pod, container, words)
                event(self._store, pod, "Unhealthy", "Readiness probe failed: connect: connection refused")
            life.began_s = now_s
        elif not life.ready and now_s >= life.began_s + behaviour.ready_s:
            if behaviour.done is not None and behaviour.done(self._cluster, self._machine, pod):
                life.over, life.running = True, False
            else:
                life.ready = True

    async def _start(self, pod: Object, container: Object, life: _Container) -> None:
        if self._image_missing(pod, container, life):
            return
        if not life.began_s:
            life.began_s = self._pace.now_s
            return
        if self._pace.now_s < life.began_s + START_S:
            return
        behaviour = self._behaviour(container)
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"], container["name"])
        if key in self._store.logs:
            self._store.logs_before[key] = self._store.logs[key]
        self._store.logs[key] = []
        self._say(pod, container, *behaviour.lines)
        life.running, life.started, life.began_s = True, now(), self._pace.now_s
        event(self._store, pod, "Started", f"Started container {container['name']}", warning=False)
        if behaviour.done is None:
            self._write(pod, container)
        if crash := self._cluster.faults.crash(pod):
            self._say(pod, container, crash)
            self._end(pod, container, life, 1)
        if behaviour.listen is None or not life.running:
            return
        try:
            life.server = await behaviour.listen(self._cluster, self._machine)
        except OSError as error:
            self._say(pod, container, f"nginx: [emerg] {error.strerror or error}")
            self._end(pod, container, life, 1)

    def _image_missing(self, pod: Object, container: Object, life: _Container) -> bool:
        image = str(container["image"])
        if self._machine.has_image(image) and container.get("imagePullPolicy") != "Always":
            return False
        host, _, rest = image.partition("/")
        has = self._cluster.registries.get(host)
        if has is not None and self._machine.addresses_of(host) and self._may_pull(pod, host) and has(rest):
            life.waiting = ("CreateContainerError", "failed to generate container spec: no command specified")
            life.again_s = self._pace.now_s + _BACK_OFF_S
            event(self._store, pod, "Pulled", f'Successfully pulled image "{image}"', warning=False)
            return True
        words = (
            f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": failed to do request: '
            f'Head "https://{host}/v2/": dial tcp: lookup {host}: no such host'
        )
        tried = life.waiting[0] in {"ErrImagePull", "ImagePullBackOff"}
        life.waiting = ("ImagePullBackOff", f'Back-off pulling image "{image}"') if tried else ("ErrImagePull", words)
        life.again_s = self._pace.now_s + (_BACK_OFF_S if tried else 2.0)
        event(self._store, pod, "Failed", f'Failed to pull image "{image}": {words}')
        return True

    def _may_pull(self, pod: Object, host: str) -> bool:
        """Whether the pod or the node's own file brings a login."""
        own = self._machine.files.text("/etc/rancher/rke2/registries.yaml")
        return bool(pod["spec"].get("imagePullSecrets")) or (f'"{host}"' in own and "password:" in own)

    def _say(self, pod: Object, container: Object, *lines: str) -> None:
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"], container["name"])
        said = self._store.logs.setdefault(key, [])
        said.extend(lines)
        del said[:-_LOG_LINES]

    def _write(self, pod: Object, container: Object) -> None:
        """Each start of a container is seen in its volumes."""
        for claim in filter(None, claims_of(self._store, pod)):
            files, beneath = files_of(self._store, claim["spec"].get("volumeName", ""))
            name = f"{beneath}{container['name']}.starts"
            files[name] = f"{files.get(name, '')}{pod['metadata']['uid']}\n"

    def _end(self, pod: Object, container: Object, life: _Container, status: int) -> None:
        """A container ends with a status and is started again after a while, longer each time."""
        _stop({"": life})
        life.running = life.ready = False
        life.ended = {"exitCode": status, "reason": "Error", "startedAt": life.started, "finishedAt": now()}
        life.restarts += 1
        words = f"back-off restarting failed container={container['name']} pod={pod['metadata']['name']}"
        life.waiting = ("CrashLoopBackOff", words)
        life.again_s = self._pace.now_s + min(_BACK_OFF_S * life.restarts, 60.0)
        life.began_s = 0.0
        event(self._store, pod, "BackOff", f"Back-off restarting failed container {container['name']}")

    def _report(self, pod: Object, lives: Mapping[str, _Container]) -> None:
        containers = [_status(container, lives[container["name"]]) for container in pod["spec"]["containers"]]
        over = all(life.over for life in lives.values())
        ready = all(each["ready"] for each in containers)
        phase = "Succeeded" if over else "Running" if any(life.running for life in lives.values()) else "Pending"
        if phase == "Pending" and any(life.restarts for life in lives.values()):
            phase = "Running"
        before = pod.get("status", {})
        host = pod["spec"].get("hostNetwork", False)
        status: Object = {
            "phase": phase,
            "hostIP": str(self._machine.ip),
            "podIP": str(self._machine.ip) if host else before.get("podIP") or self._cluster.pod_address(self._name),
            "startTime": before.get("startTime") or now(),
            "containerStatuses": containers,
            "conditions": [
                condition("PodScheduled", True),
                condition("Initialized", True),
                condition("ContainersReady", ready),
                condition("Ready", ready, "" if ready else "ContainersNotReady"),
            ],
        }
        metadata = pod["metadata"]
        if self._store.find(self._kind, metadata["namespace"], metadata["name"]) is None:
            return
        if is_ready(pod) != ready or before != status:
            self._store.set_status(self._kind, metadata["namespace"], metadata["name"], copy.deepcopy(status))


def _remembered(pod: Object) -> dict[str, _Container]:
    """Containers as they begin on a node: those that ran before it went down run once more."""
    known: dict[str, Any] = {each["name"]: each for each in pod.get("status", {}).get("containerStatuses", [])}
    lives = {}
    for container in pod["spec"]["containers"]:
        before = known.get(container["name"], {})
        ran = "running" in before.get("state", {})
        lives[container["name"]] = _Container(restarts=int(before.get("restartCount", 0)) + ran)
    return lives


def _stop(lives: Mapping[str, _Container]) -> None:
    for life in lives.values():
        if life.server is not None:
            life.server.stop()
            life.server = None


def _status(container: Object, life: _Container) -> Object:
    state: Object
    if life.over:
        state = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    elif life.running:
        state = {"running": {"startedAt": life.started}}
    else:
        reason, message = life.waiting
        state = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
    return {
        "name": container["name"],
        "image": container["image"],
        "ready": life.ready,
        "started": life.running,
        "restartCount": life.restarts,
        "state": state,
        "lastState": {"terminated": life.ended} if life.ended else {},
    }


def _real(path: str) -> str:
    return path.replace("/var/run/", "/run/", 1) if path.startswith("/var/run/") else path
