"""What head and rail say of a site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from screens.shell.sections import SECTION_SCREENS
from screens.widgets.frame import RailEntry

if TYPE_CHECKING:
    from rbdtui.workbench.run.run_view import RunFollower
    from rbdtui.workbench.workbench import Workbench


def rail_entries(workbench: Workbench) -> tuple[RailEntry, ...]:
    """The rail as it stands."""
    from rbdtui.workbench.rail import section_statuses  # a start without a site needs nothing of it

    known = {status.section: status for status in section_statuses(workbench)}
    return tuple(
        RailEntry(entry.key, entry.section, known[entry.section].state, known[entry.section].problems)
        for entry in SECTION_SCREENS
    )


def head_left(workbench: Workbench, section: str = "") -> str:
    """Site, profile and size, with two blanks between them; a section in place of the profile where one is named."""
    data = workbench.draft.data
    nodes = data.get("nodes")
    count = len(nodes) if isinstance(nodes, list) else 0
    parts = [clean_line(str(data.get(key) or "")) for key in ("name", "profile")]
    parts[0] = parts[0] or workbench.site.path.name
    parts[1] = str(Text(f"section.{section}")) if section else parts[1]  # words: section.*
    return "  ".join([*parts, str(T("shell.nodes", count=count))])


def head_mark(workbench: Workbench) -> str:
    """What must never be overlooked."""
    return str(T("shell.simulated")) if workbench.simulated else ""


def _run_words(run: RunFollower) -> str:
    """Which run is under way, and how it stands where it does not simply go on."""
    from rbdtui.workbench.run.run_phase import RunPhase, phase_of  # a start without a run needs nothing of it

    phase, name = phase_of(run), run.run_id.rpartition("-")[2]
    if phase in (RunPhase.RUNNING, RunPhase.READING):
        if run.purpose is not None and not run.installs:
            return str(T("shell.work_active", work=run.purpose.title, run=name))
        return str(T("shell.run_active", run=name))
    word = T(f"run_screen.phase.{phase.value}")  # words: run_screen.phase.*
    return str(T("shell.run_stands", run=name, phase=word))


def head_right(workbench: Workbench) -> str:
    """A draft that the disk does not take, else the run under way, and in any case whether the draft is not saved."""
    if workbench.draft.keep_error:
        return str(T("shell.not_kept", reason=workbench.draft.keep_error))
    run = workbench.active_run
    parts = [_run_words(run)] if run is not None else []
    if workbench.draft.dirty:
        parts.append(str(T("shell.not_saved")))
    return "  ".join(parts)
