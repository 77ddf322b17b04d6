"""KubeKey 4: ``Inventory`` with hosts and groups, ``Config`` with the cluster's settings; both may be in one file."""

from __future__ import annotations

import re
from typing import Final

from rbdtui.importers.endpoint import api_settings
from rbdtui.importers.imported import Imported, ImportedNode, Notes, Setting
from rbdtui.importers.importer import Importer, Match
from rbdtui.importers.inventory import Inventory, Value
from rbdtui.importers.yaml_fields import Fields, documents
from rbdtui.words import T

_VERSION: Final = re.compile(
    r"^apiVersion:[ \t]*[\"']?kubekey\.kubesphere\.io/v1[\"']?[ \t]*(?:#.*)?\r?$", re.MULTILINE
)
_CONNECTOR: Final = {
    "ansible_host": ("host",), "ansible_port": ("port",), "ansible_user": ("user",), "ansible_password": ("password",),
    "ansible_ssh_private_key_file": ("private_key", "private_key_path"),
}  # fmt: skip
"""A connector's keys by the variables of Ansible that mean the same."""
_SERVICES: Final = {"image_registry": T("import.no_registry_host"), "nfs": T("import.no_nfs_server")}
"""Groups of servers that are to be set up beside the cluster, and why they are not."""


class _KubeKeyInventory:
    name = "kubekey-inventory"

    def matches(self, text: str) -> Match:
        """It says so itself."""
        return Match.CERTAIN if _VERSION.search(text) else Match.NO

    def read(self, text: str) -> Imported:
        """Every document by its kind."""
        notes, nodes, settings = Notes(), list[ImportedNode](), dict[str, Setting]()
        for document in documents(text, notes):
            document.known("apiVersion", "metadata")
            kind, spec = document.text("kind"), document.below("spec")
            if kind == "Inventory":
                found, said = _inventory(spec, notes)
                nodes += found
                settings.update(said)
            elif kind == "Config":
                settings.update(_config(spec, nodes))
            document.tell_rest()
        return notes.imported(self.name, nodes, settings)


def _inventory(spec: Fields, notes: Notes) -> tuple[list[ImportedNode], dict[str, Setting]]:
    inventory = Inventory(notes)
    hosts = spec.below("hosts")
    for name in hosts.names():
        inventory.add_host("all", name, hosts.line_of(name), _variables(hosts.below(name)))
    groups = spec.below("groups")
    for name in groups.names():
        group = groups.below(name)
        if name in _SERVICES:
            if group.texts("hosts"):
                groups.remark(name, _SERVICES[name])
            continue
        for child, line in group.texts("groups"):
            inventory.group(name).children.setdefault(child, line)
        for host, line in group.texts("hosts"):
            if host in inventory.hosts or host == "localhost":
                inventory.add_host(name, host, line, {})
            else:
                notes.refuse(line, host[:60], T("import.no_such_host", role=name[:40]))
    return inventory.read()


def _variables(host: Fields) -> dict[str, Value]:
    host.known("arch", "internal_ipv6")
    connector = host.below("connector")
    connector.known("kubeconfig")
    found = {"ip": (host, host.text("internal_ipv4"), "internal_ipv4")}
    for variable, keys in _CONNECTOR.items():
        found[variable] = (connector, connector.text(*keys), keys[0])
    found["ansible_connection"] = (connector, connector.text("type"), "type")
    return {name: Value(text, fields.line_of(key)) for name, (fields, text, key) in found.items() if text}


def _config(spec: Fields, nodes: list[ImportedNode]) -> dict[str, Setting]:
    kubernetes = spec.below("kubernetes")
    endpoint = kubernetes.below("control_plane_endpoint")
    kind = endpoint.text("type")
    below = endpoint.below("kube_vip" if kind == "kube_vip" else "haproxy" if kind == "haproxy" else "local")
    below.known("image")
    if kind == "haproxy":
        endpoint.remark("type", T("import.internal_balancer"))
    address = below.text("address") if kind != "haproxy" else ""
    settings = api_settings(
        below, nodes, address=address, domain=endpoint.text("host"), port=endpoint.number("port"),
        is_vip=kind == "kube_vip",
    )  # fmt: skip
    for name in ("kube_vip", "haproxy", "local"):
        endpoint.below(name).known("image")
    cni = spec.below("cni")
    cni.known("type", "multi_cni")
    networks = {
        "kubernetes.pod_cidr": cni.text("pod_cidr").partition(",")[0],
        "kubernetes.service_cidr": cni.text("service_cidr").partition(",")[0],
    }
    return {**settings, **{path: text for path, text in networks.items() if text}}


IMPORTER: Final[Importer] = _KubeKeyInventory()
