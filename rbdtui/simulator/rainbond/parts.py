"""What Rainbond's operator makes of each component.

Source: goodrain/rainbond-operator v6.2.1 to v6.9.3, controllers/handler.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rbdtui.simulator.chart import CONFIG_SINCE, gateway_config
from rbdtui.simulator.kubernetes.selectors import Object
from rbdtui.simulator.kubernetes.store import Store

NAMESPACE: Final = "rbd-system"
BUILTIN_HUB: Final = "goodrain.me"
LOCAL_PATH: Final = "local-path"
_GIB: Final[Mapping[str, int]] = {"rbd-hub": 200, "minio": 100, "rbd-monitor": 100, "rbd-db": 5, "rbd-app-ui": 5}
_GIB_SINCE: Final = (6, 7, 2)
"""Before, each has one."""
_CLASS_SINCE: Final = (6, 4, 0)
_TEMPLATES_KEPT_SINCE: Final = (6, 9, 6)
SERVICES: Final[Mapping[str, tuple[tuple[str, tuple[int, ...]], ...]]] = {
    "minio": (("minio-service", (9000, 9001)),),
    "rbd-gateway": (("apisix-monitor", (8099,)),),
    "rbd-hub": (("rbd-hub", (5000,)),),
    "rbd-mq": (("rbd-mq", (6300, 6301)),),
    "rbd-db": (("rbd-db-rw", (3306,)),),
    "rbd-monitor": (("rbd-monitor", (9999,)),),
    "rbd-worker": (("rbd-worker", (6535, 6369)),),
    "rbd-chaos": (("rbd-chaos", (3228,)),),
    "rbd-api": (
        ("rbd-api-api", (8443,)),
        ("rbd-api-websocket", (6060,)),
        ("rbd-api-api-inner", (8888, 6366)),
        ("rbd-api-healthz", (8889,)),
    ),
    "rbd-app-ui": (("rbd-app-ui", (7070,)),),
}
"""Services and their ports, by component."""
_STATEFUL: Final = frozenset({"minio", "rbd-db", "rbd-monitor"})
_PER_CLUSTER: Final = frozenset({"rbd-hub", "rbd-worker", "rbd-api"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator knows when it works on a component."""

    cluster: Object
    """``spec`` of the RainbondCluster."""
    operator_env: Mapping[str, str]
    store: Store
    version: tuple[int, ...] = (6, 9, 3)
    """Of the operator, by its image."""

    @property
    def storage_class(self) -> str:
        """For the volumes of components."""
        known = self.operator_env.get("STORAGE_CLASS_NAME", LOCAL_PATH)
        return known if self.version >= _CLASS_SINCE else LOCAL_PATH

    @property
    def writes_gateway_config(self) -> bool:
        """Whether the gateway's ConfigMap is the operator's, which writes it anew in every pass."""
        return self.version < CONFIG_SINCE

    @property
    def keeps_claim_templates(self) -> bool:
        """Whether StatefulSets keep the claim templates that they have: component-mgr/component.go of 6.9.6."""
        return self.version >= _TEMPLATES_KEPT_SINCE

    def gib(self, component: str) -> int:
        """What a component claims: controllers/handler, storage_defaults_test.go."""
        return _GIB[component] if self.version >= _GIB_SINCE else 1

    @property
    def has_own_hub(self) -> bool:
        """Whether the registry is Rainbond's own."""
        return str((self.cluster.get("imageHub") or {}).get("domain", "")).partition(":")[0] == BUILTIN_HUB

    @property
    def has_own_database(self) -> bool:
        """Whether the databases are Rainbond's own."""
        return not self.cluster.get("regionDatabase") and not self.cluster.get("uiDatabase")

    def database(self, word: str, name: str) -> tuple[str, int, str, str, str] | None:
        """Host, port, user, password and database of ``regionDatabase`` or ``uiDatabase``; None before it is there."""
        chosen = self.cluster.get(word)
        if chosen:
            return chosen["host"], int(chosen["port"]), chosen["username"], chosen["password"], chosen["name"]
        secret = self.store.find(self.store.kind("", "secrets"), NAMESPACE, "rbd-db")
        if secret is None:
            return None
        return "rbd-db-rw", 3306, "root", base64.b64decode(secret["data"]["mysql-password"]).decode(), name


class WaitError(Exception):
    """A component cannot be made yet; the words are the operator's."""


