"""ROI's ``cluster.yaml``."""

from __future__ import annotations

from typing import Final

from rbdtui.exporters.exporter import Exporter, login_of
from rbdtui.exporters.yaml_text import to_yaml
from rbdtui.importers.roi import NFS_GROUP, ROLES
from rbdtui.roles import Role
from rbdtui.spec.model import ClusterSpec, Node
from rbdtui.spec.sections.mysql import DATABASES, MysqlMode
from rbdtui.spec.sections.registry import RegistryMode
from rbdtui.spec.sections.storage import StorageMode


class _Roi:
    name = "roi"
    holds = (
        "nodes[].name", "nodes[].address", "nodes[].internal_address", "nodes[].roles", "nodes[].ssh.user",
        "nodes[].ssh.port", "ssh.user",
        "ssh.port", "storage.mode", "storage.storage_class", "storage.server", "storage.node", "storage.path",
        "registry.mode", "registry.domain", "registry.namespace", "registry.username", "registry.scheme",
        "registry.insecure_skip_verify", "mysql.mode", "mysql.host", "mysql.port", "mysql.username",
        "rainbond.version",
    )  # fmt: skip
    roles = frozenset(ROLES)

    def write(self, spec: ClusterSpec) -> str:
        """The passwords that ROI wants in clear are left empty."""
        servers = [node.name for node in spec.servers if Role.CONTROL_PLANE in node.roles]
        first = servers[0] if servers else ""
        groups = {group: [node.name for node in spec.nodes_with(role)] for role, group in ROLES.items()}
        data: dict[str, object] = {
            "hosts": [_host(spec, node, bootstrap=node.name == first) for node in spec.nodes],
            "roleGroups": groups,
        }
        if (server := spec.nfs_node) is not None:
            groups[NFS_GROUP] = [server.name]
        for section, value in (("storage", _storage(spec)), ("registry", _registry(spec)), ("database", _mysql(spec))):
            if value:
                data[section] = value
        if spec.rainbond.version is not None:
            data["rainbond"] = {"version": spec.rainbond.version}
        return to_yaml(data)


def _host(spec: ClusterSpec, node: Node, *, bootstrap: bool) -> dict[str, object]:
    login, address = login_of(spec, node), str(node.address)
    host: dict[str, object] = {
        "name": node.name,
        "address": address,
        "internalAddress": str(node.cluster_address),
        "user": login.user,
    }
    if login.port is not None:
        host["port"] = login.port
    host["password"] = ""
    return {**host, "bootstrap": True} if bootstrap else host


def _storage(spec: ClusterSpec) -> dict[str, object]:
    storage = spec.storage
    if storage.mode is StorageMode.STORAGE_CLASS:
        return {"existingStorageClass": {"enabled": True, "name": storage.storage_class}}
    if storage.mode is StorageMode.NFS:
        nfs = {"enabled": True, "server": storage.server, "sharePath": storage.path, "storageClass": {"enabled": True}}
        return {"nfs": nfs}
    if storage.mode is StorageMode.NFS_SERVER:
        return {"nfs": {"enabled": True, "sharePath": storage.path, "storageClass": {"enabled": True}}}
    return {}


def _registry(spec: ClusterSpec) -> dict[str, object]:
    registry = spec.registry
    if registry.mode is not RegistryMode.EXTERNAL:
        return {}
    said = {"domain": registry.domain, "namespace": registry.namespace, "username": registry.username}
    return {
        "external": {
            "enabled": True, **{key: value for key, value in said.items() if value}, "password": "",
            "scheme": registry.scheme.value, "insecureSkipVerify": registry.insecure_skip_verify,
        }
    }  # fmt: skip


def _mysql(spec: ClusterSpec) -> dict[str, object]:
    mysql = spec.mysql
    if mysql.mode is not MysqlMode.EXTERNAL:
        return {}
    login = {"host": mysql.host, "port": mysql.port, "username": mysql.username, "password": ""}
    return {"custom": {"enabled": True, **{name: {**login, "database": name} for name in DATABASES}}}


EXPORTER: Final[Exporter] = _Roi()
