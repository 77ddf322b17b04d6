"""The demo's chart of KubeSphere: our own, with the vendor's keys of values.yaml, rendered here and by nobody else.

Source of the keys and of what the templates make: kubesphere/kubesphere@v4.1.3, config/ks-core.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from rbdtui.simulator.chart import SIMULATED, ChartError, Tree, all_objects, definitions

NAME: Final = "ks-core"
CHART_VERSION: Final = "1.1.4"
RELEASE: Final = "v4.1.3"
NAMESPACE: Final = "kubesphere-system"
REGISTRY: Final = "docker.io"
HOOK: Final = "helm.sh/hook"
_SEVERAL: Final = 3
_DEFAULTS: Final = f"""# {SIMULATED}global:
  imageRegistry: {REGISTRY}
  tag: {RELEASE}
  imagePullSecrets: []
multicluster:
  role: ""
authentication:
  adminPassword: ""
apiserver:
  image: {{registry: "", repository: kubesphere/ks-apiserver, tag: "", pullPolicy: IfNotPresent}}
console:
  image: {{registry: "", repository: kubesphere/ks-console, tag: "", pullPolicy: IfNotPresent}}
  nodePort: 30880
controller:
  image: {{registry: "", repository: kubesphere/ks-controller-manager, tag: "", pullPolicy: IfNotPresent}}
helmExecutor:
  image: {{registry: "", repository: kubesphere/kubectl, tag: v1.27.16, pullPolicy: IfNotPresent}}
kubectl:
  image: {{registry: "", repository: kubesphere/kubectl, tag: v1.27.16, pullPolicy: IfNotPresent}}
nodeShell:
  image: {{registry: "", repository: kubesphere/kubectl, tag: v1.27.16, pullPolicy: IfNotPresent}}
telemetry:
  enabled: true
ha:
  enabled: false
redis:
  port: 6379
  image: {{registry: "", repository: kubesphere/redis, tag: 7.2.4-alpine, pullPolicy: IfNotPresent}}
  persistentVolume: {{enabled: true, size: 2Gi}}
redisHA:
  enabled: false
  image: {{registry: "", repository: kubesphere/redis, tag: 7.2.4-alpine, pullPolicy: IfNotPresent}}
  persistentVolume: {{enabled: true, size: 2Gi}}
  haproxy:
    image: {{registry: "", repository: kubesphere/haproxy, tag: 2.9.6-alpine, pullPolicy: IfNotPresent}}
ksCRDs:
  kubectl:
    image: {{registry: "", repository: kubesphere/kubectl, tag: v1.27.16, pullPolicy: IfNotPresent}}
ksExtensionRepository:
  enabled: true
  image: {{registry: "", repository: kubesphere/ks-extensions-museum, tag: v1.1.3, pullPolicy: IfNotPresent}}
"""
_GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    "iam.kubesphere.io/v1beta1": {"User": "users", "GlobalRole": "globalroles"},
    "tenant.kubesphere.io/v1beta1": {"Workspace": "workspaces", "WorkspaceTemplate": "workspacetemplates"},
    "kubesphere.io/v1alpha1": {"Extension": "extensions", "InstallPlan": "installplans", "Repository": "repositories"},
    "app.k8s.io/v1beta1": {"Application": "applications"},
}
"""Some of the definitions of ``charts/ks-crds``, all of cluster scope here."""


def images() -> list[str]:
    """Names of all images that it needs with three servers."""
    plain = (
        *("redis:7.2.4-alpine", "haproxy:2.9.6-alpine", "kubectl:v1.27.16", "ks-extensions-museum:v1.1.3"),
        *(f"{name}:{RELEASE}" for name in ("ks-apiserver", "ks-console", "ks-controller-manager")),
    )
    return [f"{REGISTRY}/kubesphere/{name}" for name in plain]


def chart_files() -> dict[str, str]:
    """The chart's files by path, as ``helm package`` has them; the definitions are those of the chart within it."""
    about = {
        "apiVersion": "v2", "name": NAME, "type": "application", "version": CHART_VERSION, "appVersion": RELEASE,
        "description": "KubeSphere, simulated", "dependencies": [{"name": "ks-crds", "version": "1.0.0"}],
    }  # fmt: skip
    within = {"apiVersion": "v2", "name": "ks-crds", "version": "1.0.0"}
    files = {
        f"{NAME}/Chart.yaml": yaml.safe_dump(about, sort_keys=False),
        f"{NAME}/values.yaml": _DEFAULTS,
        f"{NAME}/templates/NOTES.txt": SIMULATED,
        f"{NAME}/charts/ks-crds/Chart.yaml": yaml.safe_dump(within, sort_keys=False),
    }
    for definition in definitions(_GROUPS, scope="Cluster"):
        path = f"{NAME}/charts/ks-crds/crds/{definition['metadata']['name']}.yaml"
        files[path] = yaml.safe_dump(definition, sort_keys=False)
    return files


