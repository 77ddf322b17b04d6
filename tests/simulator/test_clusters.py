"""What machines are together: RKE2 that starts, joins, fails and comes back."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from rbdtui.facts.gather import gather
from rbdtui.probes.wire import Place, tls_hello
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.simulator.kubernetes.layout import IMAGES_DIR, KUBECONFIG
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.units import Active
from rbdtui.simulator.verbs.files import sha256
from rbdtui.transport.base import Host
from rbdtui.transport.scripts import Script, script
from tests.simulator.conftest import SPEED, Login, eventually

TOKEN = "a-shared-token"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle"), images_bytes=100_000)


async def unpack(machine: Machine, host: Host, bundle: Path, *, images: bool = True) -> None:
    archive = (bundle / "rke2.linux-amd64.tar.gz").read_bytes()
    machine.files.put("/var/lib/rbdtui/bundle/rke2.tar.gz", archive)
    await host.must(script("rke2-unpack"), "/var/lib/rbdtui/bundle/rke2.tar.gz", sha256(archive))
    if images:
        content = (bundle / "rke2-images.linux-amd64.tar.gz").read_bytes()
        machine.files.put(f"{IMAGES_DIR}/rke2-images.linux-amd64.tar.gz", content)


def configure(machine: Machine, **settings: object) -> None:
    own = {"node-name": machine.name, "node-ip": str(machine.ip), "token": TOKEN, **settings}
    machine.files.put(
        "/etc/rancher/rke2/config.yaml", "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in own.items())
    )


def journal(machine: Machine, unit: str) -> str:
    return "\n".join(line.text for line in machine.systemd.lines(unit))


async def start(host: Host, unit: str) -> int:
    return (await host.run(script("unit-action"), f"{unit}.service", "start")).exit_status


async def ready_nodes(host: Host) -> dict[str, str]:
    lines = (await host.must(script("kube-nodes"))).text.splitlines()
    return {line.split("\t")[0]: line.split("\t")[1] for line in lines}


async def eventually_ready(host: Host, expected: set[str]) -> None:
    async with asyncio.timeout(10):
        while {name for name, ready in (await ready_nodes(host)).items() if ready == "True"} != expected:
            await asyncio.sleep(0.02)


async def test_a_cluster_of_three_servers_and_an_agent(log_in: Login, bundle: Path) -> None:
    async with SimulatedFleet(4, speed=SPEED) as fleet, log_in(fleet) as hosts:
        machines = fleet.machines
        first = f"https://{machines['node1'].ip}:9345"
        for name in machines:
            await unpack(machines[name], hosts[name], bundle)
        configure(machines["node1"], tls_san=f"[{fleet.vip.ip}]")
        assert await start(hosts["node1"], "rke2-server") == 0
        for name in ("node2", "node3"):
            configure(machines[name], server=first, tls_san=f"[{fleet.vip.ip}]")
            assert await start(hosts[name], "rke2-server") == 0
        configure(machines["node4"], server=first)
        assert await start(hosts["node4"], "rke2-agent") == 0
        await eventually_ready(hosts["node2"], {"node1", "node2", "node3", "node4"})

        members, status = (await hosts["node3"].must(script("etcd-members"))).text.splitlines()
        assert [m["peerURLs"] for m in json.loads(members)["members"]] == [
            [f"https://{machines[name].ip}:2380"] for name in ("node1", "node2", "node3")
        ]
        assert json.loads(status)["leader"] == json.loads(members)["members"][0]["ID"]

        await hosts["node1"].must(script("kube-label"), "node4", "node-role.kubernetes.io/worker=true")
        assert fleet.network.clusters["node1"].nodes["node4"].labels["node-role.kubernetes.io/worker"] == "true"

        # Two of three servers keep the API up, one alone does not.
        await fleet.power_off("node1")
        assert len(await ready_nodes(hosts["node2"])) == 4
        await fleet.power_off("node2")
        assert (await hosts["node3"].run(script("kube-nodes"))).exit_status == 3
        await fleet.power_on("node1")
        await fleet.power_on("node2")
        for name in ("node1", "node2"):
            machines[name].start_unit("rke2-server")
        await eventually(lambda: fleet.network.clusters["node1"].serves(machines["node1"]))
        await eventually_ready(hosts["node1"], {"node1", "node2", "node3", "node4"})


@pytest.mark.parametrize(
    ("port", "status", "words"),
    [(2382, 0, ""), (2379, 3, "UnsupportedMediaType"), (2381, 3, "UnsupportedMediaType"), (2383, 3, "was refused")],
)
async def test_etcd_answers_json_at_its_gateway_alone(
    log_in: Login, bundle: Path, port: int, status: int, words: str
) -> None:
    async with SimulatedFleet(1, speed=SPEED) as fleet, log_in(fleet) as hosts:
        await unpack(fleet.machines["node1"], hosts["node1"], bundle)
        configure(fleet.machines["node1"])
        assert await start(hosts["node1"], "rke2-server") == 0
        text = script("etcd-members").text.replace("127.0.0.1:$port", f"127.0.0.1:{port}")
        answer = await hosts["node1"].run(Script("etcd-members", text))
        assert (answer.exit_status, words in answer.error_text) == (status, True)


async def test_the_api_answers_tls_clients_with_the_kubeconfigs_certificates(
    log_in: Login, bundle: Path, tmp_path: Path
) -> None:
    async with SimulatedFleet(2, speed=SPEED) as fleet, log_in(fleet) as hosts:
        machine = fleet.machines["node1"]
        await unpack(machine, hosts["node1"], bundle)
        configure(machine)
        assert await start(hosts["node1"], "rke2-server") == 0
        context = ssl.create_default_context(
            cadata=machine.files.text("/var/lib/rancher/rke2/server/tls/server-ca.crt")
        )
        for name in ("client-admin.crt", "client-admin.key"):
            (tmp_path / name).write_text(machine.files.text(f"/var/lib/rancher/rke2/server/tls/{name}"))
        anonymous = ssl.create_default_context(
            cadata=machine.files.text("/var/lib/rancher/rke2/server/tls/server-ca.crt")
        )
        context.load_cert_chain(tmp_path / "client-admin.crt", tmp_path / "client-admin.key")
        async with hosts["node2"].forward(str(machine.ip), 6443) as port:
            assert b"200 OK" in await _get(port, "/readyz", context, str(machine.ip))
            assert b'"name": "node1"' in await _get(port, "/api/v1/nodes", context, str(machine.ip))
            assert b"401 Unauthorized" in await _get(port, "/readyz", anonymous, str(machine.ip))
        assert machine.files.text(KUBECONFIG).count("-data: ") == 3


async def _get(port: int, path: str, context: ssl.SSLContext, server_name: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=server_name)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer


FIRST = "https://127.77.0.11:9345"


@pytest.mark.parametrize(
    ("images", "settings", "words"),
    [
        (False, {}, "failed to get runtime image"),
        (
            True,
            {"server": FIRST, "token": "other"},
            'level=fatal msg="starting kubernetes: preparing server: failed to validate server configuration: '
            'not authorized"',
        ),
        (True, {"server": FIRST, "token": f"K10{'0' * 64}::server:{TOKEN}"}, "token CA hash does not match"),
        (True, {"server": FIRST, "cluster_cidr": "10.99.0.0/16"}, "critical configuration value mismatch between"),
        (True, {"server": FIRST, "node_name": "node1"}, "etcd cluster join failed: duplicate node name found"),
        (True, {"server": "https://127.77.0.99:9345"}, "failed to get CA certs"),
        (True, {"disable_etcd": "true"}, "--server is required"),
    ],
)
async def test_a_server_ends_in_rke2s_own_words_and_is_started_again(
    log_in: Login, bundle: Path, images: bool, settings: dict[str, object], words: str
) -> None:
    async with SimulatedFleet(2, speed=SPEED) as fleet, log_in(fleet) as hosts:
        await unpack(fleet.machines["node1"], hosts["node1"], bundle)
        configure(fleet.machines["node1"])
        assert await start(hosts["node1"], "rke2-server") == 0
        machine = fleet.machines["node2"]
        await unpack(machine, hosts["node2"], bundle, images=images)
        configure(machine, **settings)
        assert await start(hosts["node2"], "rke2-server") == 3
        assert words in journal(machine, "rke2-server")
        await eventually(lambda: machine.systemd.unit("rke2-server").restarts > 0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"token": "other"},
            'level=info msg="Waiting to retrieve agent configuration; server is not ready: '
            'failed to retrieve configuration from server: not authorized"',
        ),
        ({"token": f"K10{'0' * 64}::node:{TOKEN}"}, "token CA hash does not match the Cluster CA certificate hash"),
        ({"server": "https://127.77.0.99:9345"}, 'level=error msg="failed to get CA certs'),
        ({"node_name": "node3"}, "server is not ready: Node password rejected, duplicate hostname"),
    ],
)
async def test_an_agent_says_what_is_wrong_and_tries_on(
    log_in: Login, bundle: Path, settings: dict[str, object], words: str
) -> None:
    async with SimulatedFleet(3, speed=SPEED) as fleet, log_in(fleet) as hosts:
        for name in fleet.machines:
            await unpack(fleet.machines[name], hosts[name], bundle)
        configure(fleet.machines["node1"])
        assert await start(hosts["node1"], "rke2-server") == 0
        configure(fleet.machines["node3"], server=FIRST)
        assert await start(hosts["node3"], "rke2-agent") == 0
        machine = fleet.machines["node2"]
        configure(machine, **{"server": FIRST, **settings})
        machine.start_unit("rke2-agent")
        await eventually(lambda: journal(machine, "rke2-agent").count(words) >= 3)
        unit = machine.systemd.unit("rke2-agent")
        assert (unit.active, unit.invocations) == (Active.ACTIVATING, 1)


async def test_an_agent_without_a_server_to_join_ends(log_in: Login, bundle: Path) -> None:
    async with SimulatedFleet(1, speed=SPEED) as fleet, log_in(fleet) as hosts:
        await unpack(fleet.machines["node1"], hosts["node1"], bundle)
        configure(fleet.machines["node1"])
        assert await start(hosts["node1"], "rke2-agent") == 3
        assert "--server and --token are required" in journal(fleet.machines["node1"], "rke2-agent")


async def test_an_unknown_setting_is_skipped_with_a_warning(log_in: Login, bundle: Path) -> None:
    async with SimulatedFleet(2, speed=SPEED) as fleet, log_in(fleet) as hosts:
        first, second = fleet.machines.values()
        for machine in (first, second):
            await unpack(machine, hosts[machine.name], bundle)
        configure(first, tls_sans="x", etcd_snapshot_retention=9)
        configure(second, server=FIRST, etcd_snapshot_retention=9)
        assert await start(hosts["node1"], "rke2-server") == 0
        assert await start(hosts["node2"], "rke2-agent") == 0
        warnings = [line for line in journal(first, "rke2-server").splitlines() if "level=warning" in line]
        assert len(warnings) == 1
        assert warnings[0].endswith('msg="Unknown flag --tls-sans found in config.yaml, skipping\\n"')
        assert "Unknown flag --etcd-snapshot-retention found in config.yaml, skipping" in journal(second, "rke2-agent")


async def test_agents_have_a_token_of_their_own_which_every_server_must_have_been_given(
    log_in: Login, bundle: Path
) -> None:
    async with SimulatedFleet(3, speed=SPEED) as fleet, log_in(fleet) as hosts:
        first, second, agent = fleet.machines.values()
        for machine in fleet.machines.values():
            await unpack(machine, hosts[machine.name], bundle)
        configure(first, agent_token="for-agents")
        assert await start(hosts["node1"], "rke2-server") == 0
        full = first.files.text("/var/lib/rancher/rke2/server/token").strip()
        ca_hash = sha256(first.files.read("/var/lib/rancher/rke2/server/tls/server-ca.crt"))
        assert full == f"K10{ca_hash}::server:{TOKEN}"
        assert first.files.text("/var/lib/rancher/rke2/server/agent-token").strip() == f"K10{ca_hash}::node:for-agents"
        configure(second, server=FIRST, token=full)
        assert await start(hosts["node2"], "rke2-server") == 0
        configure(agent, server=f"https://{second.ip}:9345", token=f"K10{ca_hash}::node:for-agents")
        agent.start_unit("rke2-agent")
        await eventually(lambda: journal(agent, "rke2-agent").count("not authorized") >= 2)
        configure(second, server=FIRST, token=full, agent_token="for-agents")
        await second.systemd.stop("rke2-server")
        assert await start(hosts["node2"], "rke2-server") == 0
        await eventually_ready(hosts["node1"], {"node1", "node2", "node3"})


async def test_data_of_another_token_are_not_taken(log_in: Login, bundle: Path) -> None:
    async with SimulatedFleet(1, speed=SPEED) as fleet, log_in(fleet) as hosts:
        machine = fleet.machines["node1"]
        await unpack(machine, hosts["node1"], bundle)
        configure(machine)
        assert await start(hosts["node1"], "rke2-server") == 0
        await machine.systemd.stop("rke2-server")
        configure(machine, token="another")
        assert await start(hosts["node1"], "rke2-server") == 3
        assert "bootstrap data already found and encrypted with different token" in journal(machine, "rke2-server")


async def test_a_damaged_image_archive_is_told_and_rke2_goes_on(log_in: Login, bundle: Path) -> None:
    async with SimulatedFleet(1, speed=SPEED) as fleet, log_in(fleet) as hosts:
        machine = fleet.machines["node1"]
        await unpack(machine, hosts["node1"], bundle)
        machine.files.put(f"{IMAGES_DIR}/more.tar.gz", b"no archive")
        configure(machine)
        assert await start(hosts["node1"], "rke2-server") == 0
        (line,) = [each for each in journal(machine, "rke2-server").splitlines() if "level=error" in each]
        assert f"Error encountered while importing {IMAGES_DIR}/more.tar.gz: " in line
        await eventually_ready(hosts["node1"], {"node1"})


@pytest.mark.parametrize("port", [6443, 2380, 10250])
async def test_a_taken_port_of_another_program_is_waited_for(log_in: Login, bundle: Path, port: int) -> None:
    async with SimulatedFleet(1, speed=SPEED) as fleet, log_in(fleet) as hosts:
        machine = fleet.machines["node1"]
        await unpack(machine, hosts["node1"], bundle)
        machine.listen(port, "squatter")
        configure(machine)
        machine.start_unit("rke2-server")
        await fleet.pace.sleep(40.0)
        assert "address already in use" not in journal(machine, "rke2-server")
        assert fleet.network.clusters["node1"].nodes == {}
        machine.unlisten(port)
        await eventually(lambda: list(fleet.network.clusters["node1"].nodes) == ["node1"])


async def test_the_supervisors_port_is_rke2s_own_and_ends_it_when_taken(log_in: Login, bundle: Path) -> None:
    async with SimulatedFleet(1, speed=SPEED) as fleet, log_in(fleet) as hosts:
        machine = fleet.machines["node1"]
        await unpack(machine, hosts["node1"], bundle)
        machine.listen(9345, "squatter")
        configure(machine)
        assert await start(hosts["node1"], "rke2-server") == 3
        assert "bind: address already in use" in journal(machine, "rke2-server")
        machine.unlisten(9345)
        await eventually(lambda: machine.systemd.unit("rke2-server").active is Active.ACTIVE)


def open_ports(machine: Machine) -> set[str]:
    return {f"{'*' if where == '0.0.0.0' else where}:{port}" for where, port in machine.listening if port > 1024}


COMMON = {
    "*:10250", "127.0.0.1:10010", "127.0.0.1:10248", "127.0.0.1:10249", "127.0.0.1:10256",
}  # fmt: skip
ETCD = {"127.0.0.1:2379", "127.0.0.1:2380", "127.0.0.1:2381", "127.0.0.1:2382", "node:2379", "node:2380"}
API = {"*:6443", "*:10260", "127.0.0.1:10257", "127.0.0.1:10258", "127.0.0.1:10259"}
BALANCERS = {"127.0.0.1:6443", "127.0.0.1:6444"}


async def test_who_listens_where_by_role(log_in: Login, bundle: Path) -> None:
    async with SimulatedFleet(4, speed=SPEED) as fleet, log_in(fleet) as hosts:
        both, etcd, control, agent = fleet.machines.values()
        before = {name: open_ports(machine) for name, machine in fleet.machines.items()}
        for machine in fleet.machines.values():
            await unpack(machine, hosts[machine.name], bundle)
        configure(both)
        configure(etcd, server=FIRST, disable_apiserver=True, disable_controller_manager=True, disable_scheduler=True)
        configure(control, server=FIRST, disable_etcd=True)
        configure(agent, server=FIRST)
        for machine in (both, etcd, control):
            assert await start(hosts[machine.name], "rke2-server") == 0
        assert await start(hosts["node4"], "rke2-agent") == 0
        await eventually_ready(hosts["node1"], {"node1", "node2", "node3", "node4"})

        def seen(machine: Machine) -> set[str]:
            new = open_ports(machine) - before[machine.name]
            return {port.replace(str(machine.ip), "node") for port in new}

        assert seen(both) == COMMON | ETCD | API | {"*:9345"}
        assert seen(etcd) == COMMON | ETCD | BALANCERS | {"*:9345"}
        assert seen(control) == COMMON | API | {"*:9345", "127.0.0.1:2379"}
        assert seen(agent) == COMMON | BALANCERS
        nodes = fleet.network.clusters["node1"].nodes
        roles = {
            name: sorted(key.partition("/")[2] for key in node.labels if key.startswith("node-role"))
            for name, node in nodes.items()
        }
        assert roles == {
            "node1": ["control-plane", "etcd", "master"],
            "node2": ["etcd"],
            "node3": ["control-plane", "master"],
            "node4": [],
        }
        assert [member.node_name for member in fleet.network.clusters["node1"].members] == ["node1", "node2"]
        assert (await hosts["node3"].run(script("etcd-members"))).exit_status == 3
        assert "node4" in await ready_nodes(hosts["node2"]), "through RKE2's own balancer"


async def test_a_control_plane_without_etcd_asks_its_server_at_every_start(log_in: Login, bundle: Path) -> None:
    async with SimulatedFleet(2, speed=SPEED) as fleet, log_in(fleet) as hosts:
        etcd, control = fleet.machines.values()
        for machine in fleet.machines.values():
            await unpack(machine, hosts[machine.name], bundle)
        configure(etcd, disable_apiserver=True, disable_controller_manager=True, disable_scheduler=True)
        configure(control, server="https://servers:9345", disable_etcd=True)
        assert await start(hosts["node1"], "rke2-server") == 0
        assert fleet.network.clusters["node1"].nodes == {}, "ready although no API knows it"
        assert await start(hosts["node2"], "rke2-server") == 3
        assert "lookup servers: no such host" in journal(control, "rke2-server")
        control.files.put("/etc/hosts", f"127.77.0.99 servers\n{etcd.ip} servers\n")
        await eventually(lambda: control.systemd.unit("rke2-server").active is Active.ACTIVE)
        await eventually_ready(hosts["node2"], {"node1", "node2"})
        await control.systemd.stop("rke2-server")
        await etcd.systemd.stop("rke2-server")
        assert await start(hosts["node2"], "rke2-server") == 3
        assert "failed to get CA certs" in journal(control, "rke2-server").splitlines()[-3]


async def test_the_supervisor_listens_long_before_the_api(log_in: Login, bundle: Path) -> None:
    async with SimulatedFleet(1, speed=SPEED) as fleet, log_in(fleet) as hosts:
        machine = fleet.machines["node1"]
        await unpack(machine, hosts["node1"], bundle)
        configure(machine)
        machine.start_unit("rke2-server")
        await eventually(lambda: machine.listener("127.0.0.1", 9345) is not None)
        assert machine.listener("127.0.0.1", 6443) is None
        await eventually(lambda: machine.listener("127.0.0.1", 6443) is not None)


async def test_servers_show_certificates_of_their_own_at_the_api_and_one_for_all_at_9345(
    log_in: Login, bundle: Path
) -> None:
    async with SimulatedFleet(3, speed=SPEED) as fleet, log_in(fleet) as hosts:
        for number, (name, host) in enumerate(hosts.items()):
            machine = fleet.machines[name]
            await unpack(machine, host, bundle)
            configure(machine, **({"server": f"https://{fleet.machines['node1'].ip}:9345"} if number else {}))
            assert await start(host, "rke2-server") == 0

        async def shown(host: Host, port: int) -> bytes:
            limits = {"connect_s": 5.0, "answer_s": 5.0}
            return (await tls_hello(Place("127.0.0.1", port, host), server_name="localhost", **limits)).certificate

        api = [await shown(host, 6443) for host in hosts.values()]
        assert len(set(api)) == 3
        assert {x509.load_der_x509_certificate(each).subject.rfc4514_string() for each in api} == {"CN=kube-apiserver"}
        assert len({await shown(host, 9345) for host in hosts.values()}) == 1


@pytest.mark.parametrize(
    ("bundled", "settings", "taken"),
    [
        ("rke2-ingress-nginx", {}, True),
        ("rke2-ingress-nginx", {"disable": "rke2-ingress-nginx"}, False),
        ("rke2-traefik", {"disable": "rke2-ingress-nginx"}, True),
        ("rke2-traefik", {"disable": "[rke2-ingress-nginx, rke2-traefik]"}, False),
        ("rke2-traefik", {"ingress-controller": "none"}, False),
    ],
)
async def test_the_bundled_ingress_takes_the_webs_ports_unless_it_is_off(
    log_in: Login, bundle: Path, bundled: str, settings: dict[str, object], taken: bool
) -> None:
    async with SimulatedFleet(1, speed=SPEED) as fleet, log_in(fleet) as hosts:
        fleet.network.bundled_ingress = bundled
        machine = fleet.machines["node1"]
        await unpack(machine, hosts["node1"], bundle)
        configure(machine, **settings)
        assert await start(hosts["node1"], "rke2-server") == 0
        await eventually_ready(hosts["node1"], {"node1"})
        await fleet.pace.sleep(6.0)
        assert [machine.listener("127.0.0.1", port) is not None for port in (80, 443)] == [taken, taken]


async def test_two_servers_that_join_at_once_wait_for_each_other(log_in: Login, bundle: Path) -> None:
    async with SimulatedFleet(3, speed=SPEED) as fleet, log_in(fleet) as hosts:
        machines = fleet.machines
        for name in machines:
            await unpack(machines[name], hosts[name], bundle)
        configure(machines["node1"])
        assert await start(hosts["node1"], "rke2-server") == 0
        for name in ("node2", "node3"):
            configure(machines[name], server=FIRST)
        statuses = await asyncio.gather(*(start(hosts[name], "rke2-server") for name in ("node2", "node3")))
        assert statuses == [0, 0]
        words = journal(machines["node2"], "rke2-server") + journal(machines["node3"], "rke2-server")
        assert "Waiting for other members to finish joining etcd cluster: etcdserver: too many learner members" in words
        await eventually_ready(hosts["node1"], {"node1", "node2", "node3"})


async def test_a_reinstalled_node_is_known_until_it_is_deleted(log_in: Login, bundle: Path) -> None:
    async with SimulatedFleet(4, speed=SPEED) as fleet, log_in(fleet) as hosts:
        for name, machine in fleet.machines.items():
            await unpack(machine, hosts[name], bundle)
            configure(machine, **({} if name == "node1" else {"server": FIRST}))
            assert await start(hosts[name], "rke2-agent" if name == "node4" else "rke2-server") == 0
        cluster = fleet.network.clusters["node1"]
        for name, unit, words in (
            ("node3", "rke2-server", "duplicate node name found"),
            ("node4", "rke2-agent", "Node password rejected"),
        ):
            machine = fleet.machines[name]
            await hosts[name].must(script("rke2-uninstall"))
            await unpack(machine, hosts[name], bundle)
            configure(machine, server=FIRST)
            machine.start_unit(unit)
            await eventually(lambda machine=machine, unit=unit, words=words: words in journal(machine, unit))  # type: ignore[misc]
            cluster.delete_node(name)
            await eventually(lambda name=name: name in cluster.nodes)  # type: ignore[misc]
        assert sorted(member.node_name for member in cluster.members) == ["node1", "node2", "node3"]


async def test_an_address_without_its_name_in_the_certificate_is_refused(log_in: Login, bundle: Path) -> None:
    async with SimulatedFleet(1, speed=SPEED) as fleet, log_in(fleet) as hosts:
        machine = fleet.machines["node1"]
        await unpack(machine, hosts["node1"], bundle)
        configure(machine)
        assert await start(hosts["node1"], "rke2-server") == 0
        machine.addresses.append(fleet.vip)
        result = await hosts["node1"].run(script("kube-nodes"), f"https://{fleet.vip.ip}:6443")
        assert result.exit_status == 3
        assert "certificate is valid for" in result.error_text


@pytest.mark.parametrize("content", [None, "", "nameserver 127.0.0.53\n"])
async def test_without_a_resolver_that_pods_reach_they_get_a_public_one(
    log_in: Login, bundle: Path, content: str | None
) -> None:
    async with SimulatedFleet(1, speed=SPEED) as fleet, log_in(fleet) as hosts:
        machine = fleet.machines["node1"]
        machine.files.remove("/etc/resolv.conf")
        if content is not None:
            machine.files.put("/etc/resolv.conf", content)
        await unpack(machine, hosts["node1"], bundle)
        configure(machine)
        assert await start(hosts["node1"], "rke2-server") == 0
        await eventually_ready(hosts["node1"], {"node1"})
        assert machine.files.text("/var/lib/rancher/rke2/agent/etc/resolv.conf") == "nameserver 8.8.8.8\n"


async def test_a_named_resolver_file_that_is_missing_ends_kubelet(log_in: Login, bundle: Path) -> None:
    async with SimulatedFleet(1, speed=SPEED) as fleet, log_in(fleet) as hosts:
        machine = fleet.machines["node1"]
        await unpack(machine, hosts["node1"], bundle)
        configure(machine, resolv_conf="/etc/site-resolv.conf")
        machine.start_unit("rke2-server")
        await eventually(lambda: journal(machine, "rke2-server").count("Kubelet exited: open /etc/site-res") >= 2)
        machine.files.put("/etc/site-resolv.conf", "nameserver 198.51.100.53\n")
        await eventually_ready(hosts["node1"], {"node1"})


async def test_uninstalling_leaves_nothing_that_counts_as_a_leftover(log_in: Login, bundle: Path) -> None:
    async with SimulatedFleet(1, speed=SPEED) as fleet, log_in(fleet) as hosts:
        machine = fleet.machines["node1"]
        await unpack(machine, hosts["node1"], bundle)
        configure(machine)
        assert await start(hosts["node1"], "rke2-server") == 0
        assert "/var/lib/rancher" in (await gather(hosts["node1"])).leftovers
        await hosts["node1"].must(script("rke2-uninstall"))
        assert (await gather(hosts["node1"])).leftovers == ()
        assert "program=no\nunits=no" in (await hosts["node1"].must(script("rke2-state"))).text


async def test_starting_a_unit_that_waits_to_be_restarted_starts_it_at_once(log_in: Login, bundle: Path) -> None:
    async with SimulatedFleet(1, speed=1.0) as fleet, log_in(fleet) as hosts:
        machine = fleet.machines["node1"]
        await unpack(machine, hosts["node1"], bundle, images=False)
        configure(machine)
        assert await start(hosts["node1"], "rke2-server") == 3
        unit = machine.systemd.unit("rke2-server")
        assert unit.sub_state == "auto-restart"
        assert await start(hosts["node1"], "rke2-server") == 3
        assert (unit.invocations, unit.restarts) == (2, 0)
        await hosts["node1"].must(script("unit-action"), "rke2-server.service", "stop", "reset-failed")
        assert unit.active is Active.INACTIVE
