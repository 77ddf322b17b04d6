"""Servers with a network of their own: the address for it is taken over from every format that has one."""

from __future__ import annotations

from typing import Any

import pytest

from rbdtui.importers import recognised
from rbdtui.workbench.pasting.adding import add_pasted
from rbdtui.workbench.pasting.reading import take

KUBEKEY = """\
apiVersion: kubekey.kubesphere.io/v1alpha2
kind: Cluster
spec:
  hosts:
  - {name: node1, address: 192.168.9.1, internalAddress: INSIDE}
  roleGroups: {etcd: [node1], control-plane: [node1], worker: [node1]}
"""
RKE1 = """\
nodes:
- {address: 192.168.9.1, hostname_override: node1, internal_address: INSIDE, user: root, role: [controlplane, etcd]}
"""
ROI = """\
hosts:
- {name: node1, address: 192.168.9.1, internalAddress: INSIDE, user: root}
roleGroups: {etcd: [node1], master: [node1], worker: [node1], rbd-gateway: [node1], rbd-chaos: [node1]}
"""
KUBESPRAY = """\
node1 ansible_host=192.168.9.1 ip=INSIDE
[kube_control_plane]
node1
[etcd]
node1
"""


@pytest.mark.parametrize("text", [KUBEKEY, RKE1, ROI, KUBESPRAY], ids=["kubekey", "rke1", "roi", "kubespray"])
@pytest.mark.parametrize(
    ("inside", "taken"), [("10.0.0.1", "10.0.0.1"), ("192.168.9.1", None), ("fe80::1", None)], ids=str
)
def test_the_address_inside_comes_over_where_it_is_another(text: str, inside: str, taken: str | None) -> None:
    text = text.replace("INSIDE", inside)
    importer = recognised(text)
    assert importer is not None
    pasted = take(importer.read(text), {"nodes": []}, updating=True)
    data: dict[str, Any] = {"nodes": []}
    add_pasted(data, pasted)
    (node,) = data["nodes"]
    assert (node["address"], node.get("internal_address")) == ("192.168.9.1", taken)
    assert bool(pasted.remarks) == (inside == "fe80::1")