def render(values: Tree, namespace: str) -> list[Tree]:
    """All objects that the chart makes besides its definitions, its jobs among them; raises `ChartError`."""
    if namespace != NAMESPACE:
        words = f"This Helm release must be installed in the '{NAMESPACE}' namespace."
        raise ChartError(f"execution error at (ks-core/templates/kubesphere-config.yaml:2:4): {words}")
    return all_objects(NAME, _objects(values))


def _objects(values: Tree) -> Iterator[Tree]:
    several = bool(values["ha"]["enabled"])
    yield from _account("kubesphere")
    yield {"apiVersion": "v1", "kind": "ConfigMap", **_named("kubesphere-config"), "data": {"kubesphere.yaml": "{}\n"}}
    for part, key in (
        ("ks-apiserver", "apiserver"),
        ("ks-console", "console"),
        ("ks-controller-manager", "controller"),
    ):
        yield _workload(part, values, values[key], _SEVERAL if several else 1)
    yield _service("ks-apiserver", 80, 9090)
    yield _service("ks-console", 80, 8000, values["console"].get("nodePort"))
    if values["ksExtensionRepository"]["enabled"]:
        yield _workload("extensions-museum", values, values["ksExtensionRepository"], 1)
    if several and not values["ha"].get("cache"):
        yield from _redis(values)
    yield _of_the_cluster("iam.kubesphere.io/v1beta1", "User", "admin")
    yield _of_the_cluster("tenant.kubesphere.io/v1beta1", "WorkspaceTemplate", "system-workspace")
    yield _of_the_cluster(
        "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validator.user.iam.kubesphere.io"
    )
    for job in ("post-patch-system-ns", "post-patch-user"):
        yield _job(job, "post-install,post-upgrade", "kubesphere", values)
    for job in ("post-delete-crd", "post-delete"):
        yield from (_hooked(each, "post-delete") for each in _account(f"{NAME}-{job}"))
        yield _job(job, "post-delete", f"{NAME}-{job}", values)


def _redis(values: Tree) -> Iterator[Tree]:
    """With several pods the chart within, otherwise one that keeps its data on a volume."""
    yield {"apiVersion": "v1", "kind": "Secret", **_named("redis-secret"), "stringData": {"auth": "simulated"}}
    yield _service("redis", 6379, 6379)
    many = values["redisHA"]
    if many["enabled"]:
        yield _workload(f"{NAME}-redisha-haproxy", values, many["haproxy"], _SEVERAL)
        yield _workload(
            f"{NAME}-redisha-server", values, many, _SEVERAL, kind="StatefulSet", claim=many["persistentVolume"]
        )
    else:
        yield _workload("redis", values, values["redis"], 1)


def _workload(
    name: str, values: Tree, part: Tree, replicas: int, *, kind: str = "Deployment", claim: Tree | None = None
) -> Tree:
    labels = {"app": name}
    container = {"name": name, "image": _image(values, part), "imagePullPolicy": part["image"]["pullPolicy"]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec: Tree = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    if claim is not None and claim["enabled"]:
        wanted: Tree = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": claim["size"]}}}
        if claim.get("storageClass"):
            wanted["storageClassName"] = claim["storageClass"]
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": wanted}]
    return {"apiVersion": "apps/v1", "kind": kind, **_named(name, labels), "spec": spec}


def _image(values: Tree, part: Tree) -> str:
    """The template ``common.images.image``."""
    image, outer = part["image"], values["global"]
    return f"{image['registry'] or outer['imageRegistry']}/{image['repository']}:{image['tag'] or outer['tag']}"


def _service(app: str, port: int, target: int, node_port: int | None = None) -> Tree:
    listed: Tree = {"port": port, "protocol": "TCP", "targetPort": target}
    if node_port:
        listed["nodePort"] = node_port
    kind = "NodePort" if node_port else "ClusterIP"
    selector = f"{NAME}-redisha-haproxy" if app == "redis" else app
    spec = {"ports": [listed], "selector": {"app": selector}, "type": kind}
    return {"apiVersion": "v1", "kind": "Service", **_named(app, {"app": app}), "spec": spec}


def _account(name: str) -> Iterator[Tree]:
    """An account that may do everything."""
    yield {"apiVersion": "v1", "kind": "ServiceAccount", **_named(name)}
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
    }


def _job(name: str, hook: str, account: str, values: Tree) -> Tree:
    program = "post-delete-job" if name.startswith("post-delete") else name
    container = {"name": program, "image": _image(values, values["kubectl"])}
    pod = {"restartPolicy": "Never", "serviceAccountName": account, "containers": [container]}
    job = {"apiVersion": "batch/v1", "kind": "Job", **_named(f"{NAME}-{name}"), "spec": {"template": {"spec": pod}}}
    return _hooked(job, hook)


def _hooked(item: Tree, hook: str) -> Tree:
    return {**item, "metadata": {**item["metadata"], "annotations": {HOOK: hook}}}


def _of_the_cluster(api_version: str, kind: str, name: str) -> Tree:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}


def _named(name: str, labels: Tree | None = None) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": NAMESPACE, **({"labels": labels} if labels else {})}}
