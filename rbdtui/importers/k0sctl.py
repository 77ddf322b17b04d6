"""k0sctl: ``k0sctl.yaml`` with hosts, their roles and SSH, and the networks of k0s."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rbdtui.importers.endpoint import api_settings
from rbdtui.importers.hosts_of import bastion_at, node_at
from rbdtui.importers.imported import Imported, ImportedBastion, ImportedNode, Notes, Setting
from rbdtui.importers.importer import Importer, Match
from rbdtui.importers.yaml_fields import Fields, documents
from rbdtui.roles import Role
from rbdtui.words import T

_VERSION: Final = re.compile(r"^apiVersion:[ \t]*[\"']?k0sctl\.k0sproject\.io/", re.MULTILINE)
_SERVER: Final = (Role.CONTROL_PLANE.value, Role.ETCD.value)
ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "controller": _SERVER,
    "controller+worker": (*_SERVER, Role.WORKER.value),
    "single": (*_SERVER, Role.WORKER.value),
    "worker": (Role.WORKER.value,),
}
_MOST_BASTIONS: Final = 4
_TUNING: Final = (
    "installFlags", "environment", "hooks", "files", "uploadBinary", "k0sBinaryPath", "noTaints", "reset", "os",
    "useExistingK0s", "overrideDownloadURL", "dataDir", "kubeletRootDir", "k0sInstallPath", "k0sDownloadURL",
)  # fmt: skip
"""What k0s does on a host, which a site of RKE2 has no use for."""


class _K0sctl:
    name = "k0sctl"

    def matches(self, text: str) -> Match:
        """It says so itself."""
        return Match.CERTAIN if _VERSION.search(text) else Match.NO

    def read(self, text: str) -> Imported:
        """Hosts with their own roles."""
        notes, nodes, settings = Notes(), list[ImportedNode](), dict[str, Setting]()
        for document in documents(text, notes):
            document.known("apiVersion", "kind", "metadata")
            spec = document.below("spec")
            spec.known("options")
            found = [node for host in spec.items("hosts") if (node := _node(host, notes)) is not None]
            settings.update(_settings(spec.below("k0s"), found))
            document.tell_rest()
            nodes += found
        return notes.imported(self.name, nodes, settings)


def _node(host: Fields, notes: Notes) -> ImportedNode | None:
    for key in _TUNING:
        host.explain(key, T("import.only_k0s"))
    host.known("privateInterface")
    ssh = host.below("ssh") or host.below("openSSH")
    ssh.known("hostKey", "configPath", "options", "disableMultiplexing")
    address, private, role = ssh.text("address"), host.text("privateAddress"), host.text("role")
    host.explain("winRM", T("import.windows"))
    if host.below("localhost").flag("enabled"):
        host.remark("localhost", T("import.local"))
    if role not in ROLES:
        host.remark("role", T("paste.no_role", role=role[:40], known=", ".join(ROLES)))
    return node_at(
        notes, host.line, name=host.text("hostname"), address=address or private, internal=private,
        user=ssh.text("user"), port=ssh.number("port"), key=ssh.text("keyPath"),
        bastions=_bastions(ssh, notes), roles=ROLES.get(role, ()),
    )  # fmt: skip


def _bastions(ssh: Fields, notes: Notes) -> tuple[ImportedBastion, ...]:
    """The hosts in between, the outermost first: each may name the one before it."""
    found: tuple[ImportedBastion, ...] = ()
    bastion = ssh.below("bastion")
    while bastion and len(found) < _MOST_BASTIONS:
        bastion.known("hostKey")
        found = (
            *bastion_at(
                notes, bastion.line, address=bastion.text("address"), user=bastion.text("user"),
                port=bastion.number("port"), key=bastion.text("keyPath"),
            ),
            *found,
        )  # fmt: skip
        bastion = bastion.below("bastion")
    return found


def _settings(k0s: Fields, nodes: list[ImportedNode]) -> dict[str, Setting]:
    k0s.known("dynamicConfig", "versionChannel")
    config = k0s.below("config")
    config.known("apiVersion", "kind", "metadata")
    spec = config.below("spec")
    api, network = spec.below("api"), spec.below("network")
    api.known("k0sApiPort")
    spec.known("installConfig", "telemetry", "konnectivity", "controllerManager", "scheduler", "images")
    external = api.text("externalAddress")
    settings = api_settings(api, nodes, address=external, port=api.number("port"), key="externalAddress")
    network.known("provider", "kuberouter", "kubeProxy", "calico", "nodeLocalLoadBalancing", "clusterDomain")
    networks = {
        "kubernetes.pod_cidr": network.text("podCIDR"),
        "kubernetes.service_cidr": network.text("serviceCIDR"),
    }
    return {**settings, **{path: text for path, text in networks.items() if text}}


IMPORTER: Final[Importer] = _K0sctl()
