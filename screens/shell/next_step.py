"""What leads on from each section, in one quiet sentence, so that nobody has to know the way before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rbdtui.findings import Finding, Severity
from rbdtui.paths import as_typed
from rbdtui.probes.model import Health
from rbdtui.rainbond.console import console_url
from rbdtui.words import T, Text
from rbdtui.workbench.sections import BALANCER, HEALTH, NODES, ROLES, RUN, SITE, findings_in, next_used, section_named

if TYPE_CHECKING:
    from rbdtui.workbench.workbench import Workbench

_SAID_AFTER: Final = (SITE, NODES, ROLES)
"""Sections after which it is said in words of its own what comes next."""


def next_step(section: str, workbench: Workbench) -> Text | None:
    """What to press next in a section; None where the section says so itself."""
    entry = section_named(section)
    if not entry.plans:
        return _with_servers(section, workbench)
    if section == NODES and (hint := _of_nodes(workbench)) is not None:
        return hint
    if _is_installed(workbench):
        return T("hint.installed", key=_key_of(HEALTH))
    if entry.needs_nodes and not workbench.draft.data.get("nodes"):
        return Text(f"hint.after_{SITE}")  # words: hint.after_*
    mine = findings_in(workbench.findings, section)
    wrong = any(finding.severity is Severity.ERROR for finding in mine if not _is_missing(finding, workbench))
    if section == BALANCER and not wrong and (hint := _of_demo_address(workbench)) is not None:
        return hint
    if any(finding.severity is Severity.ERROR for finding in mine):
        return T("hint.put_right")
    following = next_used(section, workbench.draft.data)
    if following is None:
        return T("hint.after_plan")
    if section in _SAID_AFTER:
        return Text(f"hint.after_{section}")  # words: hint.after_*
    return T("hint.next", key=following.key, section=Text(f"section.{following.name}"))  # words: section.*


def _is_missing(finding: Finding, workbench: Workbench) -> bool:
    """Whether it is about a field in which nothing stands yet."""
    from rbdtui.workbench.draft.operations import value_at  # only once a site is open: it loads all of the spec

    return value_at(workbench.draft.data, finding.place.field) in (None, "")


def _of_nodes(workbench: Workbench) -> Text | None:
    nodes = workbench.draft.data.get("nodes")
    if not nodes:
        return _first_nodes(workbench)
    from rbdtui.workbench.live.live import LiveState  # brings all of SSH, which the first picture must not wait for

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


def _is_installed(workbench: Workbench) -> bool:
    """Whether the run that is looked at ended well with the plan as it is now: nothing of it is left to be done."""
    run = workbench.run
    if run is None or run.alive or not run.installs or workbench.draft.dirty:
        return False
    from rbdtui.engine.inputs import spec_digest  # once there is a run
    from rbdtui.workbench.run.run_phase import RunPhase, phase_of

    same = run.state().spec_sha256 == spec_digest(workbench.draft.saved_text.encode())
    return same and phase_of(run) is RunPhase.DONE


def _key_of(section: str) -> str:
    from screens.shell.sections import entry_of  # which knows all screens, and they this

    entry = entry_of(section)
    return entry.key if entry is not None else ""


def _with_servers(section: str, workbench: Workbench) -> Text | None:
    """How the cluster is used, once it is there; in the demo trouble can be made, to be seen while a run goes on."""
    if section == RUN and workbench.run is not None:
        from rbdtui.workbench.run.run_phase import RunPhase, phase_of  # once there is a run

        phase = phase_of(workbench.run)
        if phase is RunPhase.DONE and workbench.run.purpose is not None and not workbench.run.installs:
            return workbench.run.purpose.done
        if phase is RunPhase.DONE:
            return _how_it_is_used(workbench)
        under_way = workbench.active_run is not None and phase_of(workbench.active_run) is RunPhase.RUNNING
        return T("hint.faults_run") if workbench.faults is not None and under_way else None
    if section != HEALTH:
        return None
    if workbench.faults is not None:
        return T("hint.faults_health")
    snapshot = workbench.health.snapshot
    return _how_it_is_used(workbench) if snapshot is not None and snapshot.health is Health.OK else None


def _how_it_is_used(workbench: Workbench) -> Text | None:
    """By Rainbond's console, and with its kubeconfig, which the proof of a run has written."""
    file, spec = workbench.site.kubeconfig_file, workbench.draft.spec
    if not file.is_file():
        return None
    url = console_url(spec) if spec is not None else ""
    return T("hint.console", url=url, file=as_typed(file)) if url else T("hint.use", file=as_typed(file))
