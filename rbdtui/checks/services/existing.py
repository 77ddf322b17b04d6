"""A cluster that is there already: that its kubeconfig works from here, may do everything, and that it fits the plan.

What Rainbond needs of it: goodrain/rainbond-docs, installation/install-with-helm (Kubernetes 1.24, containerd); the
operator's role is cluster-admin (goodrain/rainbond-chart@v6.2.1-release, templates).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rbdtui.checks.services.asking import THIS_MACHINE, Asking
from rbdtui.checks.services.existing_findings import ClusterAnswer, NodeSeen, judge_cluster
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding
from rbdtui.kube.access import ClusterAccess, read_access
from rbdtui.kube.kubeconfig import KubeconfigError
from rbdtui.kube.session import (
    Json,
    KubeCertificateError,
    KubeError,
    KubeSession,
    KubeSilentError,
    load_client,
    open_session,
)
from rbdtui.rainbond.workloads import CLUSTER_PATH, NAMESPACE, OPERATOR, is_ready
from rbdtui.spec.model import ClusterSpec
from rbdtui.together import together
from rbdtui.transport.answers import UNREADABLE

FIELD: Final = "kubernetes.kubeconfig"
_ANSWER_S: Final = 10.0
_MAY_ALL: Final = {
    "apiVersion": "authorization.k8s.io/v1",
    "kind": "SelfSubjectAccessReview",
    "spec": {"resourceAttributes": {"verb": "*", "group": "*", "resource": "*"}},
}
_DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"
_LEFTOVERS: Final = (
    (f"Namespace {NAMESPACE}", f"/api/v1/namespaces/{NAMESPACE}"),
    (
        "CustomResourceDefinition rbdcomponents.rainbond.io",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rbdcomponents.rainbond.io",
    ),
    (
        f"ClusterRoleBinding {OPERATOR}",
        f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{OPERATOR}",
    ),
)


@dataclass(frozen=True, slots=True)
class ClusterQuestion:
    """The kubeconfig, and the nodes whose ports are looked at."""

    file: str
    nodes: tuple[str, ...]


class ExistingClusterCheck:
    """The cluster of the kubeconfig can take Rainbond."""

    name = "existing-cluster"
    field = FIELD
    logs_in = True

    def question(self, spec: ClusterSpec) -> ClusterQuestion | None:
        """The kubeconfig, where the cluster is there already."""
        if not spec.is_existing or spec.kubernetes.kubeconfig is None:
            return None
        return ClusterQuestion(spec.kubernetes.kubeconfig, tuple(node.name for node in spec.gateways))

    def hosts(self, spec: ClusterSpec) -> Sequence[str]:
        """Only from here: nobody logs in to its servers."""
        return [THIS_MACHINE]

    async def ask(self, question: ClusterQuestion, asking: Asking) -> ClusterAnswer:
        """Read the file, and ask the API what it is and has; changes nothing."""
        try:
            access = await asyncio.to_thread(_access, question.file)
        except (KubeconfigError, RuntimeError) as error:
            return ClusterAnswer(bad_file=str(error))
        await load_client()
        try:
            return await _look(question, access)
        except KubeCertificateError as error:
            return ClusterAnswer(server=access.url, certificate=error.fault, silence=error.message)
        except KubeSilentError as error:
            return ClusterAnswer(server=access.url, silence=str(error))
        except KubeError as error:
            return ClusterAnswer(server=access.url, refusal=str(error))
        except UNREADABLE as error:
            return ClusterAnswer(server=access.url, silence=f"{type(error).__name__}: {error}")

    def judge(
        self, question: ClusterQuestion, answers: Mapping[str, ClusterAnswer], view: ClusterView
    ) -> Iterator[Finding]:
        """All that does not fit the plan, or the one reason why nothing could be asked."""
        yield from judge_cluster(answers[THIS_MACHINE], question.file, view)


CHECK: Final = ExistingClusterCheck()


def _access(written: str) -> ClusterAccess:
    return read_access(Path(written).expanduser())


async def _look(question: ClusterQuestion, access: ClusterAccess) -> ClusterAnswer:
    async with open_session(
        access.address, access.port, server_name=access.address, credentials=access.credentials, answer_s=_ANSWER_S
    ) as kube:
        review = await kube.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", _MAY_ALL)
        version, nodes, classes = await together(
            kube.get("/version"), kube.get("/api/v1/nodes"), kube.get("/apis/storage.k8s.io/v1/storageclasses")
        )
        found = await together(*(kube.find(path) for _, path in _LEFTOVERS))
        own = await kube.find(CLUSTER_PATH)
        taken = [port for node in question.nodes for port in await _ports_of_pods(kube, node)]
    return ClusterAnswer(
        server=access.url,
        may_all=bool(review["status"]["allowed"]),
        version=str(version["gitVersion"]),
        nodes=tuple(_node(item) for item in nodes["items"]),
        classes=tuple(str(item["metadata"]["name"]) for item in classes["items"]),
        default_classes=tuple(str(item["metadata"]["name"]) for item in classes["items"] if _is_default(item)),
        leftovers=tuple(name for (name, _), item in zip(_LEFTOVERS, found, strict=True) if item is not None),
        taken=tuple(taken),
        rainbond=str(((own or {}).get("spec") or {}).get("installVersion", "")),
    )


def _node(item: Json) -> NodeSeen:
    status = item["status"]
    addresses = {entry["type"]: entry["address"] for entry in status.get("addresses", ())}
    return NodeSeen(
        name=str(item["metadata"]["name"]),
        hostname=str(item["metadata"].get("labels", {}).get("kubernetes.io/hostname", "")),
        address=str(addresses.get("InternalIP", "")),
        is_ready=is_ready(item),
        runtime=str(status.get("nodeInfo", {}).get("containerRuntimeVersion", "")),
    )


def _is_default(item: Json) -> bool:
    annotations = item["metadata"].get("annotations") or {}
    return annotations.get(_DEFAULT_CLASS) == "true"


async def _ports_of_pods(kube: KubeSession, node: str) -> list[tuple[str, int, str]]:
    """Ports of the host that pods on a node hold, Rainbond's own left out."""
    listed = await kube.get(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{node}")
    return [
        (node, port, f"{pod['metadata']['namespace']}/{pod['metadata']['name']}")
        for pod in listed["items"]
        if pod["metadata"]["namespace"] != NAMESPACE
        for port in _host_ports(pod["spec"])
    ]


def _host_ports(spec: dict[str, Any]) -> Iterator[int]:
    for container in spec["containers"]:
        for port in container.get("ports", ()):
            number = port.get("hostPort") or (port["containerPort"] if spec.get("hostNetwork") else None)
            if number is not None and port.get("protocol", "TCP") == "TCP":
                yield int(number)
