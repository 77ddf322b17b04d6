"""How nodes come to their cluster: with which token, at whose address, and what becomes of one that is set up anew."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rbdtui.errors import StepError
from rbdtui.plan.builder import build_plan
from rbdtui.plan.cluster import CONFIG_FILE, JOIN_NAME
from rbdtui.plan.identity import ca_digest
from rbdtui.plan.kube import nodes_seen_by
from rbdtui.plan.resources.units import Started
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.keepalived import Keepalived
from rbdtui.plan.steps.rke2_config import ConfigureRke2
from rbdtui.plan.steps.rke2_start import StartAgent, StartFirstServer, StartServer
from rbdtui.plan.steps.ship import ShipBundle, UnpackRke2
from rbdtui.simulator.fleet import Build
from rbdtui.simulator.machine import System
from rbdtui.transport.scripts import script
from tests.plan.support import SECRETS, Bench, bench, carry_out, settle
from tests.plan.walk import walk

SERVER_CA = "/var/lib/rancher/rke2/server/tls/server-ca.crt"
BOTH = ["control-plane", "etcd", "worker", "gateway"]
ETCD, CONTROL, WORKER = ["etcd"], ["control-plane", "gateway"], ["worker"]


def with_roles(at: Bench, *roles: Sequence[str]) -> StepContext:
    """The context with these roles for node1 and on."""

    def change(data: dict[str, object]) -> None:
        nodes = data["nodes"]
        assert isinstance(nodes, list)
        for node, own in zip(nodes, roles, strict=True):
            node["roles"] = list(own)

    return at.with_spec(change)


def config_of(at: Bench, node: str) -> Mapping[str, object]:
    read = yaml.safe_load(at.file(CONFIG_FILE, node))
    assert isinstance(read, dict)
    return read


def ca_of(at: Bench, node: str = "node1") -> str:
    return hashlib.sha256(at.machine(node).files.read(SERVER_CA)).hexdigest()


async def install(context: StepContext) -> None:
    """The whole plan."""
    await walk(build_plan(context.spec, context.facts), context)


async def changed_by(context: StepContext) -> list[str]:
    """The steps of a further run that had something to do."""
    done = await walk(build_plan(context.spec, context.facts), context)
    return [step.step for step in done.values() if step.changed]


# --- tokens ------------------------------------------------------------------------------------------------------


async def test_who_joins_knows_the_clusters_ca_and_agents_have_a_token_that_makes_no_servers(tmp_path: Path) -> None:
    async with bench(tmp_path, 4) as at:
        await install(at.context)
        server, agents = SECRETS["rke2-token"], SECRETS["rke2-agent-token"]
        ca = ca_of(at)
        assert config_of(at, "node1")["token"] == server
        assert "server" not in config_of(at, "node1")
        for node in ("node2", "node3"):
            assert config_of(at, node)["token"] == f"K10{ca}::server:{server}"
        assert {config_of(at, node)["agent-token"] for node in ("node1", "node2", "node3")} == {agents}
        assert config_of(at, "node4")["token"] == f"K10{ca}::node:{agents}"
        assert "agent-token" not in config_of(at, "node4")
        files = at.machine("node4").files
        of_agent = [files.text(path) for path in files.walk()]
        assert not any(server in content for content in of_agent), "a worker holds nothing of a server"
        assert await changed_by(at.context) == []


async def test_what_will_be_written_is_shown_before_there_is_a_cluster(tmp_path: Path) -> None:
    async with bench(tmp_path, 4) as at:
        for node, line in (
            ("node1", "+token: secret:rke2-token"),
            ("node2", "+token: K10…::server:secret:rke2-token"),
            ("node4", "+token: K10…::node:secret:rke2-agent-token"),
        ):
            (change,) = (await ConfigureRke2(node).pending(at.context)).changes
            assert line in change.detail.splitlines()
            assert not any(secret in change.detail for secret in SECRETS.values())
        with pytest.raises(StepError) as caught:
            await settle(ConfigureRke2("node2"), at.context)
        assert (caught.value.code, caught.value.retryable) == ("no_cluster_ca", True)
        assert not at.machine("node2").files.exists(CONFIG_FILE)


async def test_another_ca_than_the_first_servers_is_not_joined(tmp_path: Path) -> None:
    """Somebody else answers on the address by the time the second server joins."""
    async with bench(tmp_path, 4) as at:
        await lay_down(at, "node1")
        await carry_out(Keepalived("node1"), at.context)
        await carry_out(StartFirstServer("node1"), at.context)
        await lay_down(at, "node2")
        impostor = at.machine("node4")
        for kind in (ShipBundle, UnpackRke2):
            await carry_out(kind("node4"), at.context)
        impostor.files.put(CONFIG_FILE, at.file(CONFIG_FILE).replace("node1", "node4"))
        impostor.start_unit("rke2-server")
        await at.machine().systemd.stop("keepalived")
        impostor.addresses.append(at.fleet.vip)
        with pytest.raises(StepError) as caught:
            await settle(StartServer("node2"), at.context)
        assert caught.value.code == "rke2_token"
        assert "token CA hash does not match" in caught.value.evidence


async def test_a_server_whose_ca_is_not_the_one_of_its_token_lets_nobody_in(tmp_path: Path) -> None:
    async with bench(tmp_path, 4) as at:
        await lay_down(at, "node1")
        await carry_out(Keepalived("node1"), at.context)
        await carry_out(StartFirstServer("node1"), at.context)
        at.machine().files.put(SERVER_CA, pem(certificate("foreign")))
        with pytest.raises(StepError) as caught:
            await settle(ConfigureRke2("node4"), at.context)
        assert caught.value.code == "cluster_ca_differs"
        assert caught.value.params["node"] == "node1"


async def test_a_running_server_is_left_alone_while_nobody_can_say_which_cluster_it_is(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        await install(at.context)
        starts = at.machine("node2").systemd.unit("rke2-server").invocations
        for machine in at.fleet.machines.values():
            machine.files.remove("/var/lib/rancher/rke2/server/token")
        with pytest.raises(StepError) as caught:
            await settle(StartServer("node2"), at.context)
        assert caught.value.code == "no_cluster_ca"
        assert at.machine("node2").systemd.unit("rke2-server").invocations == starts


async def lay_down(at: Bench, *nodes: str) -> None:
    for node in nodes:
        for kind in (ShipBundle, UnpackRke2, ConfigureRke2):
            await carry_out(kind(node), at.context)


OLD_NOTE = "a digest of before"


async def make_old(at: Bench) -> None:
    """Have all run as an earlier rbdtui started them: one short token for all, and none for agents."""
    for name, machine in at.fleet.machines.items():
        unit = "rke2-agent" if name == "node4" else "rke2-server"
        lines = at.file(CONFIG_FILE, name).splitlines()
        kept = [line for line in lines if not line.startswith(("token:", "agent-token:"))]
        machine.files.put(CONFIG_FILE, "\n".join([*kept, f"token: {SECRETS['rke2-token']}"]) + "\n", mode=0o600)
        await at.context.hosts[name].must(script("unit-action"), f"{unit}.service", "stop")
        await at.context.hosts[name].must(script("unit-action"), f"{unit}.service", "start")
        await Started(f"{unit}.service").write(at.context.hosts[name], OLD_NOTE)


async def test_a_cluster_of_an_earlier_version_gets_the_tokens_servers_first(tmp_path: Path) -> None:
    async with bench(tmp_path, 4) as at:
        await install(at.context)
        cluster = at.fleet.network.clusters["node1"]
        await make_old(at)
        assert set(cluster.agent_tokens.values()) == {""}
        members = [member.name for member in cluster.members]
        facts = {name: replace(known, active_units=known.active_units | {"rke2-server.service"})
                 for name, known in at.context.facts.items() if name != "node4"} | {
                     "node4": at.context.facts["node4"]}  # fmt: skip
        done = await walk(build_plan(at.context.spec, facts), at.context)
        restarted = [f"{kind}@{node}" for kind, node in (
            ("rke2-first-server", "node1"), ("rke2-server", "node2"), ("rke2-server", "node3"), ("rke2-agent", "node4"),
        )]  # fmt: skip
        assert all(done[step].changed for step in restarted)
        begun = [done[step].started_s for step in restarted]
        assert begun == sorted(begun), "agents last: until then a server may not know their token"
        assert [member.name for member in cluster.members] == members
        assert set(at.fleet.network.clusters.values()) == {cluster}
        assert set(cluster.agent_tokens.values()) == {SECRETS["rke2-agent-token"]}
        assert config_of(at, "node4")["token"] == f"K10{ca_of(at)}::node:{SECRETS['rke2-agent-token']}"
        assert await changed_by(at.context) == []


def certificate(
    name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A CA of that name, by itself or by an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )  # fmt: skip
    return built, key


def pem(*made: tuple[x509.Certificate, ec.EllipticCurvePrivateKey]) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each, _ in made)


def test_the_digest_of_a_ca_is_the_files_and_of_a_chain_its_roots() -> None:
    root = certificate("root")
    middle = certificate("middle", root)
    leaf = certificate("leaf", middle)
    alone = certificate("alone")
    of_root = hashlib.sha256(root[0].public_bytes(serialization.Encoding.DER)).hexdigest()
    for chain, digest in (
        ((alone,), "of the file"),
        ((leaf, middle, root), of_root),
        ((leaf, root, middle), of_root),
        ((leaf, middle), "of the file"),
        ((leaf, alone), "of the file"),
    ):
        assert ca_digest("of the file", pem(*chain)) == digest
    with pytest.raises(ValueError, match="PEM"):
        ca_digest("of the file", b"no certificate")


def test_the_script_says_nothing_that_is_secret(tmp_path: Path) -> None:
    server = tmp_path / "server"
    (server / "db" / "etcd" / "member").mkdir(parents=True)
    (server / "tls").mkdir()
    authority = pem(certificate("rke2-server-ca"))
    (server / "tls" / "server-ca.crt").write_bytes(authority)
    digest = hashlib.sha256(authority).hexdigest()
    (server / "token").write_text(f"K10{digest}::server:top-secret\n")
    (tmp_path / "config.yaml").write_text("token: top-secret\nserver: https://10.0.0.1:9345\n")
    text = script("rke2-identity").text.replace("/var/lib/rancher/rke2/server", str(server))
    text = text.replace("/etc/rancher/rke2/config.yaml", str(tmp_path / "config.yaml"))
    answer = subprocess.run(["sh", "-c", text], capture_output=True, timeout=30, check=True)
    head, _, rest = answer.stdout.partition(b"\n\n")
    assert head.decode().splitlines() == ["etcd=yes", "joined=yes", f"token-ca={digest}", f"ca={digest}"]
    assert rest == authority
    assert b"top-secret" not in answer.stdout + answer.stderr
    for name in ("token", "tls/server-ca.crt"):
        (server / name).unlink()
    (tmp_path / "config.yaml").unlink()
    answer = subprocess.run(["sh", "-c", text], capture_output=True, timeout=30, check=True)
    assert answer.stdout == b"etcd=yes\njoined=no\ntoken-ca=\nca=\n\n"


# --- roles -------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(120)
async def test_etcd_and_control_plane_apart_come_up_together_and_again_while_one_member_is_dead(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, 6) as at:
        context = with_roles(at, ETCD, [*ETCD, "worker"], ETCD, CONTROL, CONTROL, WORKER)
        await install(context)
        assert await changed_by(context) == []
        cluster = at.fleet.network.clusters["node1"]
        assert [member.node_name for member in cluster.members] == ["node1", "node2", "node3"]
        assert sorted(cluster.nodes) == [f"node{number}" for number in range(1, 7)]
        assert cluster.nodes["node2"].labels["node-role.kubernetes.io/worker"] == "true"
        assert {config_of(at, node)["server"] for node in ("node2", "node3", "node4", "node5", "node6")} == {
            f"https://{JOIN_NAME}:9345"
        }
        for name in at.fleet.machines:
            await at.fleet.power_off(name)
        for name in at.fleet.machines:
            if name != "node1":
                await at.fleet.power_on(name)
        async with asyncio.timeout(30):
            while len((await nodes_seen_by(context.hosts["node5"])).nodes) < 6:
                await asyncio.sleep(0.05)
        assert await ready(at, "node5") == {f"node{number}" for number in range(2, 7)}


async def ready(at: Bench, asked: str) -> set[str]:
    """Nodes that are ready, once node1 counts as gone."""
    await at.fleet.pace.sleep(60.0)
    return {name for name, node in (await nodes_seen_by(at.context.hosts[asked])).nodes.items() if node.is_ready}


@pytest.mark.timeout(120)
async def test_a_control_plane_alone_beside_whole_servers_comes_back_without_the_first(tmp_path: Path) -> None:
    async with bench(tmp_path, 4) as at:
        context = with_roles(at, BOTH, ETCD, ETCD, CONTROL)
        await install(context)
        assert config_of(at, "node4")["server"] == f"https://{JOIN_NAME}:9345"
        assert config_of(at, "node2")["server"] == f"https://{at.fleet.vip.ip}:9345"
        for name in at.fleet.machines:
            await at.fleet.power_off(name)
        for name in ("node2", "node3", "node4"):
            await at.fleet.power_on(name)
        async with asyncio.timeout(30):
            while not (await nodes_seen_by(context.hosts["node4"])).nodes:
                await asyncio.sleep(0.05)


# --- a node that was set up anew ---------------------------------------------------------------------------------


async def set_up_anew(at: Bench, node: str) -> None:
    await UnpackRke2(node).undo(at.context)
    for kind in (ShipBundle, UnpackRke2):
        await carry_out(kind(node), at.context)


@pytest.mark.timeout(120)
async def test_a_first_server_that_was_set_up_anew_joins_its_cluster_and_makes_no_second_one(tmp_path: Path) -> None:
    async with bench(tmp_path, 4) as at:
        await install(at.context)
        cluster = at.fleet.network.clusters["node1"]
        await set_up_anew(at, "node1")
        await carry_out(ConfigureRke2("node1"), at.context)
        own = config_of(at, "node1")
        assert own["server"] == f"https://{JOIN_NAME}:9345"
        assert own["token"] == f"K10{ca_of(at, 'node2')}::server:{SECRETS['rke2-token']}"
        with pytest.raises(StepError) as caught:
            await settle(StartFirstServer("node1"), at.context)
        assert caught.value.code == "rke2_name_taken"
        cluster.delete_node("node1")
        await carry_out(StartFirstServer("node1"), at.context)
        assert set(at.fleet.network.clusters.values()) == {cluster}
        assert sorted(member.node_name for member in cluster.members) == ["node1", "node2", "node3"]
        assert await changed_by(at.context) == ["node-labels@node1", "kubeconfig"]
        assert await changed_by(at.context) == []


async def test_an_agent_keeps_its_place_when_its_configuration_changes(tmp_path: Path) -> None:
    async with bench(tmp_path, 4) as at:
        await install(at.context)

        def more(data: dict[str, object]) -> None:
            kubernetes = data["kubernetes"]
            assert isinstance(kubernetes, dict)
            kubernetes["settings"] = {"node-label": ["rack=r1"], "etcd-snapshot-retention": 9}

        context = at.with_spec(more)
        await carry_out(ConfigureRke2("node4"), context)
        await carry_out(StartAgent("node4"), context)
        assert "Unknown flag --etcd-snapshot-retention" in "\n".join(at.heard.lines), "a server's, and no mistake here"
        assert at.fleet.network.clusters["node1"].nodes["node4"].labels["rack"] == "r1"


@pytest.mark.parametrize("selinux", ["", "permissive", "enforcing"])
async def test_containers_are_confined_where_selinux_is_enforced(tmp_path: Path, selinux: str) -> None:
    async with bench(tmp_path, builds=(Build(system=System(selinux=selinux)),)) as at:
        await carry_out(ConfigureRke2("node1"), at.context)
        assert config_of(at, "node1").get("selinux", False) is (selinux == "enforcing")
