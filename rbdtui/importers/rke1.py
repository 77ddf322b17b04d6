"""RKE1's ``cluster.yml``, with which Rainbond 5.17 was installed: nodes with roles, the bastion, the networks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rbdtui.importers.hosts_of import bastion_at, node_at
from rbdtui.importers.imported import Imported, ImportedBastion, ImportedNode, Notes, Setting
from rbdtui.importers.importer import Importer, Match
from rbdtui.importers.yaml_fields import Fields, documents
from rbdtui.roles import Role
from rbdtui.words import T

_NODES: Final = re.compile(r"^nodes:[ \t]*(?:#.*)?\r?$", re.MULTILINE)
_ROLE: Final = re.compile(r"\bcontrolplane\b")
ROLES: Final[Mapping[str, Role]] = {
    "controlplane": Role.CONTROL_PLANE,
    "etcd": Role.ETCD,
    "worker": Role.WORKER,
}


class _Rke1:
    name = "rke1"

    def matches(self, text: str) -> Match:
        """Nodes at the top, with RKE1's own name for a role."""
        return Match.CERTAIN if _NODES.search(text) and _ROLE.search(text) else Match.NO

    def read(self, text: str) -> Imported:
        """Nodes, the bastion of all of them, networks; the rest is RKE1's own."""
        notes, nodes, settings = Notes(), list[ImportedNode](), dict[str, Setting]()
        for document in documents(text, notes):
            document.known("cluster_name", "ignore_docker_version", "addon_job_timeout", "ssh_agent_auth")
            bastions = _bastion(document.below("bastion_host"), notes)
            key = document.text("ssh_key_path")
            found = [_node(node, key, bastions, notes) for node in document.items("nodes")]
            nodes += [node for node in found if node is not None]
            settings.update(_networks(document.below("services")))
            document.tell_rest()
        return notes.imported(self.name, nodes, settings)


def _node(fields: Fields, key: str, bastions: tuple[ImportedBastion, ...], notes: Notes) -> ImportedNode | None:
    fields.explain("ssh_key", T("import.key_in_file"))
    fields.known("docker_socket", "ssh_cert", "ssh_cert_path")
    address, internal = fields.text("address"), fields.text("internal_address")
    roles: list[str] = []
    for text, line in fields.texts("role"):
        if text in ROLES:
            roles.append(ROLES[text].value)
        else:
            notes.remark(line, fields.path, T("paste.no_role", role=text[:40], known=", ".join(ROLES)))
    name = fields.text("hostname_override")
    return node_at(
        notes, fields.line, name=name, address=address or internal, internal=internal, user=fields.text("user"),
        port=fields.number("port"), key=fields.text("ssh_key_path") or key, bastions=bastions, roles=tuple(roles),
        labels=fields.below("labels").pairs(), taints=_taints(fields),
    )  # fmt: skip


def _taints(fields: Fields) -> list[str]:
    taints = ((one.text("key"), one.text("value"), one.text("effect")) for one in fields.items("taints"))
    return [f"{key}={value}:{effect}" if value else f"{key}:{effect}" for key, value, effect in taints]


def _bastion(fields: Fields, notes: Notes) -> tuple[ImportedBastion, ...]:
    fields.explain("ssh_key", T("import.key_in_file"))
    address, user, port, key = (
        fields.text("address"), fields.text("user"), fields.number("port"), fields.text("ssh_key_path")
    )  # fmt: skip
    return bastion_at(notes, fields.line, address=address, user=user, port=port, key=key) if address else ()


def _networks(services: Fields) -> dict[str, Setting]:
    controller, api = services.below("kube-controller"), services.below("kube-api")
    pods = controller.text("cluster_cidr")
    service = api.text("service_cluster_ip_range") or controller.text("service_cluster_ip_range")
    controller.known("service_cluster_ip_range")
    networks = {"kubernetes.pod_cidr": pods, "kubernetes.service_cidr": service}
    return {path: text for path, text in networks.items() if text}


IMPORTER: Final[Importer] = _Rke1()