def workloads(component: Object, settings: Settings) -> Iterator[tuple[str, str, Object]]:
    """Group, resource and object of all that a component is made of; raises `WaitError`."""
    name, spec = component["metadata"]["name"], component["spec"]
    _wait_for_what_it_needs(name, settings)
    for service, ports in SERVICES.get(name, ()):
        listed = [{"name": f"p{port}", "port": port, "targetPort": port} for port in ports]
        yield "", "services", {"metadata": {"name": service}, "spec": {"selector": labels(name), "ports": listed}}
    if name == "rbd-gateway" and settings.writes_gateway_config:
        yield "", "configmaps", gateway_config(NAMESPACE)
    containers = list(_containers(name, spec, settings))
    pod: Object = {"containers": containers, "terminationGracePeriodSeconds": 0}
    if volumes := list(_volumes(name, spec, settings)):
        pod["volumes"] = volumes
    if name in {"rbd-gateway", "rbd-chaos"}:
        words = "nodesForGateway" if name == "rbd-gateway" else "nodesForChaos"
        pod["affinity"] = affinity([node["name"] for node in settings.cluster.get(words) or []])
        pod["tolerations"] = [{"operator": "Exists"}]
    if name == "rbd-gateway":
        pod["hostNetwork"] = True
    template = {"metadata": {"labels": labels(name)}, "spec": pod}
    own: Object = {"selector": {"matchLabels": labels(name)}, "template": template}
    if claim := _claim(name, settings):
        yield "", "persistentvolumeclaims", claim
    if name == "rbd-chaos":
        yield "apps", "daemonsets", {"metadata": {"name": name, "labels": labels(name)}, "spec": own}
        return
    own["replicas"] = replicas(component, settings)
    if name in _STATEFUL:
        word = {"minio": "minio-data", "rbd-monitor": "data"}.get(name, name)
        template_claim = {"metadata": {"name": word}, "spec": _claim_spec(name, settings)}
        own |= {"serviceName": "", "volumeClaimTemplates": [template_claim]}
        yield "apps", "statefulsets", {"metadata": {"name": name, "labels": labels(name)}, "spec": own}
        return
    own["strategy"] = {"type": "Recreate"} if name == "rbd-gateway" else {"type": "RollingUpdate"}
    yield "apps", "deployments", {"metadata": {"name": name, "labels": labels(name)}, "spec": own}


def labels(name: str) -> dict[str, str]:
    """Of a component's pods."""
    return {"name": name, "creator": "Rainbond", "belongTo": "rainbond-operator"}


def replicas(component: Object, settings: Settings) -> int:
    """Pods of a Deployment or StatefulSet; the gateway has one for each of its nodes, whatever the component says."""
    if component["metadata"]["name"] == "rbd-gateway":
        return len(settings.cluster.get("nodesForGateway") or [])
    return int(component["spec"].get("replicas", 1))


def _wait_for_what_it_needs(name: str, settings: Settings) -> None:
    if name == "rbd-hub":
        if not settings.cluster.get("imageHub"):
            raise WaitError("imageHub is empty")
        if not settings.has_own_hub:
            raise WaitError("use custom image repository")
    if name in {"rbd-worker", "rbd-chaos", "rbd-api"} and settings.database("regionDatabase", "region") is None:
        raise WaitError('get db info: secrets "rbd-db" not found')
    if name == "rbd-app-ui":
        if settings.database("uiDatabase", "console") is None:
            raise WaitError('get db info: secrets "rbd-db" not found')
        if settings.has_own_database and not _ready_replicas(settings.store, "rbd-db"):
            raise WaitError("no ready replicas for rbdcomponent rbd-db")
    if name in {"rbd-api", "rbd-app-ui"} and not settings.cluster.get("suffixHTTPHost"):
        raise WaitError("wait suffixHTTPHost")


def _ready_replicas(store: Store, name: str) -> int:
    found = store.find(store.kind("rainbond.io", "rbdcomponents"), NAMESPACE, name)
    return int((found or {}).get("status", {}).get("readyReplicas", 0))


def _containers(name: str, spec: Object, settings: Settings) -> Iterator[Object]:
    policy = {"imagePullPolicy": spec.get("imagePullPolicy", "IfNotPresent")}
    if name == "rbd-gateway":
        for word, image in zip(("ingress-apisix", "apisix"), str(spec["image"]).split("@"), strict=True):
            yield {"name": word, "image": image, **policy}
        return
    container: Object = {"name": name, "image": spec["image"], **policy}
    region = settings.database("regionDatabase", "region")
    if name in {"rbd-worker", "rbd-chaos", "rbd-api"} and region is not None:
        host, port, user, password, database = region
        container["args"] = [f"--mysql={user}:{password}@tcp({host}:{port})/{database}"]
    if name == "rbd-app-ui":
        container["env"] = list(console_env(spec, settings))
    yield container


