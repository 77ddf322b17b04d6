"""ROI, Rainbond's own installer: ``cluster.yaml`` with hosts, roleGroups, storage, registry, database, rainbond."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rbdtui.importers.groups import members, with_roles
from rbdtui.importers.hosts_of import node_at
from rbdtui.importers.imported import Hidden, Imported, ImportedNode, Notes, Setting
from rbdtui.importers.importer import Importer, Match
from rbdtui.importers.yaml_fields import Fields, documents
from rbdtui.roles import Role
from rbdtui.words import T

ROLES: Final[Mapping[Role, str]] = {
    Role.ETCD: "etcd",
    Role.CONTROL_PLANE: "master",
    Role.WORKER: "worker",
    Role.GATEWAY: "rbd-gateway",
    Role.BUILD: "rbd-chaos",
}
NFS_GROUP: Final = "nfs-server"
"""Where an NFS server is to be made; a server that is in no other group does nothing else."""
_SECTIONS: Final = re.compile(r"^(hosts|roleGroups):", re.MULTILINE)


class _Roi:
    name = "roi"

    def matches(self, text: str) -> Match:
        """Hosts and roleGroups at the top, without a kind: KubeKey has them below ``spec``."""
        return Match.CERTAIN if len(set(_SECTIONS.findall(text))) > 1 else Match.NO

    def read(self, text: str) -> Imported:
        """Hosts, roles, and the outside services that the cluster is to use."""
        notes, nodes, settings = Notes(), list[ImportedNode](), dict[str, Setting]()
        for document in documents(text, notes):
            nodes += _nodes(document, notes)
            for section in (_storage, _registry, _database, _rainbond):
                settings.update(section(document))
            document.tell_rest()
        return notes.imported(self.name, nodes, settings)


def _storage(document: Fields) -> dict[str, Setting]:
    storage = document.below("storage")
    nfs, existing = storage.below("nfs"), storage.below("existingStorageClass")
    nfs.below("storageClass").known("enabled")
    server, path, name = nfs.text("server"), nfs.text("sharePath"), existing.text("name")
    if existing.flag("enabled") and name:
        return {"storage.mode": "storage-class", "storage.storage_class": name}
    groups = document.below("roleGroups")
    made_on = members(groups, NFS_GROUP)
    if not nfs.flag("enabled"):
        if made_on:
            groups.remark(NFS_GROUP, T("import.no_nfs_server"))
        return {}
    if path and len(made_on) == 1:
        return {"storage.mode": "nfs-server", "storage.node": made_on[0][0], "storage.path": path}
    if server and path and not made_on:
        return {"storage.mode": "nfs", "storage.server": server, "storage.path": path}
    nfs.remark("enabled", T("import.no_nfs_server"))
    return {}


def _registry(document: Fields) -> dict[str, Setting]:
    outside = document.below("registry").below("external")
    found: dict[str, Setting] = {
        "registry.domain": outside.text("domain"),
        "registry.namespace": outside.text("namespace"),
        "registry.username": outside.text("username"),
        "registry.scheme": outside.text("scheme"),
    }
    if password := outside.text("password"):
        found["registry.password"] = Hidden(password)
    if outside.flag("insecureSkipVerify"):
        found["registry.insecure_skip_verify"] = True
    if not outside.flag("enabled"):
        return {}
    return {"registry.mode": "external", **{path: value for path, value in found.items() if value != ""}}


def _database(document: Fields) -> dict[str, Setting]:
    database = document.below("database")
    own, custom = database.below("mysql"), database.below("custom")
    own.known("enabled", "masterPassword", "replicationPassword", "replicaCount", "persistence")
    if own.flag("enabled"):
        database.remark("mysql", T("import.no_mysql_pair"))
    console, region = custom.below("console"), custom.below("region")
    both = [
        (one.text("host"), one.number("port"), one.text("username"), one.text("password"), one.text("database"))
        for one in (console, region)
    ]
    if not custom.flag("enabled"):
        return {}
    if both[0][:4] != both[1][:4]:
        custom.remark("region", T("import.two_databases"))
    if [entry[4] for entry in both] != ["console", "region"]:
        custom.remark("console", T("import.database_names"))
    host, port, user, password, _ = both[0]
    found: dict[str, Setting] = {"mysql.mode": "external", "mysql.host": host, "mysql.username": user}
    if port is not None:
        found["mysql.port"] = port
    if password:
        found["mysql.password"] = Hidden(password)
    return found


def _rainbond(document: Fields) -> dict[str, Setting]:
    rainbond = document.below("rainbond")
    rainbond.explain("values", T("import.no_chart_values"))
    version = rainbond.text("version")
    return {"rainbond.version": version} if version else {}


def _nodes(document: Fields, notes: Notes) -> list[ImportedNode]:
    found = [node for host in document.items("hosts") if (node := _node(host, notes)) is not None]
    groups = document.below("roleGroups")
    roles = {role: members(groups, group) for role, group in ROLES.items()}
    named = {name for listed in roles.values() for name, _ in listed}
    roles[Role.SERVICE] = [listed for listed in members(groups, NFS_GROUP) if listed[0] not in named]
    return with_roles(found, roles, notes)


def _node(host: Fields, notes: Notes) -> ImportedNode | None:
    host.known("bootstrap")
    address, internal = host.text("address"), host.text("internalAddress")
    return node_at(
        notes, host.line, name=host.text("name"), address=address or internal, internal=internal,
        user=host.text("user"), port=host.number("port"), password=host.text("password"),
    )  # fmt: skip


IMPORTER: Final[Importer] = _Roi()
