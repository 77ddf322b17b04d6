"""Rainbond in the simulated cluster: the helm of the demo installs it, and its operator behaves as the real one."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import json
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml

from rbdtui.simulator import helm
from rbdtui.simulator.bundle import write_helm
from rbdtui.simulator.chart import chart_files
from rbdtui.simulator.control import Control
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.kubernetes.telling import is_ready
from tests.simulator.conftest import eventually
from tests.simulator.kubernetes_api import Api, bare_cluster, client_of, working

SYSTEM = "/api/v1/namespaces/rbd-system"
APPS = "/apis/apps/v1/namespaces/rbd-system"
COMPONENTS = "/apis/rainbond.io/v1alpha1/namespaces/rbd-system/rbdcomponents"
MERGE = "application/merge-patch+json"
CHAOS = "registry.cn-hangzhou.aliyuncs.com/goodrain/rbd-chaos:v6.9.3-release"
VIP = "127.77.0.100"


def values(**cluster: Any) -> dict[str, Any]:
    nodes = [{"name": f"node{n}", "internalIP": f"127.77.0.1{n}", "externalIP": f"127.77.0.1{n}"} for n in (1, 2, 3)]
    own = {
        "gatewayIngressIPs": VIP,
        "nodesForGateway": nodes,
        "nodesForChaos": [{"name": "node2"}, {"name": "node3"}],
        "replicas": 2,
        "containerdRuntimePath": "/var/run/k3s/containerd",
    }
    return {"Cluster": {**own, **cluster}}


class Demo:
    """A cluster with an API, and helm beside it."""

    def __init__(self, cluster: Cluster, api: Api, directory: Path, chart: dict[str, str] | None = None) -> None:
        self.cluster, self.api, self.directory = cluster, api, directory
        (directory / "kubeconfig").write_text(api.kubeconfig)
        with tarfile.open(directory / "rainbond.tgz", "w:gz") as archive:
            for name, text in (chart or chart_files()).items():
                member = tarfile.TarInfo(name)
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))

    async def helm(self, *words: str, status: int = 0) -> str:
        """Standard output of a command that ends well, else standard error."""
        out, errors = io.StringIO(), io.StringIO()
        more = [] if words[0] in {"version", "show"} else ["-n", "rbd-system"]
        arguments = [*words, "--kubeconfig", str(self.directory / "kubeconfig"), *more]
        with redirect_stdout(out), redirect_stderr(errors):
            ended = await asyncio.to_thread(helm.main, arguments)
        assert ended == status, errors.getvalue()
        return errors.getvalue() if ended else out.getvalue()

    async def install(self, **cluster: Any) -> str:
        (self.directory / "values.yaml").write_text(yaml.safe_dump(values(**cluster)))
        chart, given = str(self.directory / "rainbond.tgz"), str(self.directory / "values.yaml")
        return await self.helm("upgrade", "rainbond", chart, "--install", "--create-namespace", "-f", given)

    def pods(self, component: str) -> list[dict[str, Any]]:
        store = self.cluster.store
        return [
            pod
            for pod in store.listed(store.kind("", "pods"), "rbd-system")
            if pod["metadata"]["labels"].get("name") == component
        ]

    def ready(self, component: str) -> int:
        conditions = [
            {c["type"]: c["status"] for c in p.get("status", {}).get("conditions", [])} for p in self.pods(component)
        ]
        return sum(each.get("Ready") == "True" for each in conditions)

    async def become_ready(self, *components: str) -> None:
        await eventually(lambda: all(self.ready(name) for name in components))

    def moments(self) -> Iterator[tuple[str, int]]:
        """When pods were made and became ready, as versions of the store."""
        for change in self.cluster.store.changes_after(0):
            if change.kind.plural == "pods" and change.after is not None:
                name = change.after["metadata"]["labels"].get("name", "")
                yield (
                    f"{name} is {'made' if change.before is None else 'ready' if is_ready(change.after) else ''}",
                    change.version,
                )

    async def component(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.api.good("GET", f"{COMPONENTS}/{name}")
        return found


@pytest.fixture
async def still(tmp_path: Path) -> AsyncIterator[Demo]:
    """Where nothing works on what is asked for."""
    cluster = bare_cluster(SimulatedFleet(1))
    async with client_of(cluster, "node1") as api:
        yield Demo(cluster, api, tmp_path)


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Demo]:
    cluster = bare_cluster(SimulatedFleet(3, speed=100.0))
    async with client_of(cluster, "node1") as api, working(cluster):
        yield Demo(cluster, api, tmp_path)


async def test_it_comes_up_in_the_real_order_and_settles(demo: Demo) -> None:
    await demo.install()
    await demo.become_ready("rbd-app-ui", "rbd-api", "rbd-gateway", "rbd-hub", "rbd-chaos", "rbd-worker", "rbd-monitor")
    await eventually(lambda: demo.ready("rbd-gateway") == 3 and demo.ready("rbd-api") == 2)
    first_ready = dict(reversed(list(demo.moments())))
    assert first_ready["rbd-db is ready"] < first_ready["rbd-app-ui is made"]
    nodes = sorted(pod["spec"]["nodeName"] for pod in demo.pods("rbd-chaos"))
    assert nodes == ["node2", "node3"]
    config = await demo.api.good("GET", f"{SYSTEM}/configmaps/region-config")
    assert config["data"]["apiAddress"] == f"https://{VIP}:8443"
    assert set(config["binaryData"]) == {"ca.pem", "client.pem", "client.key.pem"}
    gateway = await demo.component("rbd-gateway")
    assert gateway["status"]["replicas"] == 2


async def test_the_status_of_a_component_is_a_snapshot(demo: Demo) -> None:
    await demo.install()
    await demo.become_ready("rbd-app-ui", "rbd-mq")
    await asyncio.sleep(0.1)
    await demo.api.good("DELETE", f"{APPS}/deployments/rbd-mq")
    await asyncio.sleep(0.2)
    status = (await demo.component("rbd-mq"))["status"]
    assert {c["type"]: c["status"] for c in status["conditions"]}["Ready"] == "True"
    assert (await demo.api("GET", f"{APPS}/deployments/rbd-mq"))[0] == 404
    pods = await demo.api.good("GET", f"{SYSTEM}/pods?labelSelector=control-plane%3Drainbond-operator")
    await demo.api.good("DELETE", f"{SYSTEM}/pods/{pods['items'][0]['metadata']['name']}")
    await demo.become_ready("rbd-mq")


async def test_a_silent_database_holds_up_what_needs_it(demo: Demo) -> None:
    demo.cluster.faults.database_silent = True
    await demo.install()
    await eventually(lambda: bool(demo.pods("rbd-api")) and demo.pods("rbd-api")[0]["status"]["phase"] == "Running")
    pod = demo.pods("rbd-api")[0]["metadata"]["name"]
    await eventually(lambda: bool(demo.cluster.store.logs.get(("rbd-system", pod, "rbd-api"))))
    await demo.become_ready("rbd-mq")
    log = await demo.api.good("GET", f"{SYSTEM}/pods/{pod}/log")
    assert "failed to connect to database: dial tcp rbd-db-rw:3306: connect: connection refused" in log
    assert not demo.pods("rbd-app-ui")
    waiting = {c["type"]: c for c in (await demo.component("rbd-app-ui"))["status"]["conditions"]}["Ready"]
    assert waiting["message"] == "no ready replicas for rbdcomponent rbd-db"
    demo.cluster.faults.database_silent = False
    await demo.become_ready("rbd-app-ui", "rbd-api")


async def test_an_image_that_a_node_lacks_and_a_program_that_crashes_are_told(demo: Demo) -> None:
    demo.cluster.network.machines[1].images.pop(CHAOS)
    demo.cluster.faults.crashing["rbd-mq"] = "panic: out of luck"
    await demo.install()

    def state(component: str, node: str = "") -> dict[str, Any]:
        for pod in demo.pods(component):
            if node in ("", pod["spec"].get("nodeName")):
                for each in pod.get("status", {}).get("containerStatuses", []):
                    return dict(each["state"].get("waiting", {}))
        return {}

    await eventually(lambda: state("rbd-chaos", "node2").get("reason") == "ImagePullBackOff")
    await eventually(lambda: state("rbd-mq").get("reason") == "CrashLoopBackOff")
    pod = demo.pods("rbd-mq")[0]["metadata"]["name"]
    assert "panic: out of luck" in await demo.api.good("GET", f"{SYSTEM}/pods/{pod}/log")
    events = await demo.api.good("GET", f"{SYSTEM}/events?fieldSelector=involvedObject.name%3D{pod},type%3DWarning")
    assert {item["reason"] for item in events["items"]} == {"BackOff"}
    demo.cluster.network.machines[1].images[CHAOS] = "sha256:1"
    demo.cluster.faults.crashing.clear()
    await demo.become_ready("rbd-mq", "rbd-chaos")


async def test_releases_are_kept_and_told_as_helm_does(still: Demo) -> None:
    assert "v3.15" in await still.helm("version", "--short")
    assert "Error: release: not found" in await still.helm("status", "rainbond", status=1)
    assert "STATUS: deployed" in await still.install()
    await still.install(replicas=1)
    listed = json.loads(await still.helm("list", "-o", "json"))
    assert [(each["name"], each["revision"], each["status"], each["chart"]) for each in listed] == [
        ("rainbond", "2", "deployed", "rainbond-6.9.3")
    ]
    rows = json.loads(await still.helm("history", "rainbond", "-o", "json"))
    assert [(row["revision"], row["status"]) for row in rows] == [(1, "superseded"), (2, "deployed")]
    assert json.loads(await still.helm("get", "values", "rainbond", "-o", "json"))["Cluster"]["replicas"] == 1
    assert (await still.component("rbd-api"))["spec"]["replicas"] == 1
    secrets = await still.api.good("GET", f"{SYSTEM}/secrets?labelSelector=owner%3Dhelm")
    assert [item["metadata"]["name"] for item in secrets["items"]] == [
        "sh.helm.release.v1.rainbond.v1",
        "sh.helm.release.v1.rainbond.v2",
    ]
    await still.helm("rollback", "rainbond")
    assert (await still.component("rbd-api"))["spec"]["replicas"] == 2
    await still.helm("uninstall", "rainbond")
    assert (await still.api.good("GET", f"{SYSTEM}/secrets?labelSelector=owner%3Dhelm"))["items"] == []
    assert (await still.api.good("GET", COMPONENTS))["items"] == []


async def test_an_upgrade_leaves_alone_what_was_changed_by_hand_and_does_not_run_twice_at_once(still: Demo) -> None:
    await still.install()
    path = COMPONENTS.replace("rbdcomponents", "rainbondclusters/rainbondcluster")
    await still.api.good("PATCH", path, {"spec": {"installMode": "Offline"}}, content_type=MERGE)
    await still.install(replicas=1)
    assert (await still.api.good("GET", path))["spec"]["installMode"] == "Offline"
    secret = f"{SYSTEM}/secrets/sh.helm.release.v1.rainbond.v2"
    kept = (await still.api.good("GET", secret))["data"]["release"]
    release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(kept))))
    release["info"]["status"] = "pending-upgrade"
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    patch = {"data": {"release": base64.b64encode(packed).decode()}}
    await still.api.good("PATCH", secret, patch, content_type=MERGE)
    chart = str(still.directory / "rainbond.tgz")
    words = await still.helm("upgrade", "rainbond", chart, "--install", status=1)
    assert words == "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress\n"


async def test_the_bundles_helm_is_a_program_of_this_machine(still: Demo) -> None:
    write_helm(still.directory)
    (program,) = still.directory.glob("helm-*")
    assert program.read_bytes()[:4] == b"\x7fELF"
    kubeconfig = str(still.directory / "kubeconfig")
    arguments = ("list", "-n", "rbd-system", "-o", "json", "--kubeconfig", kubeconfig)
    running = await asyncio.create_subprocess_exec(program, *arguments, stdout=-1, stderr=-1, env={}, cwd="/")
    assert await running.communicate() == (b"[]\n", b"")


async def test_the_demos_faults_of_rainbond_begin_and_end_by_name() -> None:
    fleet = SimulatedFleet(2)
    control = Control(fleet)
    refused = await control.obey(b'{"do": "silence_database", "node": "node1"}')
    assert refused == {"ok": False, "error": "ValueError: node1 is in no cluster yet"}
    cluster = bare_cluster(fleet)
    before = dict(fleet.machines["node2"].images)
    for fault in ("crash_component", "lose_image", "silence_database"):
        assert await control.obey(json.dumps({"do": fault, "node": "node2"}).encode()) == {"ok": True}
    assert (list(cluster.faults.crashing), cluster.faults.database_silent) == (["rbd-worker"], True)
    assert [name for name in before if name not in fleet.machines["node2"].images] == [CHAOS]
    assert fleet.machines["node1"].has_image(CHAOS)
    assert await control.obey(b'{"do": "heal_rainbond", "node": "node1"}') == {"ok": True}
    assert (cluster.faults.crashing, cluster.faults.database_silent) == ({}, False)
    assert fleet.machines["node2"].images == before