def console_env(spec: Object, settings: Settings) -> Iterator[dict[str, Any]]:
    """Of the console's container."""
    console = settings.database("uiDatabase", "console")
    assert console is not None
    host, port, user, password, database = console
    words = {
        "REGION_URL": "https://rbd-api-api:8443",
        "REGION_HTTP_DOMAIN": settings.cluster.get("suffixHTTPHost", ""),
        "MYSQL_HOST": host,
        "MYSQL_PORT": str(port),
        "MYSQL_USER": user,
        "MYSQL_PASS": password,
        "MYSQL_DB": database,
    }
    given = list(spec.get("env", []))
    yield from given
    yield from ({"name": key, "value": value} for key, value in words.items())


def _volumes(name: str, spec: Object, settings: Settings) -> Iterator[Object]:
    yield from spec.get("volumes", [])
    if name == "rbd-api":
        yield {"name": "region-api-ssl", "secret": {"secretName": "rbd-api-server-cert"}}
    elif name == "rbd-app-ui":
        yield {"name": "ssl", "secret": {"secretName": "rbd-api-client-cert"}}
        yield {"name": "app-ui-data", "persistentVolumeClaim": {"claimName": "rbd-app-ui-data"}}
    elif name == "rbd-hub":
        yield {"name": "hubdata", "persistentVolumeClaim": {"claimName": "rbd-hub"}}
    elif name == "rbd-gateway":
        yield {"name": "apisix-config", "configMap": {"name": "apisix-gw-config.yaml"}}


def _claim(name: str, settings: Settings) -> Object | None:
    word = {"rbd-hub": "rbd-hub", "rbd-app-ui": "rbd-app-ui-data"}.get(name)
    return {"metadata": {"name": word}, "spec": _claim_spec(name, settings)} if word else None


def _claim_spec(name: str, settings: Settings) -> Object:
    return {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": settings.storage_class,
        "resources": {"requests": {"storage": f"{settings.gib(name)}Gi"}},
    }


def affinity(names: list[str]) -> Object:
    """To these nodes and no others."""
    keys = ("kubernetes.io/hostname", "k3s.io/hostname")
    terms = [{"matchExpressions": [{"key": key, "operator": "In", "values": names}]} for key in keys]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def extras(name: str, settings: Settings) -> Iterator[tuple[str, str, Object]]:
    """What a component has besides: routes for the gateway, and the storage class."""
    routes: Mapping[str, tuple[tuple[str, Object], ...]] = {
        "rbd-hub": (("rbd-hub", _http_route(BUILTIN_HUB, "rbd-hub", 5000)),),
        "rbd-api": (
            ("rbd-api-api", _stream_route(8443, "rbd-api-api")),
            ("rbd-api-healthz", _stream_route(8889, "rbd-api-healthz")),
            ("rbd-api-websocket", _stream_route(6060, "rbd-api-websocket")),
        ),
        "rbd-app-ui": (("rbd-app-ui", _stream_route(7070, "rbd-app-ui")),),
    }
    for route, spec in routes.get(name, ()):
        yield "apisix.apache.org", "apisixroutes", {"metadata": {"name": route}, "spec": spec}
    if name == "rbd-gateway":
        plugins = [{"name": "prometheus", "enable": True}]
        rule = {"metadata": {"name": "monitor"}, "spec": {"plugins": plugins}}
        yield "apisix.apache.org", "apisixglobalrules", rule
    if name == "rbd-hub":
        secret = {"name": "hub-image-repository", "namespace": NAMESPACE}
        tls = {"metadata": {"name": "rbd-hub"}, "spec": {"hosts": [BUILTIN_HUB], "secret": secret}}
        yield "apisix.apache.org", "apisixtlses", tls
    if name == "local-path-provisioner":
        yield (
            "storage.k8s.io",
            "storageclasses",
            {
                "metadata": {"name": LOCAL_PATH},
                "provisioner": "rancher.io/local-path",
                "reclaimPolicy": "Delete",
                "volumeBindingMode": "WaitForFirstConsumer",
            },
        )


def _http_route(host: str, service: str, port: int) -> Object:
    backend = {"serviceName": service, "servicePort": port}
    return {"http": [{"name": service, "match": {"hosts": [host], "paths": ["/*"]}, "backends": [backend]}]}


def _stream_route(port: int, service: str) -> Object:
    backend = {"serviceName": service, "servicePort": port}
    match = {"ingressPort": port}
    return {"stream": [{"name": service, "protocol": "TCP", "match": match, "backend": backend}]}
