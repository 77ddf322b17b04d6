"""What is to be said of the server under the cursor: first what is wrong and what to do, then what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich.text import Text as Line

from rbdtui.findings import Finding, Severity
from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from rbdtui.workbench.draft.cell_edit import FIELDS
from rbdtui.workbench.draft.operations import text_at, value_at
from rbdtui.workbench.live.live import LiveNode, LiveState
from rbdtui.workbench.live.node_rows import DATA_PATH, Mark, NodeRow, findings_by_node, in_field, size
from rbdtui.workbench.workbench import Workbench
from screens.shell.base import BaseScreen, R
from screens.widgets.field import severity_look

_OWN_REMEDIES: Final[Mapping[str, Text]] = {
    "RBD-SSH-005": T("nodes.remedy.new_key"),
    "RBD-SSH-006": T("nodes.remedy.changed_key"),
    "RBD-SSH-004": T("nodes.remedy.denied"),
    "RBD-SSH-011": T("nodes.remedy.sudo_wrong"),
    "RBD-SSH-013": T("nodes.remedy.sudo_asks"),
}
"""What to do in this screen, where the remedy of the command line is another."""
_MISSING: Final = "RBD-SPEC-002"
_MISSING_REMEDIES: Final[Mapping[str, Text]] = {
    "name": T("nodes.remedy.no_name"),
    "address": T("nodes.remedy.no_address"),
}


def detail_lines(
    screen: BaseScreen[R], workbench: Workbench, row: NodeRow, column: str, most_findings: int, *, beside: bool = False
) -> list[Line]:
    """The page on one server; ``beside`` the table what it is takes a line for each fact."""
    findings = findings_by_node(workbench.draft.data, workbench.findings).get(row.index, [])
    live = workbench.live.nodes.get(row.name)
    lines = [_heading(workbench, row)]
    ordered = in_urgency(findings, FIELDS.get(column, ""))
    told = [finding for finding in ordered if finding.severity is not Severity.INFO]
    for finding in told[:most_findings]:
        lines += _finding_lines(screen, finding)
    if len(told) > most_findings:
        lines.append(Line(str(T("nodes.more", count=len(told) - most_findings)), style="dim"))
    if not told:
        lines += _state_lines(live)
    facts = _facts(live)
    if beside:
        return [*lines, Line(), *(Line(clean_line(str(fact)), style="dim") for fact in facts)]
    return [
        *lines,
        *([Line(clean_line(str(T("nodes.fact.between")).join(map(str, facts))), style="dim")] if facts else []),
    ]


def in_urgency(findings: Sequence[Finding], field: str) -> list[Finding]:
    """What blames the field under the cursor first, then the worst first."""
    return sorted(findings, key=lambda finding: (bool(field) and in_field(finding) != field, finding.severity.rank))


def _heading(workbench: Workbench, row: NodeRow) -> Line:
    line = Line(row.name or str(T("nodes.no_name")), style="bold", no_wrap=True, overflow="ellipsis")
    if row.address:
        line.append(f"  {row.user}@{row.address}:{row.port}", style="not bold default")
    bastion = _bastion(workbench, row.index)
    if bastion:
        line.append(f"  {T('nodes.via', bastion=bastion)}", style="not bold dim")
    return line


def _bastion(workbench: Workbench, index: int) -> str:
    """The host in between, as the node or the site has it."""
    data = workbench.draft.data
    if value_at(data, f"nodes[{index}].ssh.bastion") == []:
        return ""
    for section in (f"nodes[{index}].ssh.bastion", "ssh.bastion"):
        if address := text_at(data, f"{section}.address"):
            user = text_at(data, f"{section}.user")
            return clean_line(f"{user}@{address}" if user else address)
    return ""


def login_line(screen: BaseScreen[R], workbench: Workbench, row: NodeRow) -> Line:
    """Whether the login works, and if not, why."""
    findings = findings_by_node(workbench.draft.data, workbench.findings).get(row.index, [])
    failure = next((finding for finding in findings if finding.code.startswith("RBD-SSH-")), None)
    if failure is not None:
        return next(_finding_lines(screen, failure))
    sign = screen.glyphs.ok if row.login.mark is Mark.OK else screen.glyphs.busy
    look = screen.style("success", bold=True) if row.login.mark is Mark.OK else "dim"
    return Line(f"{sign} {row.login.text or T('nodes.incomplete')}", style=look)


def _finding_lines(screen: BaseScreen[R], finding: Finding) -> Iterator[Line]:
    finding = finding.on_form()
    colour, sign = severity_look(screen, finding.severity)
    line = Line(f"{sign} ", style=f"bold {colour}")
    line.append(clean_line(str(finding.message)), style=f"not bold {colour}")
    line.append(f"  {finding.code}", style="not bold dim")
    yield line
    yield Line(clean_line(str(_remedy(finding))))


def _remedy(finding: Finding) -> Text:
    """What to do about it here."""
    if finding.code == _MISSING and (missing := _MISSING_REMEDIES.get(in_field(finding))) is not None:
        return missing
    return _OWN_REMEDIES.get(finding.code, finding.remedy)


def _state_lines(live: LiveNode | None) -> list[Line]:
    """What is going on while nothing is wrong."""
    match live.state if live is not None else LiveState.INCOMPLETE:
        case LiveState.INCOMPLETE:
            return [Line(str(T("nodes.incomplete")), style="dim")]
        case LiveState.WAITING | LiveState.ASKING:
            return [Line(str(T("nodes.being_asked")), style="dim")]
        case _:
            return []


def _facts(live: LiveNode | None) -> list[Text | str]:
    """What a server has answered."""
    facts = live.facts if live is not None else None
    if facts is None:
        return []
    parts: list[Text | str] = [
        facts.os.pretty_name or f"{facts.os.id} {facts.os.version_id}", T("nodes.fact.kernel", version=facts.kernel),
        facts.arch, T("nodes.fact.cpus", count=facts.cpu_count),
        T("nodes.fact.memory", amount=size(facts.memory.total_bytes)),
    ]  # fmt: skip
    if (mount := facts.mount_of(DATA_PATH)) is not None:
        amounts = {"free": size(mount.available_bytes), "total": size(mount.size_bytes)}
        parts.append(T("nodes.fact.disk", path=DATA_PATH, **amounts))
    if facts.clock is not None:
        offset, uncertainty = f"{facts.clock.offset_s:+.2f}", f"{facts.clock.uncertainty_s:.2f}"
        parts.append(T("nodes.fact.clock", offset=offset, uncertainty=uncertainty))
    parts += [
        f"{interface.name} {', '.join(str(address) for address in interface.addresses)}"
        for interface in facts.interfaces
        if interface.addresses and interface.name != "lo"
    ][:4]
    return [part for part in parts if str(part)]
