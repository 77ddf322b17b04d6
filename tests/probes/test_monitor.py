"""The whole monitor against a cluster of loopback servers behind stand-in hosts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from rbdtui.probes.hysteresis import Hysteresis
from rbdtui.probes.model import Health, HealthEvent, HealthSnapshot, ProbeState
from rbdtui.probes.monitor import HealthMonitor, watch_gateway
from rbdtui.probes.routes import Limits
from rbdtui.probes.settings import Cadence, Settings, Thresholds
from rbdtui.profiles import RAINBOND_6, Reach
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.base import ConnectTimeoutError, LoginRefusedError
from tests.probes import targets
from tests.probes.namespace import Namespace
from tests.probes.standin import Network, StandIn, health_output, spec_of
from tests.probes.targets import Authority, serve
from tests.probes.test_cluster import api_answers, node
from tests.probes.test_etcd import METRICS, script_answer
from tests.probes.test_verdict import schema
from tests.waiting import LIMIT_S

VIP = "198.51.100.50"
NODES = {f"node{n}": f"198.51.100.1{n}" for n in range(1, 5)}
QUICK = Settings(
    cadence=Cadence(
        certificates_s=0.05,
        services_s=0.05,
        host_s=0.05,
        vip_s=0.05,
        api_s=0.05,
        etcd_s=0.05,
        cluster_s=0.05,
        gateway_s=0.05,
    ),
    limits=Limits(connect_s=2.0, answer_s=5.0, script_s=10.0),
    thresholds=Thresholds(certificate_warn_days=0),
)
"""The authority of the tests gives certificates for an hour."""
RAINBOND = (200, json.dumps({"items": [{"metadata": {"name": "rbd-gateway"}}]}).encode())


@dataclass
class Scene:
    """A cluster as it looks from stand-in hosts; tests change it while a monitor watches."""

    network: Network
    hosts: dict[str, StandIn]
    kubeconfig: Path
    namespace: Namespace
    """What the API has of Rainbond."""
    holder: str = "node1"
    ports: dict[int, int] = field(default_factory=dict)
    """Gateway port to the port of ours that plays it."""

    def health(self, name: str) -> str:
        return health_output(NODES[name], *([VIP] if name == self.holder else []))

    def open_gateway(self, *addresses: str) -> None:
        for port, real in self.ports.items():
            for address in addresses:
                self.network[(address, port)] = real

    def monitor(self, settings: Settings = QUICK, **more: Any) -> HealthMonitor:
        return HealthMonitor(spec_of(), self.hosts, self.kubeconfig, settings=settings, straight=False, **more)


@asynccontextmanager
async def scene(authority: Authority, tmp_path: Path, *, rainbond: bool = False) -> AsyncIterator[Scene]:
    """Four healthy nodes with Kubernetes; with Rainbond, its gateway answers on both gateways and the VIP."""
    async with AsyncExitStack() as stack:
        nodes = [node(name, address) for name, address in NODES.items()]
        namespace = Namespace()
        answers = api_answers(*nodes, components=RAINBOND if rainbond else (404, b"{}"), more=namespace.answers)
        api = await stack.enter_async_context(serve(answers, authority.server(VIP, *NODES.values())))
        leader = targets.http({"/health": (200, b'{"health":"true"}'), "/metrics": (200, METRICS.encode())})
        follower_metrics = METRICS.replace("is_leader 1", "is_leader 0").encode()
        follower = targets.http({"/health": (200, b'{"health":"true"}'), "/metrics": (200, follower_metrics)})
        etcd_leader = await stack.enter_async_context(serve(leader))
        etcd_follower = await stack.enter_async_context(serve(follower))
        shared: Network = {(address, 6443): api for address in ("127.0.0.1", VIP, *list(NODES.values())[:3])}
        hosts = {name: StandIn(name) for name in NODES}
        built = Scene(shared, hosts, authority.kubeconfig(tmp_path / "kubeconfig"), namespace)
        for name, host in hosts.items():
            host.network = shared
            host.scripts["health"] = lambda name=name: built.health(name)  # type: ignore[misc]
        for name, port in (("node1", etcd_leader), ("node2", etcd_follower), ("node3", etcd_follower)):
            hosts[name].network = ChainedNetwork(shared, {("127.0.0.1", 2381): port})
            hosts[name].scripts["etcd-snapshot-ages"] = lambda: "data 90000\n3000 5152 etcd-snapshot-node-1790000000\n"
        for port, handler, tls in (
            (80, targets.http(404), None),
            (443, targets.http({"/v2/": (401, b"{}")}), authority.server("goodrain.me")),
            (6060, targets.http(400), None),
            (7070, targets.http({"/console/config/info": (200, b"{}")}), None),
            (8443, targets.accept_and_hang, authority.server(VIP, mutual=True)),
        ):
            built.ports[port] = await stack.enter_async_context(serve(handler, tls))
        if rainbond:
            built.open_gateway(VIP, NODES["node1"], NODES["node2"])
        yield built


class ChainedNetwork(dict):  # type: ignore[type-arg]
    """A host's own loopback in front of the network that all hosts share."""

    def __init__(self, shared: Network, own: Network) -> None:
        super().__init__(own)
        self._shared = shared

    def get(self, key: object, default: object = None) -> object:
        return super().get(key, self._shared.get(key, default))  # type: ignore[call-overload]

    def __missing__(self, key: tuple[str, int]) -> object:
        return self._shared[key]


