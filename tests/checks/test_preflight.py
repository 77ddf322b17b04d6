"""Preflight as a whole, against hosts in memory that answer with recorded outputs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rbdtui.checks.preflight import PreflightResult, preflight
from rbdtui.checks.services import vip
from rbdtui.checks.view import NodeView
from rbdtui.facts.fact import Output
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding, Severity
from rbdtui.transport.base import CommandResult, ConnectionLostError, ConnectTimeoutError, LoginRefusedError, Reach
from rbdtui.transport.scripts import Script
from tests.checks.cases import KUBERNETES, RAINBOND
from tests.checks.scripted_host import ScriptedHost
from tests.checks.support import VIP, Packages, place, spec_of

RECORDED = Path(__file__).parent.parent / "facts" / "recorded"


def outputs(index: int, **others: str) -> dict[str, Output]:
    """What a real Debian 12 host answered, under another name and address."""
    found = {file.parent.name: file for file in RECORDED.glob("*/debian-12-container.json")}
    texts = {name: "\n".join(json.loads(file.read_text())["output"]) for name, file in found.items()}
    texts |= {
        "hostname": f"node{index}",
        "hostname_addresses": "127.0.1.1",
        "hosts_file": f"127.0.1.1 node{index}",
        "machine_id": f"{index:032x}",
        "product_uuid": "",
        "cpu_count": "8",
        "selinux": "",
        "apparmor": "",
        "files": "/run/systemd/system",
        "leftovers": "",
        "claim": "",
        "firewall": "",
        "interfaces": f"== link\neth0 52:54:00:00:00:0{index} 1500 0x1003\n== ip\n"
        f"2: eth0    inet 10.0.0.1{index}/16 brd 10.0.255.255 scope global eth0\\",
        **others,
    }
    return {name: Output(0, text) for name, text in texts.items()}


def three(**options: object) -> dict[str, ScriptedHost]:
    return {f"node{i}": ScriptedHost(f"node{i}", outputs(i), **options) for i in (1, 2, 3)}  # type: ignore[arg-type]


def codes(result: PreflightResult, severity: Severity) -> set[str]:
    return {finding.code for finding in result.findings if finding.severity is severity}


async def test_three_good_hosts_have_no_errors() -> None:
    result = await preflight(KUBERNETES, three(), Packages("debian-12-amd64"), place)
    assert codes(result, Severity.ERROR) == set()
    assert codes(result, Severity.WARNING) == {"RBD-TIME-104", "RBD-KERN-104"}
    assert result.facts.keys() == {"node1", "node2", "node3"}


async def test_findings_and_facts_are_told_as_they_come() -> None:
    hosts = {**three(), "node2": ScriptedHost("node2", outputs(2), delay_s=1.0)}
    told: list[tuple[str, float]] = []
    began = time.monotonic()

    def on_finding(finding: Finding) -> None:
        told.append((finding.place.node, time.monotonic() - began))

    def on_facts(facts: NodeFacts) -> None:
        told.append((f"facts of {facts.node}", time.monotonic() - began))

    await preflight(KUBERNETES, hosts, None, place, on_finding, on_facts)
    others = [at for name, at in told if "node1" in name or "node3" in name]
    assert max(others) < 1.0 <= min(at for name, at in told if "node2" in name)
    assert [name for name, _ in told if name.startswith("facts")][-1] == "facts of node2"


async def test_a_dead_host_is_a_finding_and_delays_nobody() -> None:
    error = LoginRefusedError(
        "node2", user="root", address="10.0.0.12", port=22, tried="publickey", offered="publickey"
    )
    hosts = {**three(), "node2": ScriptedHost("node2", {}, error=error)}
    result = await preflight(KUBERNETES, hosts, None, place)
    assert result.facts.keys() == {"node1", "node3"}
    finding = next(f for f in result.findings if f.code == "RBD-SSH-004")
    assert (finding.severity, finding.place.node, finding.place.field) == (Severity.ERROR, "node2", "nodes[1].name")


async def test_all_hosts_dead_is_nothing_but_findings() -> None:
    hosts = {
        f"node{i}": ScriptedHost(f"node{i}", {}, error=ConnectTimeoutError(f"node{i}", address="x", port=22))
        for i in (1, 2, 3)
    }
    result = await preflight(RAINBOND, hosts, None, place)
    assert [f.code for f in result.findings] == ["RBD-SSH-002"] * 3
    assert result.facts == {}


async def test_a_link_that_is_lost_while_trying_keeps_what_was_known() -> None:
    def lost(address: str, port: int) -> Reach:
        raise ConnectionLostError("node1", detail="gone")

    hosts = {**three(), "node1": ScriptedHost("node1", outputs(1), reaches=lost)}
    result = await preflight(KUBERNETES, hosts, None, place)
    assert "node1" in result.facts
    assert [f.place.node for f in result.findings if f.code == "RBD-SSH-007"] == ["node1"]


async def test_a_filter_is_seen_in_the_matrix() -> None:
    def filtered(address: str, port: int) -> Reach:
        return Reach.TIMED_OUT if (address, port) == ("10.0.0.13", 9345) else Reach.REFUSED

    hosts = {**three(), "node1": ScriptedHost("node1", outputs(1), reaches=filtered)}
    result = await preflight(KUBERNETES, hosts, None, place)
    shut = [f for f in result.findings if f.code.startswith("RBD-NET-11")]
    assert [(f.code, str(f.message)) for f in shut] == [
        ("RBD-NET-110", "node1 cannot reach node3 (10.0.0.13) on TCP 9345.")
    ]


async def test_a_host_that_does_not_forward_is_asked_once_or_a_few_times() -> None:
    hosts = three(reaches=lambda address, port: Reach.FORBIDDEN)
    spec = spec_of(3)
    result = await preflight(spec, hosts, None, place)
    assert [f.code for f in result.findings if f.code.startswith("RBD-NET-11")] == ["RBD-NET-112"]
    assert all(len(host.reached) < 20 for host in hosts.values())


@pytest.mark.parametrize(("has_ping", "code"), [(True, set()), (False, {"RBD-VIP-110"})])
async def test_without_forwarding_ping_finds_out_about_the_vip(has_ping: bool, code: set[str]) -> None:
    asked: list[tuple[str, ...]] = []

    def neighbours(args: tuple[str, ...]) -> str:
        asked.append(args)
        return "pinged\n" if has_ping else ""

    hosts = three(reaches=lambda address, port: Reach.FORBIDDEN, neighbours=neighbours)
    result = await preflight(KUBERNETES, hosts, None, place)
    assert {f.code for f in result.findings if f.code.startswith("RBD-VIP")} == code
    assert set(asked) == {(VIP, "ping")}


async def test_connections_are_tried_in_parallel_within_a_limit() -> None:
    spec = spec_of(40)
    hosts = {node.name: ScriptedHost(node.name, outputs(1)) for node in spec.nodes}
    await preflight(spec, hosts, None, place)
    assert 2 <= max(host.most_under_way for host in hosts.values()) <= 17


async def test_a_squatter_on_the_vip_is_named() -> None:
    hosts = three(neighbours=lambda args: "" if "forget" in args else SEEN, reaches=lambda address, port: Reach.REFUSED)
    result = await preflight(KUBERNETES, hosts, None, place)
    finding = next(f for f in result.findings if f.code == "RBD-VIP-105")
    assert "00:0c:29:01:02:03" in str(finding.message)
    assert (VIP, 6443) in hosts["node1"].reached


SEEN = "neighbour 00:0C:29:01:02:03 eth0\n"


def gone_after_first(args_of_calls: list[tuple[str, ...]], *, can_forget: bool) -> Callable[[tuple[str, ...]], str]:
    def answer(args: tuple[str, ...]) -> str:
        args_of_calls.append(args)
        if "forget" in args:
            return "forgotten\n" if can_forget else ""
        return SEEN if len(args_of_calls) == 1 else ""

    return answer


@pytest.mark.parametrize("can_forget", [True, False])
async def test_an_entry_that_was_only_stale_is_no_squatter(monkeypatch: pytest.MonkeyPatch, can_forget: bool) -> None:
    monkeypatch.setattr(vip, "_STALE_AFTER_S", 30.0 if can_forget else 0.01)
    calls: dict[int, list[tuple[str, ...]]] = {1: [], 2: [], 3: []}
    hosts = {
        f"node{i}": ScriptedHost(f"node{i}", outputs(i), neighbours=gone_after_first(calls[i], can_forget=can_forget))
        for i in (1, 2, 3)
    }
    result = await asyncio.wait_for(preflight(KUBERNETES, hosts, None, place), 10)
    assert not [f for f in result.findings if f.code.startswith("RBD-VIP")]
    assert calls[1] == [(VIP,), (VIP, "forget"), (VIP,)]


async def test_findings_of_a_node_stand_together_in_the_order_of_the_spec() -> None:
    hosts = {**three(), "node1": ScriptedHost("node1", outputs(1), delay_s=0.2)}
    result = await preflight(KUBERNETES, hosts, None, place)
    nodes = [finding.place.node for finding in result.findings if finding.place.node]
    assert nodes == sorted(nodes)


async def test_preflight_can_be_cancelled() -> None:
    hosts = {**three(), "node1": ScriptedHost("node1", outputs(1), delay_s=60)}
    task = asyncio.create_task(preflight(KUBERNETES, hosts, None, place))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


class Tampered(ScriptedHost):
    """A host that answers as others do, with something done to what it says."""

    def __init__(self, name: str, outputs: dict[str, Output], spoil: Callable[[str], str]) -> None:
        super().__init__(name, outputs)
        self._spoil = spoil

    async def run(self, script: Script, *args: str, **options: Any) -> CommandResult:
        result = await super().run(script, *args, **options)
        return result if script.name != "facts" else replace(result, stdout=self._spoil(result.text).encode())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("@@end memory 0", "@@end memory " + "9" * 5000),
        lambda text: text.replace("@@fact claim\n", "@@fact claim\n" + "[" * 60_000),
        lambda text: "@@fact a\n" * 200_000,
        lambda text: text.replace("MemTotal:", "MemTotal: " + "9" * 3000 + " kB\nx:"),
        lambda text: text.replace("@@fact uname\n", "@@fact uname\n" + "9" * 5000 + ".1 x\n"),
    ],
    ids=["digits", "nested claim", "marks", "memory", "kernel"],
)
async def test_an_odd_answer_of_one_host_is_told_of_that_host_and_spares_the_others(
    spoil: Callable[[str], str],
) -> None:
    hosts = {**three(), "node2": Tampered("node2", outputs(2), spoil)}
    result = await preflight(KUBERNETES, hosts, None, place)
    good = await preflight(KUBERNETES, three(), None, place)
    of_others = [(f.code, f.place.node) for f in good.findings if f.place.node in ("node1", "node3")]
    assert [(f.code, f.place.node) for f in result.findings if f.place.node in ("node1", "node3")] == of_others
    assert [f.place.node for f in result.findings if f.code in ("RBD-FACT-101", "RBD-HOST-010")].count("node2") > 0


async def test_a_check_that_an_answer_upsets_is_told_of_that_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def upset(view: NodeView) -> list[Finding]:
        if view.facts.node == "node2":
            raise OverflowError("int too large to convert to float")
        return []

    monkeypatch.setattr("rbdtui.checks.NODE_CHECKS", (upset,))
    result = await preflight(KUBERNETES, three(), None, place)
    assert [(f.place.node, str(f.message)) for f in result.findings if f.code == "RBD-HOST-010"] == [
        ("node2", "node2: the answer of facts cannot be understood: OverflowError: int too large to convert to float")
    ]
