"""The values of Rainbond's chart that follow from a plan, with ``rainbond.values`` laid over them.

Keys: goodrain/rainbond-chart v5.17.3-release, v6.2.1-release, v6.9.3-release, values.yaml and templates. Secrets are
names until the very end: what is shown and what helm gets come from one tree.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

from rbdtui.content import Content, SecretRef
from rbdtui.rainbond.provisioner import class_name
from rbdtui.rainbond.releases import Release
from rbdtui.spec.model import ClusterSpec, Role
from rbdtui.spec.rules.rainbond import OURS
from rbdtui.spec.sections.etcd import EtcdMode
from rbdtui.spec.sections.mysql import DATABASES
from rbdtui.spec.sections.registry import RegistryMode
from rbdtui.spec.sections.storage import StorageMode
from rbdtui.spec.values import SECRET_PREFIX, is_secret_reference
from rbdtui.yaml_form import Scalar, yaml_block

CONTAINERD_DIR: Final = "/var/run/k3s/containerd"
"""Where the socket of RKE2's containerd is."""
ETCD_SECRET: Final = "rbd-etcd-secret"  # noqa: S105 - the name of an object in the cluster
ETCD_PORT: Final = 2379
_SEVERAL: Final = 2
"""Pods of what may run more than once."""

Tree = dict[str, object]


def needs_etcd_secret(spec: ClusterSpec) -> bool:
    """Whether Rainbond is given an etcd that is there already."""
    return "etcd" in spec.profile.sections and spec.etcd.mode is not EtcdMode.BUILTIN


def chart_values(spec: ClusterSpec, release: Release, secret: Callable[[str], str]) -> Content:
    """The values file for helm, YAML; ``secret`` gives the value of a name of the vault."""
    return content_of(value_tree(spec, release), secret)


def content_of(tree: Mapping[str, object], secret: Callable[[str], str]) -> Content:
    """Values as a file, as it is shown and as helm gets it."""
    found: list[SecretRef] = []

    def shown(value: object) -> Scalar:
        if isinstance(value, SecretRef):
            found.append(value)
        return value if isinstance(value, str | int | float | bool | None) else str(value)

    def actual(value: object) -> Scalar:
        return secret(value.name) if isinstance(value, SecretRef) else shown(value)

    text = yaml_block(tree, shown)
    return Content(text, yaml_block(tree, actual).encode(), has_secret=bool(found))


def value_tree(spec: ClusterSpec, release: Release) -> Tree:
    """The same as a tree; a secret is a `SecretRef`."""
    own = _old(spec, release) if release.is_old else _new(spec, release)
    return merged(own, without(OURS, with_references(spec.rainbond.values)))


def effective(spec: ClusterSpec, release: Release, *keys: str) -> object:
    """One of the values; None where the chart's own default holds."""
    value: object = value_tree(spec, release)
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def ready_replicas(spec: ClusterSpec, release: Release) -> int:
    """Pods of what follows ``Cluster.replicas``; 5.17 heeds that with ``enableHA`` only."""
    if release.is_old and not effective(spec, release, "Cluster", "enableHA"):
        return 1
    replicas = effective(spec, release, "Cluster", "replicas")
    return replicas if isinstance(replicas, int) else 1


def image_repository(spec: ClusterSpec) -> str | None:
    """What stands before the name of each of Rainbond's images; None where it is the chart's default."""
    registry = spec.registry
    if registry.mode is not RegistryMode.EXTERNAL or registry.domain is None:
        return None
    return f"{registry.domain}/{registry.namespace}" if registry.namespace else registry.domain


def merged(base: Mapping[str, object], over: Mapping[str, object]) -> Tree:
    """``over`` laid over ``base``: mappings key by key, lists of ``name`` and ``value`` by name, all else as a whole.

    What is of another shape stays away (`misfits`): helm leaves it out as well, or the template breaks on it.
    """
    result: Tree = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            result[key] = merged(below, value)
        elif isinstance(below, list) and isinstance(value, list) and below and _is_env(below):
            result[key] = _env_merged(below, value) if _is_env(value) else below
        elif below is None or _shape(below) == _shape(value):
            result[key] = value
    return result


def misfits(base: Mapping[str, object], over: Mapping[str, object], path: str = "") -> Iterator[str]:
    """Paths of ``over`` where ``base`` has something of another shape."""
    for key, value in over.items():
        below, here = base.get(key), f"{path}.{key}" if path else key
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            yield from misfits(below, value, here)
        elif below is not None and (
            _shape(below) != _shape(value) or (below and _is_env(below) and not _is_env(value))
        ):
            yield here


def _shape(value: object) -> type:
    return Mapping if isinstance(value, Mapping) else list if isinstance(value, list) else str


def _is_env(value: object) -> bool:
    """Whether it is a list of variables, each with its name."""
    return isinstance(value, list) and all(
        isinstance(item, Mapping) and isinstance(item.get("name"), str) for item in value
    )


def _env_merged(below: Sequence[Mapping[str, object]], over: Sequence[Mapping[str, object]]) -> list[object]:
    return list({item["name"]: item for item in (*below, *over)}.values())


def _new(spec: ClusterSpec, release: Release) -> Tree:
    env = dict(release.operator_env)
    if not spec.rainbond.telemetry:
        env["DISABLE_LOG"] = "true"
    if release.honours_storage_class and (name := class_name(spec)):
        env["STORAGE_CLASS_NAME"] = name
    cluster = _cluster(spec, release)
    if not spec.is_existing:
        # Later charts find it out when they are installed, but not where there is no cluster to ask, in a preview.
        cluster["containerdRuntimePath"] = CONTAINERD_DIR
    return {
        **({"operator": {"env": _variables(env)}} if env else {}),
        "Cluster": cluster,
        "Component": {"rbd_app_ui": {"enable": True, "env": _variables(_CONSOLE_ENV)}},
    }


