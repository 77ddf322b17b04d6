"""What the operator of Rainbond 5.17 makes of each component, and what each waits for.

Source: goodrain/rainbond-operator v5.17.2-release, controllers/handler; the order and its words seen in runs of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rbdtui.simulator.kubernetes.selectors import Object
from rbdtui.simulator.kubernetes.store import Store
from rbdtui.simulator.rainbond import parts
from rbdtui.simulator.rainbond.parts import BUILTIN_HUB, NAMESPACE, Settings, WaitError, labels

NFS_CLASS: Final = "rainbondvolumerwx"
NFS_PROVISIONER: Final = "rainbond.io/nfs"
MIGRATIONS: Final = "rbd-app-ui-migrations"
_STATEFUL: Final = frozenset({"nfs-provisioner", "rbd-etcd", "rbd-db", "rbd-eventlog", "rbd-monitor"})
_DAEMONS: Final = frozenset({"rbd-gateway", "rbd-node", "rbd-chaos"})
_GIB: Final[Mapping[str, int]] = {
    "rbd-etcd": 20, "rbd-db": 20, "rbd-monitor": 20, "rbd-hub": 10, "rbd-app-ui": 10, "rbd-cpt-grdata": 40,
}  # fmt: skip
_WITH_ETCD: Final = frozenset(
    {
        "rbd-api", "rbd-chaos", "rbd-eventlog", "rbd-gateway", "rbd-monitor", "rbd-mq", "rbd-node", "rbd-webcli",
        "rbd-worker",
    }
)  # fmt: skip
_WITH_REGION: Final = frozenset({"rbd-api", "rbd-chaos", "rbd-worker", "rbd-eventlog"})
_WITH_GRDATA: Final = frozenset({"rbd-api", "rbd-chaos", "rbd-eventlog", "rbd-node", "rbd-worker"})
GRDATA: Final = "rbd-cpt-grdata"
NFS_SERVER: Final = "nfs-provisioner"
NFS_DIRECTORY: Final = "/opt/rainbond/data/nfs"
_STREAMS: Final[Mapping[str, tuple[tuple[str, str, int], ...]]] = {
    "rbd-api": (
        ("rbd-api", "rbd-api-api", 8443),
        ("rbd-api-healthz", "rbd-api-healthz", 8889),
        ("rbd-api-websocket", "rbd-api-websocket", 6060),
    ),
    "rbd-app-ui": (("rbd-app-ui", "rbd-app-ui", 7070),),
}
"""Ingress, Service and port of the gateway, by component."""
L4_ENABLE: Final = "nginx.ingress.kubernetes.io/l4-enable"
L4_PORT: Final = "nginx.ingress.kubernetes.io/l4-port"


def is_old(cluster: Object) -> bool:
    """Whether a RainbondCluster's ``spec`` is of 5.17."""
    return str(cluster.get("installVersion", "")).startswith("v5.")


def workloads(component: Object, settings: Settings) -> Iterator[tuple[str, str, Object]]:
    """Group, resource and object of all that a component is made of; raises `WaitError`."""
    name, spec = component["metadata"]["name"], component["spec"]
    _wait_for_what_it_needs(component, settings)
    for service, ports in parts.SERVICES.get(name, ()) if name != "rbd-gateway" else ():
        listed = [{"name": f"p{port}", "port": port, "targetPort": port} for port in ports]
        metadata = {"name": service, "labels": labels(name)}
        yield "", "services", {"metadata": metadata, "spec": {"selector": labels(name), "ports": listed}}
    yield from _ingresses(name)
    pod = _pod(name, spec, settings)
    if name == NFS_SERVER:
        yield from _nfs_objects(settings.store)
    if name in _WITH_GRDATA:
        yield "", "persistentvolumeclaims", {"metadata": {"name": GRDATA}, "spec": _claim_spec(GRDATA, settings)}
        pod.setdefault("volumes", []).append({"name": "grdata", "persistentVolumeClaim": {"claimName": GRDATA}})
    if name in {"rbd-hub", "rbd-app-ui"}:
        claim = "rbd-hub" if name == "rbd-hub" else "rbd-app-ui-data"
        yield "", "persistentvolumeclaims", {"metadata": {"name": claim}, "spec": _claim_spec(name, settings)}
        pod.setdefault("volumes", []).append({"name": "data", "persistentVolumeClaim": {"claimName": claim}})
    template = {"metadata": {"labels": labels(name)}, "spec": pod}
    own: Object = {"selector": {"matchLabels": labels(name)}, "template": template}
    metadata = {"name": name, "labels": labels(name)}
    if name == "rbd-app-ui":
        yield "batch", "jobs", _migrations(spec, pod)
        if not _is_complete(settings.store):
            return
    if name in _DAEMONS:
        yield "apps", "daemonsets", {"metadata": metadata, "spec": own}
        return
    own["replicas"] = _replicas(component, settings)
    if name in _STATEFUL:
        own["serviceName"] = ""
        if name in _GIB:
            own["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": _claim_spec(name, settings)}]
        if name == NFS_SERVER:
            own["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": _nfs_claim_spec()}]
        yield "apps", "statefulsets", {"metadata": metadata, "spec": own}
        return
    yield "apps", "deployments", {"metadata": metadata, "spec": own | {"strategy": {"type": "RollingUpdate"}}}


