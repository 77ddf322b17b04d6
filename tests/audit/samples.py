"""A site of Rainbond 3.6 to be compared: its plan, its hosts before and after, and what is seen of them."""

from __future__ import annotations

from collections.abc import Mapping

from rbdtui.audit.audit import Audit, judge
from rbdtui.audit.facts import facts_for
from rbdtui.audit.row import Row, RowState
from rbdtui.audit.seen import SeenHost, SeenSite, seen_from
from rbdtui.audit.target import OF_MANAGE, OF_VIP, Target, target_of
from rbdtui.facts.compose import frame_outputs, split_outputs
from rbdtui.facts.fact import Answers, Output
from rbdtui.simulator.rainbond_3_6 import OldHost
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.model import ClusterSpec

PLAN = """\
apiVersion: rbdtui/v1
name: old
profile: rainbond-3.6
bundle: nothing
ssh: {user: root, agent: true}
nodes:
  - {name: manage01, address: 10.0.0.11, roles: [control-plane, etcd]}
  - {name: compute01, address: 10.0.0.12, roles: [worker, gateway]}
  - {name: compute02, address: 10.0.0.13, roles: [worker, gateway]}
gateway: {mode: keepalived, vip: 10.0.0.100/24, virtual_router_id: 87}
glusterfs: {mode: MODE, disk: /dev/vdb, brick: /data/glusterfs, volume: data}
"""


def plan(mode: str = "arbiter") -> ClusterSpec:
    """The spec."""
    spec = parse_spec(PLAN.replace("MODE", mode)).spec
    assert spec is not None
    return spec


def target(mode: str = "arbiter") -> Target:
    """What the page wants of it."""
    return target_of(plan(mode))


def seen(hosts: Mapping[str, OldHost], mode: str = "arbiter", **outputs: Output) -> SeenSite:
    """The site out of what its hosts' commands print; ``outputs`` are those of all hosts, by fact."""
    wanted = target(mode)
    return SeenSite(wanted, {name: _host(wanted, host, outputs) for name, host in hosts.items()})


def _host(wanted: Target, host: OldHost, outputs: Mapping[str, Output]) -> SeenHost:
    names = (*OF_VIP, *OF_MANAGE, *(server.name for server in wanted.servers))
    printed = {name: Output(0, text) for name, text in host.command_outputs(names).items()}
    framed = frame_outputs({**printed, **outputs}, 1.0)
    return seen_from(host.server, facts_for(wanted), Answers(split_outputs(framed)))


def audited(hosts: Mapping[str, OldHost], mode: str = "arbiter", **outputs: Output) -> Audit:
    """The audit of it."""
    return judge(plan(mode), seen(hosts, mode, **outputs))


def row_of(audit: Audit, row_id: str) -> Row:
    """One row."""
    return next(row for row in audit.rows if row.id == row_id)


def states(audit: Audit) -> dict[str, RowState]:
    """All rows' states."""
    return {row.id: row.state for row in audit.rows}


def words(row: Row) -> str:
    """What was seen, as an operator reads it."""
    return "\n".join(f"{part.node}: {part.state.value} {part.text}" for part in row.parts)