_CONSOLE_ENV: Final = {"DISABLE_DEFAULT_APP_MARKET": "true"}
"""The market is on the internet, which an installation from offline packages has not."""


def _old(spec: ClusterSpec, release: Release) -> Tree:
    """5.17: etcd, volumes and checks by the chart's own jobs, whose image is not among the offline ones."""
    cluster = _cluster(spec, release)
    several = len(spec.gateways) >= _SEVERAL
    # The chart asks for a database, an etcd and volumes outside of its own where it is to be highly available.
    is_ha = (
        several
        and spec.mysql.is_outside
        and spec.etcd.mode is not EtcdMode.BUILTIN
        and spec.storage.mode is not StorageMode.BUILTIN
    )
    cluster |= {"enableHA": is_ha, "enableEnvCheck": False, "etcd": _etcd(spec), **_volumes(spec)}
    operator: Tree = {} if spec.rainbond.telemetry else {"env": _variables({"DISABLE_LOG": "true"})}
    repository = image_repository(spec)
    image: Tree = {"tag": release.tag}
    if repository is not None:
        image["name"] = f"{repository}/rainbond-operator"
    return {
        "useK3sContainerd": not spec.is_existing,
        "operator": {**operator, "image": image},
        "Cluster": cluster,
        "Component": {"rbd_app_ui": {"enable": True, "env": dict(_CONSOLE_ENV)}},
    }


def _cluster(spec: ClusterSpec, release: Release) -> Tree:
    """What both generations have."""
    cluster: Tree = {
        # The template makes a list of it by itself: a list would become one broken entry.
        "gatewayIngressIPs": spec.gateway_address,
        # Without one of the three addresses of each, the operator takes nodes of its own choice.
        "nodesForGateway": [
            {
                "name": node.name,
                "internalIP": str(node.cluster_address),
                "externalIP": str(node.external_address or node.cluster_address),
            }
            for node in spec.gateways
        ],
        "nodesForChaos": [{"name": node.name} for node in spec.nodes_with(Role.BUILD)],
        "installVersion": release.tag,
        # With more than there are gateways, rbd-gateway never counts as ready (op@6.2.1 component-mgr/component.go).
        "replicas": min(_SEVERAL, max(1, len(spec.gateways))),
        "imageHub": _image_hub(spec),
        **_databases(spec),
    }
    repository = image_repository(spec)
    return cluster | ({"rainbondImageRepository": repository} if repository is not None else {})


def _image_hub(spec: ClusterSpec) -> Tree:
    registry = spec.registry
    if registry.mode is not RegistryMode.EXTERNAL:
        return {"enable": False}
    return {
        "enable": True,
        "domain": registry.domain or "",
        "namespace": registry.namespace or "",
        "username": registry.username or "",
        "password": _reference(registry.password) if registry.password else "",
    }


def _databases(spec: ClusterSpec) -> Tree:
    """Both or none: the chart leaves the built-in one out as soon as one is outside."""
    console, region = DATABASES
    mysql = spec.mysql
    if not mysql.is_outside:
        return {"regionDatabase": {"enable": False}, "uiDatabase": {"enable": False}}
    server = {
        "enable": True,
        "host": spec.mysql_host,
        "port": mysql.port,
        "username": mysql.username or "",
        "password": _reference(mysql.password) if mysql.password else "",
    }
    return {"regionDatabase": {**server, "name": region}, "uiDatabase": {**server, "name": console}}


def _etcd(spec: ClusterSpec) -> Tree:
    if spec.etcd.mode is EtcdMode.BUILTIN:
        return {"enable": False}
    members = [f"{node.cluster_address}:{ETCD_PORT}" for node in spec.nodes_with(Role.ETCD)]
    endpoints = list(spec.etcd.endpoints) if spec.etcd.mode is EtcdMode.EXTERNAL else members
    return {"enable": True, "endpoints": endpoints, "secretName": ETCD_SECRET}


def _volumes(spec: ClusterSpec) -> Tree:
    """Without a class of its own for volumes of one pod, 5.17 takes the shared one."""
    name = class_name(spec)
    if not name:
        return {"RWX": {"enable": False}, "RWO": {"enable": False}}
    return {
        "RWX": {"enable": True, "type": "none", "config": {"storageClassName": name}},
        "RWO": {"enable": False},
    }


def _variables(env: Mapping[str, str]) -> list[object]:
    return [{"name": name, "value": value} for name, value in env.items()]


def _reference(written: str) -> SecretRef:
    return SecretRef(written.removeprefix(SECRET_PREFIX))


def with_references(values: Mapping[str, object]) -> Tree:
    """The operator's values, with ``secret:name`` taken for what it says."""
    return {key: _resolved(value) for key, value in values.items()}


def _resolved(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _resolved(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_resolved(item) for item in value]
    return _reference(value) if isinstance(value, str) and is_secret_reference(value) else value


def without(ours: Collection[str], values: Tree, path: str = "") -> Tree:
    """Without the paths in ``ours``: other keys of cluster.yaml say these, which is a finding of its own."""
    kept: Tree = {}
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        if here not in ours:
            kept[key] = without(ours, value, here) if isinstance(value, dict) else value
    return kept
