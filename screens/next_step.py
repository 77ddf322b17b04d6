"""What leads on from each section, in one quiet sentence, so that nobody has to know the way before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rbdtui.findings import Finding, Severity
from rbdtui.words import T, Text
from rbdtui.workbench.sections import BALANCER, HEALTH, NODES, ROLES, RUN, SITE, findings_in

if TYPE_CHECKING:
    from rbdtui.workbench.workbench import Workbench

_PLANNING: Final = (SITE, NODES, ROLES, BALANCER)
"""Sections in which the plan is made, in the order of the work."""


def next_step(section: str, workbench: Workbench) -> Text | None:
    """What to press next in a section; None where the section says so itself."""
    if section not in _PLANNING:
        return _with_servers(section, workbench)
    if section == NODES and (hint := _of_nodes(workbench)) is not None:
        return hint
    if section in (ROLES, BALANCER) and not workbench.draft.data.get("nodes"):
        return Text(f"hint.after_{SITE}")  # words: hint.after_*
    mine = findings_in(workbench.findings, section)
    wrong = any(finding.severity is Severity.ERROR for finding in mine if not _is_missing(finding, workbench))
    if section == BALANCER and not wrong and (hint := _of_demo_address(workbench)) is not None:
        return hint
    if any(finding.severity is Severity.ERROR for finding in mine):
        return T("hint.put_right")
    return Text(f"hint.after_{section}")  # words: hint.after_*


def _is_missing(finding: Finding, workbench: Workbench) -> bool:
    """Whether it is about a field in which nothing stands yet."""
    from rbdtui.workbench.operations import value_at  # only once a site is open: it loads all of the spec

    return value_at(workbench.draft.data, finding.place.field) in (None, "")


def _of_nodes(workbench: Workbench) -> Text | None:
    nodes = workbench.draft.data.get("nodes")
    if not nodes:
        return _first_nodes(workbench)
    from rbdtui.workbench.live import LiveState  # brings all of SSH, which the first picture must not wait for

    states = [node.state for node in workbench.live.nodes.values()]
    if LiveState.KEY_UNKNOWN in states and not workbench.live.busy:
        return T("hint.trust", count=states.count(LiveState.KEY_UNKNOWN))
    return T("hint.asking") if workbench.live.busy else None


def _first_nodes(workbench: Workbench) -> Text:
    """The demo's servers are where nobody can know them."""
    known = workbench.faults.addresses if workbench.faults is not None else ()
    if not known:
        return T("hint.no_nodes")
    return T("hint.demo_nodes", range=f"{known[0]}-{known[-1].rpartition('.')[2]}")


def _of_demo_address(workbench: Workbench) -> Text | None:
    """Nobody can know which address is free among the demo's."""
    faults, gateway = workbench.faults, workbench.draft.data.get("gateway")
    fields = gateway if isinstance(gateway, dict) else {}
    if faults is None or not faults.free_address or fields.get("mode", "keepalived") != "keepalived":
        return None
    if not fields.get("vip"):
        return T("hint.demo_vip", vip=faults.free_address)
    return None if fields.get("virtual_router_id") else T("hint.demo_router_id")


def _with_servers(section: str, workbench: Workbench) -> Text | None:
    """In the demo trouble can be made, which is what there is to be seen next while a run goes on."""
    if workbench.faults is None:
        return None
    if section == RUN and workbench.active_run is not None:
        from rbdtui.workbench.run_phase import RunPhase, phase_of  # once there is a run

        return T("hint.faults_run") if phase_of(workbench.active_run) is RunPhase.RUNNING else None
    return T("hint.faults_health") if section == HEALTH else None