def _nfs_objects(store: Store) -> Iterator[tuple[str, str, Object]]:
    """Service and volume of the NFS server: controllers/plugin/nfs/nfs.go. Its node here is the first."""
    ports = [{"name": "nfs", "port": 2049, "targetPort": 2049}]
    metadata: Object = {"name": NFS_SERVER, "labels": labels(NFS_SERVER)}
    yield "", "services", {"metadata": dict(metadata), "spec": {"selector": labels(NFS_SERVER), "ports": ports}}
    node = min(each["metadata"]["name"] for each in store.listed(store.kind("", "nodes")))
    keys = ("kubernetes.io/hostname", "k3s.io/hostname")
    terms = [{"matchExpressions": [{"key": key, "operator": "In", "values": [node]}]} for key in keys]
    spec = {
        "accessModes": ["ReadWriteMany"],
        "capacity": {"storage": "1Gi"},
        "storageClassName": "manual",
        "persistentVolumeReclaimPolicy": "Retain",
        "hostPath": {"path": NFS_DIRECTORY, "type": "DirectoryOrCreate"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
    }
    yield "", "persistentvolumes", {"metadata": dict(metadata), "spec": spec}


def _nfs_claim_spec() -> Object:
    return {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "manual",
        "volumeName": NFS_SERVER,
        "resources": {"requests": {"storage": "1Gi"}},
    }


def wanted(component: Object, settings: Settings, nodes: int) -> int:
    """Pods that must be ready before a component counts as ready."""
    name = component["metadata"]["name"]
    lists = {"rbd-gateway": "nodesForGateway", "rbd-chaos": "nodesForChaos"}
    if name in lists:
        return len(settings.cluster.get(lists[name]) or [])
    return nodes if name == "rbd-node" else _replicas(component, settings)


def _replicas(component: Object, settings: Settings) -> int:
    if component["metadata"]["name"] == "rbd-etcd" and settings.cluster.get("enableHA"):
        return 3
    return int(component["spec"].get("replicas", 1))


def _wait_for_what_it_needs(component: Object, settings: Settings) -> None:
    name, store, cluster = component["metadata"]["name"], settings.store, settings.cluster
    is_first = bool(component["spec"].get("priorityComponent"))
    if name == "nfs-provisioner":
        if cluster.get("rainbondVolumeSpecRWX") or _class_of_volume(store):
            raise WaitError("rainbondvolume with csi nfs not found")
        return
    if not is_first and not is_package_ready(store):
        raise WaitError("failed to check prerequisites")
    if name == "rbd-hub" and not cluster.get("imageHub"):
        raise WaitError("imageHub is empty")
    if name == "rbd-hub" and not settings.has_own_hub:
        raise WaitError("use custom image repository")
    if name in _WITH_ETCD:
        _wait_for_etcd(name, settings)
    if (name in _GIB or name == "rbd-node") and not is_volume_ready(store):
        raise WaitError("storage class not ready")
    region, console = settings.database("regionDatabase", "region"), settings.database("uiDatabase", "console")
    if (name in _WITH_REGION and region is None) or (name == "rbd-app-ui" and console is None):
        raise WaitError('get db info: secrets "rbd-db" not found')
    if name == "rbd-app-ui" and settings.has_own_database and not ready_replicas(store, "rbd-db"):
        raise WaitError("no ready replicas for rbdcomponent rbd-db")


def _wait_for_etcd(name: str, settings: Settings) -> None:
    config = settings.cluster.get("etcdConfig") or {}
    secret = config.get("secretName", "")
    if secret and settings.store.find(settings.store.kind("", "secrets"), NAMESPACE, secret) is None:
        raise WaitError(f'failed to get etcd secret: secrets "{secret}" not found')
    if name == "rbd-gateway" and not config and not ready_replicas(settings.store, "rbd-etcd"):
        raise WaitError("etcd not available: no ready replicas for rbdcomponent rbd-etcd")


def ready_replicas(store: Store, name: str) -> int:
    """As the component's status has it."""
    found = store.find(store.kind("rainbond.io", "rbdcomponents"), NAMESPACE, name)
    return int((found or {}).get("status", {}).get("readyReplicas", 0))


def is_volume_ready(store: Store) -> bool:
    """Whether the shared class is there."""
    found = store.find(store.kind("rainbond.io", "rainbondvolumes"), NAMESPACE, NFS_CLASS)
    return _holds((found or {}).get("status", {}), "Ready", "True")


def is_package_ready(store: Store) -> bool:
    """Whether the last stage of the package is over."""
    found = store.find(store.kind("rainbond.io", "rainbondpackages"), NAMESPACE, "rainbondpackage")
    return _holds((found or {}).get("status", {}), "Ready", "Completed")


def _holds(status: Object, kind: str, value: str) -> bool:
    return any(each["type"] == kind and each["status"] == value for each in status.get("conditions", []))


def _class_of_volume(store: Store) -> str:
    found = store.find(store.kind("rainbond.io", "rainbondvolumes"), NAMESPACE, NFS_CLASS)
    return str((found or {}).get("spec", {}).get("storageClassName", ""))


def _claim_spec(name: str, settings: Settings) -> Object:
    return {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": _class_of_volume(settings.store) or NFS_CLASS,
        "resources": {"requests": {"storage": f"{_GIB[name]}Gi"}},
    }


def _pod(name: str, spec: Object, settings: Settings) -> Object:
    container: Object = {
        "name": name,
        "image": spec["image"],
        "imagePullPolicy": spec.get("imagePullPolicy", "IfNotPresent"),
        "env": list(spec.get("env", [])),
    }
    volumes: list[Object] = list(spec.get("volumes", []))
    etcd = settings.cluster.get("etcdConfig") or {}
    if name in _WITH_ETCD:
        container["args"] = [f"--etcd={','.join(etcd.get('endpoints', ['http://rbd-etcd:2379']))}"]
        if etcd.get("secretName"):
            volumes.append({"name": "etcdssl", "secret": {"secretName": etcd["secretName"]}})
            container["args"] += [f"--etcd-{word}=/run/ssl/etcd/{word}-file" for word in ("ca", "cert", "key")]
    region = settings.database("regionDatabase", "region")
    if name in _WITH_REGION and region is not None:
        host, port, user, password, database = region
        container.setdefault("args", []).append(f"--mysql={user}:{password}@tcp({host}:{port})/{database}")
    if name == "rbd-api":
        volumes.append({"name": "region-api-ssl", "secret": {"secretName": "rbd-api-server-cert"}})
    if name == "rbd-app-ui":
        container["env"] = list(parts.console_env(spec, settings))
        volumes.append({"name": "ssl", "secret": {"secretName": "rbd-api-client-cert"}})
    if name == "nfs-provisioner":
        container["args"] = [f"-provisioner={NFS_PROVISIONER}"]
    pod: Object = {"containers": [container], "terminationGracePeriodSeconds": 0}
    if volumes:
        pod["volumes"] = volumes
    lists = {"rbd-gateway": "nodesForGateway", "rbd-chaos": "nodesForChaos"}
    if name in lists:
        pod["affinity"] = parts.affinity([node["name"] for node in settings.cluster.get(lists[name]) or []])
    if name in _DAEMONS:
        pod["tolerations"] = [{"operator": "Exists"}]
    if name in {"rbd-gateway", "rbd-node"}:
        pod["hostNetwork"] = True
    return pod


def _migrations(spec: Object, pod: Object) -> Object:
    """The Job that makes the console's tables; only once it is over the console itself is made."""
    container = {**pod["containers"][0], "name": MIGRATIONS, "command": ["./entrypoint.sh", "init"]}
    volumes = [each for each in pod.get("volumes", []) if "secret" in each]
    template = {
        "metadata": {"labels": labels(MIGRATIONS)},
        "spec": {"containers": [container], "volumes": volumes, "restartPolicy": "OnFailure"},
    }
    return {"metadata": {"name": MIGRATIONS}, "spec": {"backoffLimit": 3, "template": template}}


def _is_complete(store: Store) -> bool:
    found = store.find(store.kind("batch", "jobs"), NAMESPACE, MIGRATIONS)
    return _holds((found or {}).get("status", {}), "Complete", "True")


def _ingresses(name: str) -> Iterator[tuple[str, str, Object]]:
    """How the gateway comes to know of a component."""
    for ingress, service, port in _STREAMS.get(name, ()):
        notes = {L4_ENABLE: "true", L4_PORT: str(port)}
        metadata = {"name": ingress, "labels": labels(name), "annotations": notes}
        backend = {"service": {"name": service, "port": {"number": port}}}
        yield "networking.k8s.io", "ingresses", {"metadata": metadata, "spec": {"defaultBackend": backend}}
    if name == "rbd-hub":
        backend = {"service": {"name": "rbd-hub", "port": {"number": 5000}}}
        path = {"path": "/v2/", "pathType": "Exact", "backend": backend}
        spec = {
            "rules": [{"host": BUILTIN_HUB, "http": {"paths": [path]}}],
            "tls": [{"hosts": [BUILTIN_HUB], "secretName": "hub-image-repository"}],
        }
        yield "networking.k8s.io", "ingresses", {"metadata": {"name": name, "labels": labels(name)}, "spec": spec}
