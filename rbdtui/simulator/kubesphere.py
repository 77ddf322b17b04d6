"""What KubeSphere's programs do in the simulated cluster: its console, its API server, the jobs of its chart.

Sources: kubesphere/kubesphere@v4.1.3, pkg/apiserver and config/ks-core/templates; kubesphere/console@v4.1.3, server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rbdtui.simulator.chart_kubesphere import NAMESPACE
from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.kubernetes.controllers import pods_behind
from rbdtui.simulator.kubernetes.http import Request, Response, json_response
from rbdtui.simulator.kubernetes.kubelet import Behaviour
from rbdtui.simulator.kubernetes.selectors import Object
from rbdtui.simulator.machine import Machine

_GROUPS: Final = (".kubesphere.io", "kubesphere.io", "app.k8s.io")
_LABELLED: Final = (NAMESPACE, "kubesphere-controls-system", "default", "kube-system")
_MARKS: Final = {
    "kubesphere.io/workspace": "system-workspace",
    "kubesphere.io/managed": "true",
    "kubesphere.io/protected-resource": "true",
}


def api_server(cluster: Cluster, request: Request) -> Response:
    """ks-apiserver on 9090."""
    if request.path in ("/healthz", "/livez"):
        return Response(200, b"ok")
    if request.path == "/.well-known/openid-configuration":
        return json_response(200, {"issuer": "http://ks-console.kubesphere-system.svc:30880"})
    return json_response(401, {"kind": "Status", "status": "Failure", "reason": "Unauthorized", "code": 401})


def console(cluster: Cluster, request: Request) -> Response:
    """ks-console on 8000, which hands some paths on to ks-apiserver and shows its login page without it as well."""
    if request.path == "/.well-known/openid-configuration":
        if not pods_behind(cluster.store, NAMESPACE, "ks-apiserver"):
            return Response(502, b"Bad Gateway")
        return api_server(cluster, request)
    if request.path == "/login":
        return Response(200, b"<title>KubeSphere</title>", "text/html")
    return Response(302, b"", headers={"Location": "/login"})


SERVICES: Final[Mapping[tuple[str, str], Callable[[Cluster, Request], Response]]] = {
    (NAMESPACE, "ks-apiserver"): api_server,
    (NAMESPACE, "ks-console"): console,
}
"""What pods behind a Service answer, by namespace and name."""


def _patched(cluster: Cluster, machine: Machine, pod: Object) -> bool:
    """``post-patch-system-ns``: a namespace more, and marks on those of the system."""
    store = cluster.store
    kind = store.kind("", "namespaces")
    for name in _LABELLED:
        found = store.find(kind, "", name)
        if found is None and name in ("default", "kube-system"):
            continue
        if found is None:
            found = store.create(kind, "", {"metadata": {"name": name}})
        labels = {**(found["metadata"].get("labels") or {}), **_MARKS}
        store.replace(kind, "", name, found | {"metadata": found["metadata"] | {"labels": labels}})
    return True


def _deleted(cluster: Cluster, machine: Machine, pod: Object) -> bool:
    """``post-delete-crd``: the definitions go, and the namespaces belong to no workspace any more."""
    store = cluster.store
    if pod["metadata"]["ownerReferences"][0]["name"] != "ks-core-post-delete-crd":
        return True
    definitions = store.kind("apiextensions.k8s.io", "customresourcedefinitions")
    for item in store.listed(definitions):
        if item["spec"]["group"].endswith(_GROUPS):
            store.delete(definitions, "", item["metadata"]["name"])
    kind = store.kind("", "namespaces")
    for item in store.listed(kind):
        labels = dict(item["metadata"].get("labels") or {})
        if labels.pop("kubesphere.io/workspace", None) is not None:
            store.replace(
                kind, "", item["metadata"]["name"], item | {"metadata": item["metadata"] | {"labels": labels}}
            )
    return True


def _ended(cluster: Cluster, machine: Machine, pod: Object) -> bool:
    return True


BEHAVIOURS: Final[Mapping[str, Behaviour]] = {
    "ks-apiserver": Behaviour(3.0, ("Start listening on :9090",)),
    "ks-console": Behaviour(2.0, ("Dashboard app running at port 8000",)),
    "ks-controller-manager": Behaviour(3.0, ("starting manager",)),
    "post-patch-system-ns": Behaviour(0.5, done=_patched),
    "post-patch-user": Behaviour(0.5, done=_ended),
    "post-delete-job": Behaviour(0.5, done=_deleted),
}
"""By the container's name."""
