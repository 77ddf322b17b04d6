"""The lab's own charts of Rainbond: the vendor's value keys and effects, in words of our own, for several versions."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

CHARTS = Path(__file__).parent / "charts"

Fields = Mapping[str, object]

_NODE: Fields = {"externalIP": "string", "internalIP": "string", "name": "string"}
_DATABASE: Fields = {"host": "string", "name": "string", "password": "string", "port": "integer", "username": "string"}
_AVAILABLE: Fields = {"masterNodes": [_NODE], "specifiedNodes": [_NODE]}
_CONDITION: Fields = dict.fromkeys(
    ("type", "status", "reason", "message", "lastHeartbeatTime", "lastTransitionTime"), "string"
)
_CLUSTER: Fields = {
    "spec": {
        **dict.fromkeys(("cacheMode", "ciVersion", "installMode", "installVersion"), "string"),
        **dict.fromkeys(("rainbondImageRepository", "sentinelImage", "suffixHTTPHost"), "string"),
        "configCompleted": "boolean",
        "enableHA": "boolean",
        "etcdConfig": {"endpoints": ["string"], "secretName": "string"},
        "gatewayIngressIPs": ["string"],
        "imageHub": dict.fromkeys(("domain", "namespace", "password", "username"), "string"),
        "nodesForChaos": [_NODE],
        "nodesForGateway": [_NODE],
        "rainbondVolumeSpecRWO": "any",
        "rainbondVolumeSpecRWX": "any",
        "regionDatabase": _DATABASE,
        "uiDatabase": _DATABASE,
    },
    "status": {
        "chaosAvailableNodes": _AVAILABLE,
        "conditions": [_CONDITION],
        "gatewayAvailableNodes": _AVAILABLE,
        "imagePullPassword": "string",
        "imagePullSecrets": {"name": "string"},
        "imagePullUsername": "string",
        "kubernetesVersoin": "string",
        "masterRoleLabel": "string",
        "storageClasses": [dict.fromkeys(("accessMode", "name", "provisioner"), "string")],
    },
}
"""Fields of a RainbondCluster; the API server drops every other one without a word, as it does with the vendor's."""
_COMPONENT: Fields = {
    "spec": {
        "args": ["string"],
        "env": ["any"],
        "image": "string",
        "imagePullPolicy": "string",
        "priorityComponent": "boolean",
        "replicas": "integer",
        "resources": "any",
        "volumeMounts": ["any"],
        "volumes": ["any"],
    },
    "status": {
        "conditions": [_CONDITION],
        "pods": [{"name": "string"}],
        "readyReplicas": "integer",
        "replicas": "integer",
    },
}
_AFFINITY_FROM = (6, 3, 1)
"""The first chart whose RbdComponent has `spec.affinity`."""
_OPEN: Fields = {"spec": "any", "status": "any"}
_RAINBOND, _APISIX = "rainbond.io/v1alpha1", "apisix.apache.org/v2"
_OTHERS: Mapping[str, tuple[str, str]] = {
    **{
        kind: (_APISIX, "Cluster" if kind == "ApisixClusterConfig" else "Namespaced")
        for kind in (
            *("ApisixClusterConfig", "ApisixConsumer", "ApisixGlobalRule", "ApisixPluginConfig"),
            *("ApisixRoute", "ApisixTls", "ApisixUpstream"),
        )
    },
    **dict.fromkeys(
        ("ComponentDefinition", "HelmApp", "RainbondVolume", "ServiceMesh", "ThirdComponent"), (_RAINBOND, "Namespaced")
    ),
    **dict.fromkeys(("RBDAbility", "RBDPlugin", "ServiceMeshClass"), (_RAINBOND, "Cluster")),
    "ServiceMonitor": ("monitoring.coreos.com/v1", "Namespaced"),
}


def chart_name(release: str) -> str:
    """What the chart of a release calls itself."""
    return "rainbond-cluster" if release.startswith("5.") else "rainbond"


def chart_archive(release: str) -> tuple[str, bytes]:
    """Name and tar (to be compressed) of the chart of a release, the same for the same sources."""
    version = tuple(map(int, release.split(".")))
    chart = chart_name(release)
    source = CHARTS / chart
    files = {str(file.relative_to(source)): file.read_text() for file in source.rglob("*") if file.is_file()}
    env = "  env:\n  - name: DEPLOY_VERSION\n    value: helm\n" if version >= (6, 9) else ""
    words = {"VERSION": release, "OPERATOR_ENV": env, "CONTAINERD": "" if version >= (6, 5) else " /run/containerd"}
    for word, value in words.items():
        files["values.yaml"] = files["values.yaml"].replace(f"@{word}@", value)
    about = {
        "apiVersion": "v2",
        "name": chart,
        "type": "application",
        "version": release,
        "appVersion": f"v{version[0]}",
    }
    files["Chart.yaml"] = json.dumps(about | {"description": "Rainbond, as the lab has it"})
    files |= {f"crds/{name}.yaml": f"---\n{json.dumps(text)}\n" for name, text in _definitions(version).items()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in sorted(files.items()):
            info = tarfile.TarInfo(f"{chart}/{name}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return f"{chart}-{release}.tgz", buffer.getvalue()


def _definitions(version: tuple[int, ...]) -> dict[str, object]:
    affinity = {"affinity": "any"} if version >= _AFFINITY_FROM else {}
    component = {"spec": {**_fields(_COMPONENT["spec"]), **affinity}, "status": _COMPONENT["status"]}
    others = {kind: place for kind, place in _OTHERS.items() if version >= (6,) or place[0] != _APISIX}
    if version < (6,):
        others["RainbondPackage"] = (_RAINBOND, "Namespaced")
    made = [
        _definition("RainbondCluster", _RAINBOND, "Namespaced", _CLUSTER, required={"spec": ["suffixHTTPHost"]}),
        _definition("RbdComponent", _RAINBOND, "Namespaced", component, required={"spec": ["priorityComponent"]}),
        *(_definition(kind, group, scope, _OPEN) for kind, (group, scope) in others.items()),
    ]
    return dict(made)


def _definition(
    kind: str, group_version: str, scope: str, fields: Fields, *, required: Mapping[str, list[str]] | None = None
) -> tuple[str, object]:
    group, _, version = group_version.partition("/")
    singular = kind.lower()
    plural = singular[:-1] + "ies" if singular.endswith("y") else singular + ("es" if singular[-1] in "sh" else "s")
    schema = _schema(fields)
    for name, wanted in (required or {}).items():
        schema["properties"][name]["required"] = wanted
    served = {
        "name": version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": singular}
    return f"{group}_{plural}", {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "names": names, "scope": scope, "versions": [served]},
    }


def _fields(value: object) -> Fields:
    assert isinstance(value, Mapping)
    return value


def _schema(value: object) -> dict:  # type: ignore[type-arg]
    if value == "any":
        return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    if isinstance(value, str):
        return {"type": value}
    if isinstance(value, list):
        return {"type": "array", "items": _schema(value[0])}
    return {"type": "object", "properties": {name: _schema(each) for name, each in _fields(value).items()}}
