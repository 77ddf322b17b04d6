"""Rainbond 5.17 in the simulated cluster: what its parts wait for, in which order, and with which words."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rbdtui.simulator import chart_old
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.simulator.rainbond.stages import STAGES
from tests.simulator.conftest import eventually
from tests.simulator.kubernetes_api import bare_cluster, client_of, working
from tests.simulator.test_rainbond import COMPONENTS, SYSTEM, Demo, values

PACKAGE = COMPONENTS.replace("rbdcomponents", "rainbondpackages/rainbondpackage")
CLUSTER = COMPONENTS.replace("rbdcomponents", "rainbondclusters/rainbondcluster")
WAITS = "failed to check prerequisites"


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Demo]:
    cluster = bare_cluster(SimulatedFleet(3, speed=100.0))
    for machine in cluster.network.machines:
        machine.images = dict.fromkeys(chart_old.images(), "sha256:1")
        machine.files.put("/run/k3s/containerd/containerd.sock", b"")
    async with client_of(cluster, "node1") as api, working(cluster):
        yield Demo(cluster, api, tmp_path, chart_old.chart_files())


async def install(demo: Demo, *, containerd: bool = True, **cluster: Any) -> None:
    tree = values(enableEnvCheck=False, **cluster) | {"useK3sContainerd": containerd}
    tree["Cluster"].pop("containerdRuntimePath")
    (demo.directory / "values.yaml").write_text(yaml.safe_dump(tree))
    chart, given = str(demo.directory / "rainbond.tgz"), str(demo.directory / "values.yaml")
    await demo.helm("upgrade", "rainbond", chart, "--install", "--create-namespace", "-f", given)


def said(demo: Demo, component: str) -> list[str]:
    """Why a component waited, as its events tell."""
    store = demo.cluster.store
    events = store.listed(store.kind("", "events"), "rbd-system")
    return [each["message"] for each in events if each["involvedObject"]["name"] == component]


async def stages(demo: Demo) -> dict[str, str]:
    found = await demo.api.good("GET", PACKAGE)
    return {each["type"]: each["status"] for each in found.get("status", {}).get("conditions", [])}


async def test_built_in_it_waits_for_its_stages_in_their_order(demo: Demo) -> None:
    await install(demo)
    await demo.become_ready("rbd-api", "rbd-app-ui", "rbd-chaos", "rbd-node", "rbd-eventlog")
    assert "etcd not available: no ready replicas for rbdcomponent rbd-etcd" in said(demo, "rbd-gateway")
    assert "storage class not ready" in said(demo, "rbd-hub")
    assert WAITS in said(demo, "rbd-api")
    assert await stages(demo) == dict.fromkeys(STAGES, "Completed")
    at = dict(reversed(list(demo.moments())))
    assert at["nfs-provisioner is ready"] < at["rbd-etcd is made"] < at["rbd-gateway is made"] < at["rbd-api is made"]
    assert at["rbd-app-ui-migrations is made"] < at["rbd-app-ui is made"]
    own = await demo.api.good("GET", CLUSTER)
    assert own["spec"]["imageHub"]["password"] != "admin1234", "it is another one in each installation"
    assert own["spec"]["suffixHTTPHost"] == "127.77.0.100.nip.io"


async def test_without_rke2s_containerd_most_of_it_waits_for_ever(demo: Demo) -> None:
    for machine in demo.cluster.network.machines:
        machine.files.mkdir("/run")
    await install(demo, containerd=False)
    await demo.become_ready("rbd-gateway", "rbd-hub")

    def is_told() -> bool:
        kind = demo.cluster.store.kind("rainbond.io", "rainbondpackages")
        found = demo.cluster.store.get(kind, "rbd-system", "rainbondpackage")
        reached = {each["type"]: each["status"] for each in found.get("status", {}).get("conditions", [])}
        return reached.get("PushImage") == "Failed"

    await eventually(is_told)
    assert demo.pods("rbd-api") == []
    assert said(demo, "rbd-api") == [WAITS]


async def test_an_etcd_that_is_there_needs_its_secret_before_the_gateway(demo: Demo) -> None:
    await install(demo, etcd={"enable": True, "endpoints": ["127.77.0.11:2379"], "secretName": "rbd-etcd-secret"})
    words = 'failed to get etcd secret: secrets "rbd-etcd-secret" not found'
    await eventually(lambda: words in said(demo, "rbd-gateway"))
    assert demo.pods("rbd-gateway") == []
    data = {key: base64.b64encode(b"pem").decode() for key in ("ca-file", "cert-file", "key-file")}
    await demo.api.good("POST", f"{SYSTEM}/secrets", {"metadata": {"name": "rbd-etcd-secret"}, "data": data})
    await demo.become_ready("rbd-gateway")
    assert demo.pods("rbd-etcd") == []
