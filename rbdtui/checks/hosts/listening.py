"""Check that the ports a plan needs on a host are free, and who has them otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rbdtui.checks.hosts.ports import listening_needs
from rbdtui.checks.view import NodeView
from rbdtui.facts.model import Listener, NodeFacts
from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import T, Text

_OUR_UNITS: Final = frozenset(
    {"haproxy.service", "kubepods", "keepalived.service", "rke2-agent.service", "rke2-server.service"}
)


def ports_free(view: NodeView) -> Iterator[Finding]:
    """Each program that has a port which the plan needs is named once, with all such ports."""
    taken: dict[tuple[bool, int, str], list[Listener]] = {}
    purposes: dict[tuple[bool, int, str], dict[str, None]] = {}
    for need in listening_needs(view.spec, view.node, view.rke2_version):
        for listener in view.facts.listeners:
            if (listener.protocol, listener.port) != (need.protocol, need.port) or _is_ours(view, listener):
                continue
            holder = (need.essential, listener.pid, listener.process)
            taken.setdefault(holder, []).append(listener)
            purposes.setdefault(holder, {})[need.purpose] = None
    for holder, listeners in taken.items():
        yield _finding(view, holder[0], listeners, list(purposes[holder]))


def in_the_way(spec: ClusterSpec, facts: NodeFacts) -> frozenset[str]:
    """The units of the programs that have a port which some part of the plan needs on a host, if they are units."""
    needs = {(need.protocol, need.port) for need in listening_needs(spec, spec.node(facts.node), None)}
    return frozenset(each.unit for each in facts.listeners if (each.protocol, each.port) in needs and each.unit)


def _is_ours(view: NodeView, listener: Listener) -> bool:
    """Whether an earlier run of ours started the listener; the kernel's own sockets have no process."""
    return view.ours and (listener.unit in _OUR_UNITS or not listener.process)


def _finding(view: NodeView, essential: bool, listeners: list[Listener], purposes: list[str]) -> Finding:
    ports = dict.fromkeys(f"{each.port}/{each.protocol}" for each in listeners)
    evidence = "\n".join(f"{each.protocol} {each.address}:{each.port}" for each in listeners)
    code, severity = ("RBD-PORT-101", Severity.ERROR) if essential else ("RBD-PORT-102", Severity.WARNING)
    return view.finding(
        code,
        severity,
        ports=", ".join(ports),
        process=_name(listeners[0]),
        purposes=", ".join(purposes),
        evidence=evidence,
    )


def _name(listener: Listener) -> str | Text:
    if not listener.process:
        return T("checks.unknown_process")
    unit = f", {listener.unit}" if listener.unit else ""
    return f"{listener.process} (pid {listener.pid}{unit})"
