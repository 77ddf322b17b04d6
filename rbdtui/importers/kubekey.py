"""KubeKey 1 to 3: ``Cluster`` of v1alpha1 and v1alpha2, with hosts, roleGroups, controlPlaneEndpoint and network."""

from __future__ import annotations

import re
from typing import Final

from rbdtui.importers.endpoint import api_settings
from rbdtui.importers.groups import members, with_roles
from rbdtui.importers.hosts_of import node_at
from rbdtui.importers.imported import Imported, ImportedNode, Notes, Setting
from rbdtui.importers.importer import Importer, Match
from rbdtui.importers.yaml_fields import Fields, documents
from rbdtui.roles import Role
from rbdtui.words import T

GROUP: Final = "kubekey.kubesphere.io"
_VERSION: Final = re.compile(r"^apiVersion:[ \t]*[\"']?kubekey\.kubesphere\.io/v1alpha[12]\b", re.MULTILINE)


class _KubeKey:
    name = "kubekey"

    def matches(self, text: str) -> Match:
        """It says so itself."""
        return Match.CERTAIN if _VERSION.search(text) else Match.NO

    def read(self, text: str) -> Imported:
        """Of several documents those that are a cluster."""
        notes, nodes, settings = Notes(), list[ImportedNode](), dict[str, Setting]()
        for document in documents(text, notes):
            document.known("apiVersion", "kind", "metadata")
            spec = document.below("spec")
            found = _nodes(spec, notes)
            settings.update(_settings(spec, found))
            document.tell_rest()
            nodes += found
        return notes.imported(self.name, nodes, settings)


def _nodes(spec: Fields, notes: Notes) -> list[ImportedNode]:
    found = [node for host in spec.items("hosts") if (node := _node(host, notes)) is not None]
    groups = spec.below("roleGroups")
    groups.explain("registry", T("import.no_registry_host"))
    masters = [*members(groups, "master"), *members(groups, "control-plane")]
    etcd = spec.below("etcd")
    members_of_etcd = members(groups, "etcd")
    if etcd.text("type") == "external":
        etcd.remark("type", T("import.external_etcd"))
    roles = {Role.CONTROL_PLANE: masters, Role.ETCD: members_of_etcd, Role.WORKER: members(groups, "worker")}
    return with_roles(found, roles, notes)


def _node(host: Fields, notes: Notes) -> ImportedNode | None:
    host.known("arch", "timeout", "id")
    host.explain("privateKey", T("import.key_in_file"))
    address, internal = host.text("address"), host.text("internalAddress").partition(",")[0]
    return node_at(
        notes, host.line, name=host.text("name"), address=address or internal, internal=internal,
        user=host.text("user"), port=host.number("port"), key=host.text("privateKeyPath"),
        password=host.text("password"),
        labels=host.below("labels").pairs(),
    )  # fmt: skip


def _settings(spec: Fields, nodes: list[ImportedNode]) -> dict[str, Setting]:
    endpoint = spec.below("controlPlaneEndpoint")
    endpoint.known("externalDNS")
    internal = endpoint.text("internalLoadbalancer")
    settings = api_settings(
        endpoint, nodes, address=endpoint.text("address"), domain=endpoint.text("domain"), port=endpoint.number("port"),
        is_vip=internal == "kube-vip",
    )  # fmt: skip
    if internal == "haproxy":
        endpoint.remark("internalLoadbalancer", T("import.internal_balancer"))
    spec.below("kubernetes").known("clusterName", "autoRenewCerts", "containerManager")
    network = spec.below("network")
    networks = {
        "kubernetes.pod_cidr": network.text("kubePodsCIDR", "podNetworkCidr"),
        "kubernetes.service_cidr": network.text("kubeServiceCIDR", "serviceNetworkCidr"),
    }
    return {**settings, **{path: text for path, text in networks.items() if text}}


IMPORTER: Final[Importer] = _KubeKey()