def states(snapshot: HealthSnapshot) -> dict[str, str]:
    return {status.key.id: status.state.value for status in snapshot.probes if not status.state.good}


async def test_during_a_first_installation_nothing_is_missed_that_it_brings(
    authority: Authority, tmp_path: Path
) -> None:
    async with scene(authority, tmp_path) as cluster:
        kubeconfig, cluster.kubeconfig = cluster.kubeconfig, tmp_path / "not-written-yet"
        cluster.network.clear()
        missed = await cluster.monitor().once()
        snapshot = await cluster.monitor(installing=lambda: True).once()
        assert missed.health is Health.DOWN
        assert states(snapshot) == {}
        assert (snapshot.health, snapshot.headline.key) == (Health.UNKNOWN, "probe.verdict.arriving")
        cluster.kubeconfig = kubeconfig
        again = await cluster.monitor(installing=lambda: True).once()
        assert again.health is Health.DOWN, "a cluster that was there once is missed, whatever runs"


async def test_what_was_there_once_is_missed_also_during_an_installation(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        cluster.kubeconfig = tmp_path / "not-written-yet"
        monitor = cluster.monitor(installing=lambda: True)
        assert states(await monitor.once()) == {}
        cluster.network.clear()
        for _ in range(5):
            snapshot = await monitor.once()
        assert {states(snapshot).get(f"api@{place}") for place in ("VIP", "node1")} == {"down"}, states(snapshot)


async def test_healthy_kubernetes_before_rainbond(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        snapshot = await cluster.monitor().once()
    assert states(snapshot) == {}
    assert snapshot.health is Health.OK
    assert snapshot.by_id["gateway-443@VIP"].state is ProbeState.EXPECTED
    assert "Nothing installed yet" in str(snapshot.by_id["gateway-443@VIP"].detail)
    assert str(snapshot.by_id["vip-holder"].detail) == f"{VIP} is on node1."
    assert str(snapshot.by_id["etcd-quorum"].detail) == "3 of 3 members healthy, leader node1, 24 MB."
    ports = RAINBOND_6.ports(Reach.USERS)
    assert (
        len(snapshot.by_id)
        == len(snapshot.probes)
        == 8 * 4 + 1 + 2 + 4 + 3 + 1 + 3 * len(ports) + 2 + len(cluster.namespace.parts) + 1 + 3
    )
    schema().validate(json.loads(json.dumps(snapshot.to_json())))


async def test_healthy_rainbond(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path, rainbond=True) as cluster:
        snapshot = await cluster.monitor().once()
    assert states(snapshot) == {}
    open_ports = [s for s in snapshot.probes if s.key.kind.value == "gateway"]
    assert {s.state for s in open_ports} == {ProbeState.OK}
    assert all(s.latency_ms is not None for s in open_ports)


async def test_closed_gateway_port_is_down_once_rainbond_is_there(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path, rainbond=True) as cluster:
        del cluster.network[(NODES["node2"], 7070)]
        snapshot = await cluster.monitor().once()
    assert states(snapshot) == {"gateway-7070@node2": "down"}
    assert snapshot.health is Health.DEGRADED


async def test_member_that_nobody_planned(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        cluster.hosts["node1"].scripts["etcd-members"] = lambda: script_answer(members=4)
        monitor = cluster.monitor()
        snapshot = await monitor.once()
        assert str(snapshot.by_id["etcd-quorum"].detail) == "etcd has 4 members, the plan says 3."
        assert states(snapshot) == {"etcd-quorum": "degraded"}
        await monitor.once()
        assert cluster.hosts["node1"].calls["etcd-members"] == 1


async def test_split_brain(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        for name in ("node1", "node2"):
            cluster.hosts[name].scripts["health"] = lambda name=name: health_output(NODES[name], VIP)  # type: ignore[misc]
        snapshot = await cluster.monitor().once()
    assert states(snapshot) == {"vip-holder": "down"}


async def test_lost_address_is_down_though_every_server_is_well(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        del cluster.network[(VIP, 6443)]
        cluster.holder = ""
        snapshot = await cluster.monitor().once()
    assert snapshot.health is Health.DOWN
    assert states(snapshot) == {"api@VIP": "down", "vip-holder": "down"}
    assert "checked from node" in str(snapshot.by_id["node@node1"].detail)


async def test_dead_node(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        cluster.hosts["node3"].broken = ConnectTimeoutError("node3")
        del cluster.network[(NODES["node3"], 6443)]
        snapshot = await cluster.monitor().once()
    assert states(snapshot) == {
        "ssh@node3": "down",
        "disk@node3": "unknown",
        "rke2@node3": "unknown",
        "clock@node3": "unknown",
        "names@node3": "unknown",
        "certificate@node3": "unknown",
        "snapshot@node3": "unknown",
        "restart@node3": "unknown",
        "etcd@node3": "unknown",
        "api@node3": "down",
        "etcd-quorum": "degraded",
    }
    assert snapshot.health is Health.DEGRADED


async def test_a_server_that_is_still_starting_is_not_healthy(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        starting = health_output(NODES["node2"], rke2="loaded activating start")
        cluster.hosts["node2"].scripts["health"] = lambda: starting
        snapshot = await cluster.monitor().once()
    assert states(snapshot) == {"rke2@node2": "degraded"}
    assert snapshot.health is Health.DEGRADED
    assert "still starting" in str(snapshot.by_id["rke2@node2"].detail)


async def test_the_first_server_with_an_api_server_stands_for_the_cluster() -> None:
    nodes = [("n1", ["etcd"]), ("n2", ["control-plane"]), ("n3", ["worker"])]
    spec = ClusterSpec.model_validate(
        {
            "apiVersion": "rbdtui/v1", "name": "s", "profile": "kubernetes-only", "bundle": "b",
            "kubernetes": {"api": {"mode": "first-server"}}, "gateway": {"mode": "none"},
            "nodes": [{"name": n, "address": f"198.51.100.{20 + i}", "roles": r} for i, (n, r) in enumerate(nodes)],
        }
    )  # fmt: skip
    asked = {status.key.id for status in HealthMonitor(spec, {}).snapshot().probes}
    assert {name for name in asked if name.startswith("api")} == {"api@n2"}
    assert {name for name in asked if name.startswith("etcd")} == {"etcd@n1", "etcd-quorum"}


async def test_nothing_answers(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        for host in cluster.hosts.values():
            host.broken = LoginRefusedError(host.name)
        snapshot = await cluster.monitor().once()
    assert snapshot.health is Health.UNKNOWN
    assert set(states(snapshot).values()) == {"down", "unknown"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("client-certificate-data", "x-client-certificate-data", "x-client-certificate-data"),
        ('"user": {', '"user": {"exec": {"command": "sh"}, ', "exec"),
        ('"server":', '"insecure-skip-tls-verify": true, "server":', "insecure-skip-tls-verify"),
        ("{", "[" * 1000, "not the shape of a kubeconfig"),
    ],
    ids=["no certificate", "exec", "insecure", "nested"],
)
async def test_a_kubeconfig_that_is_of_no_use_is_not_healthy(
    authority: Authority, tmp_path: Path, old: str, new: str, words: str
) -> None:
    async with scene(authority, tmp_path) as cluster:
        for host in cluster.hosts.values():
            host.scripts["kube-nodes"] = lambda: "".join(f"{n}\tTrue\t{a}\tv1\t{{}}\n" for n, a in NODES.items())
        cluster.kubeconfig.write_text(cluster.kubeconfig.read_text().replace(old, new))
        snapshot = await cluster.monitor().once()
    assert states(snapshot)["api@VIP"] == "degraded"
    assert snapshot.health is Health.DEGRADED
    assert words in str(snapshot.by_id["api@VIP"].detail)


async def test_a_kubeconfig_that_the_api_refuses_is_not_healthy(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster, AsyncExitStack() as stack:
        for host in cluster.hosts.values():
            host.scripts["kube-nodes"] = lambda: "".join(f"{n}\tTrue\t{a}\tv1\t{{}}\n" for n, a in NODES.items())
        refuses = targets.http({"/readyz": (401, b""), "/api/v1/nodes": (401, b"{}")})
        cluster.network[VIP, 6443] = await stack.enter_async_context(serve(refuses, authority.server(VIP)))
        snapshot = await cluster.monitor().once()
    assert states(snapshot) == {"api@VIP": "degraded"}
    assert "its credentials are refused (HTTP 401)" in str(snapshot.by_id["api@VIP"].detail)


async def test_without_kubeconfig_a_server_tells_of_the_nodes(authority: Authority, tmp_path: Path) -> None:
    lines = "".join(f"{name}\tTrue\t{address}\tv1.30.4\t{{}}\n" for name, address in NODES.items())
    async with scene(authority, tmp_path) as cluster:
        cluster.kubeconfig.unlink()
        cluster.hosts["node1"].broken = ConnectTimeoutError("node1")
        cluster.hosts["node2"].scripts["kube-nodes"] = lambda: lines
        snapshot = await cluster.monitor().once()
    assert str(snapshot.by_id["node@node4"].detail) == "Ready. (checked from node2)"
    assert snapshot.by_id["gateway-80@node2"].state is ProbeState.EXPECTED


async def test_empty_site_before_anything(tmp_path: Path) -> None:
    hosts = {name: StandIn(name, scripts={"health": health_output}) for name in NODES}
    monitor = HealthMonitor(spec_of(), hosts, tmp_path / "kubeconfig", settings=QUICK, straight=False)
    snapshot = await monitor.once()
    assert snapshot.health is Health.DOWN
    assert snapshot.by_id["node@node1"].state is ProbeState.UNKNOWN
    assert snapshot.by_id["gateway-80@node1"].state is ProbeState.EXPECTED
    schema().validate(json.loads(json.dumps(monitor.to_json())))


async def test_a_probe_that_breaks_takes_no_other_with_it(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        cluster.hosts["node2"].scripts["health"] = lambda: [][1]
        del cluster.hosts["node4"]
        snapshot = await cluster.monitor().once()
    assert "An unexpected error" in str(snapshot.by_id["ssh@node2"].detail)
    assert snapshot.by_id["ssh@node4"].state is ProbeState.UNKNOWN
    assert snapshot.by_id["ssh@node1"].state is ProbeState.OK


@asynccontextmanager
async def watching(monitor: HealthMonitor) -> AsyncIterator[None]:
    task = asyncio.create_task(monitor.run())
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)


async def until(monitor: HealthMonitor, probe: str, state: ProbeState, limit_s: float = LIMIT_S) -> None:
    async with asyncio.timeout(limit_s):
        while monitor.snapshot().by_id[probe].state is not state:
            await asyncio.sleep(0.02)


async def test_a_hanging_node_delays_nobody(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        cluster.hosts["node4"].hangs = True
        monitor = cluster.monitor(replace(QUICK, limits=Limits(connect_s=2.0, answer_s=5.0, script_s=1.0)))
        async with watching(monitor):
            async with asyncio.timeout(20):
                while len(monitor.snapshot().by_id["ssh@node1"].latencies_ms) < 10:
                    await asyncio.sleep(0.02)
            assert monitor.snapshot().by_id["ssh@node1"].state is ProbeState.OK
            assert monitor.snapshot().by_id["ssh@node4"].state is not ProbeState.OK
            await until(monitor, "clock@node1", ProbeState.OK)


async def test_changes_are_told_after_enough_answers(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path, rainbond=True) as cluster:
        monitor = cluster.monitor()
        events = monitor.events()
        seen: list[HealthEvent] = []
        async with watching(monitor):
            await until(monitor, "gateway-7070@VIP", ProbeState.OK)
            del cluster.network[(VIP, 7070)]
            await until(monitor, "gateway-7070@VIP", ProbeState.DOWN)
            cluster.open_gateway(VIP)
            await until(monitor, "gateway-7070@VIP", ProbeState.OK)
        async with asyncio.timeout(5):
            seen = [event async for event in events]
    of_probe = [(e.old.value, e.new.value, e.first) for e in seen if e.key.id == "gateway-7070@VIP"]
    assert of_probe[-2:] == [("ok", "down", False), ("down", "ok", False)]
    history = monitor.snapshot().by_id["gateway-7070@VIP"].latencies_ms
    assert len([ms for ms in history if ms is None]) >= Hysteresis().down_after
    changes = [c.new.value for c in monitor.snapshot().changes if c.key.id == "gateway-7070@VIP"]
    assert changes[-2:] == ["down", "ok"]
    assert not any(change.first for change in monitor.snapshot().changes)


async def test_several_readers_get_the_same(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        monitor = cluster.monitor()
        one, two = monitor.events(), monitor.events()
        async with watching(monitor):
            await until(monitor, "api@VIP", ProbeState.OK)
        assert [e async for e in one] == [e async for e in two] != []


async def test_failover_moves_the_holder(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        monitor = cluster.monitor()
        events = monitor.events()
        async with watching(monitor):
            await until(monitor, "vip-holder", ProbeState.OK)
            cluster.hosts["node1"].broken = ConnectTimeoutError("node1")
            cluster.holder = "node2"
            async with asyncio.timeout(20):
                while "node2" not in str(monitor.snapshot().by_id["vip-holder"].detail):
                    await asyncio.sleep(0.02)
            await until(monitor, "ssh@node1", ProbeState.DOWN)
        assert monitor.snapshot().by_id["vip-holder"].state is ProbeState.OK
        moves = [str(e.detail) async for e in events if e.key.id == "vip-holder" and e.new is ProbeState.OK]
    assert moves[0] == f"{VIP} is on node1."
    assert moves[-1] == f"{VIP} is on node2."


async def test_watching_a_run(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        cluster.holder = ""
        dead = {name: health_output(NODES[name], keepalived="loaded inactive dead") for name in ("node1", "node2")}
        for name, text in dead.items():
            cluster.hosts[name].scripts["health"] = lambda text=text: text  # type: ignore[misc]
        cluster.hosts["node2"].broken = ConnectTimeoutError("node2")
        seen: dict[str, list[str]] = {}
        async with (
            asyncio.timeout(30),
            aclosing(watch_gateway(spec_of(), cluster.hosts, settings=QUICK, straight=False)) as events,
        ):
            async for event in events:
                seen.setdefault(event.key.id, []).append(event.new.value)
                if len(seen) == 3 * len(RAINBOND_6.ports(Reach.USERS)) and cluster.hosts["node2"].broken:
                    cluster.hosts["node2"].broken = None
                    cluster.open_gateway(VIP)
                    cluster.hosts["node1"].scripts["health"] = lambda: health_output(NODES["node1"], VIP)
                if seen.get("gateway-443@VIP", [""])[-1] == "ok" and seen.get("vip-holder", [""])[-1] == "ok":
                    break
    assert seen["gateway-80@node1"] == ["expected"]
    assert seen["gateway-443@VIP"] == ["expected", "ok"]
    assert seen["vip-holder"][-1] == "ok"
    assert not any(key.startswith(("ssh", "api", "etcd", "node")) for key in seen)


async def test_watching_only_some_gateways(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        seen: set[str] = set()
        watch = watch_gateway(spec_of(), cluster.hosts, ["node1", "node3"], settings=QUICK, straight=False)
        async with asyncio.timeout(20), aclosing(watch) as events:
            async for event in events:
                seen.add(event.key.target)
                if seen == {"node1", "VIP", "CLUSTER"}:
                    break
        assert cluster.hosts["node2"].calls["health"] == 0


async def test_nothing_is_left_running_when_the_reader_goes(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        before = asyncio.all_tasks()
        async with aclosing(watch_gateway(spec_of(), cluster.hosts, settings=QUICK, straight=False)) as events:
            await asyncio.wait_for(anext(events), 10)
            assert len(asyncio.all_tasks() - before) > 5
        assert asyncio.all_tasks() - before == set()


async def test_kubernetes_only_profile_has_nothing_to_expect_behind_its_ports(
    authority: Authority, tmp_path: Path
) -> None:
    async with scene(authority, tmp_path) as cluster:
        cluster.network[(VIP, 80)] = cluster.ports[7070]
        spec = spec_of("kubernetes-only")
        monitor = HealthMonitor(spec, cluster.hosts, cluster.kubeconfig, settings=QUICK, straight=False)
        snapshot = await monitor.once()
    assert snapshot.health is Health.OK
    assert snapshot.by_id["gateway-80@VIP"].state is ProbeState.OK
    assert snapshot.by_id["gateway-443@VIP"].state is ProbeState.EXPECTED


EXTERNAL = {"mode": "external", "address": VIP}


@pytest.mark.parametrize(
    ("gateway", "api", "labels", "api_id"),
    [
        (
            {"mode": "external", "address": VIP},
            {"mode": "external", "address": VIP},
            {"node1", "node2", "LB"},
            "api@LB",
        ),
        ({"mode": "none"}, {"mode": "first-server"}, {"node1", "node2"}, "api@node1"),
    ],
)
async def test_other_ways_to_balance(
    authority: Authority, tmp_path: Path, gateway: dict[str, str], api: dict[str, str], labels: set[str], api_id: str
) -> None:
    spec = spec_of(gateway=gateway, kubernetes={"api": api})
    async with scene(authority, tmp_path) as cluster:
        found = {name: [spec.gateway_address] for name in spec.profile.host_names}
        for name, host in cluster.hosts.items():
            host.scripts["health"] = lambda name=name: health_output(NODES[name], names=found)  # type: ignore[misc]
        monitor = HealthMonitor(spec, cluster.hosts, cluster.kubeconfig, settings=QUICK, straight=False)
        snapshot = await monitor.once()
    ids = snapshot.by_id
    assert {s.key.target for s in snapshot.probes if s.key.kind.value == "gateway"} == labels
    assert "vip-holder" not in ids
    assert not any(key.startswith("keepalived") for key in ids)
    assert ids[api_id].state is ProbeState.OK
    assert snapshot.health is Health.OK
