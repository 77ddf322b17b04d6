"""The report as Markdown (CommonMark with tables), for wikis and tickets; no word of a server becomes markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rbdtui.findings import Finding
from rbdtui.report.lanes import clock, step_numbers, took
from rbdtui.report.model import Report, Row, RunPart
from rbdtui.report.phrases import bytes_words, day_and_time, durations, figures, verdicts
from rbdtui.terminal_text import clean_lines, sanitize_line
from rbdtui.words import T, Text

_EVIDENCE_LINES: Final = 12
_ACTS: Final = re.compile(r"([\\`*_{}\[\]<>()#|~!&@$^=]|://|^\s*(?:[-+]|\d+[.)])(?=\s)|(?<=www)\.)")


def markdown_report(report: Report) -> str:
    """The whole file, in the current language."""
    lines = [
        f"# {_text(T('report.title', site=report.site))}",
        "",
        _text(T("report.made", when=day_and_time(report.made_at), version=report.version)),
        "",
        *(f"- **{_text(text)}**" for text, _ in verdicts(report)),
        *(f"- {_text(label)}: {_text(value)}" for value, label in figures(report)),
    ]
    if report.simulated:
        lines += ["", f"> {_text(T('report.simulated'))}"]
    if report.problem is not None:
        lines += ["", f"> {_text(report.problem)}"]
    for name, content in _sections(report):
        lines += ["", f"## {_text(Text(f'report.{name}.title'))}", "", *content]  # words: report.*.title
    return "\n".join([*lines, "", "---", "", _text(T("report.footer", version=report.version)), ""])


def _sections(report: Report) -> Iterator[tuple[str, Iterable[str]]]:
    yield "installed", _installed(report)
    if report.topology is not None:
        yield "topology", [*_topology(report), "", *_nodes(report)]
    yield "findings", _findings(report)
    yield "single_points", _single_points(report)
    yield "timeline", _timeline(report)
    yield "health", _health(report)
    yield "drill", _drills(report)
    if report.next_steps:
        yield "next", _rows(report.next_steps)


def _text(text: Text | str) -> str:
    """One line of words, in which nothing is markup."""
    return _ACTS.sub(
        lambda found: "\\" + found[0] if found[0].strip() == found[0] else _indented(found[0]), sanitize_line(str(text))
    )


def _indented(start: str) -> str:
    """A line that would begin a list."""
    mark = start.strip()
    return f"{mark[:-1]}\\{mark[-1]}"


def _code(text: str) -> str:
    """Raw words as code, in which backticks are no end."""
    said = sanitize_line(text).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", said)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if said.startswith("`") or said.endswith("`") or not said else ""
    return f"{fence}{pad}{said}{pad}{fence}"


def _table(heads: Sequence[Text | str], rows: Iterable[Sequence[str]]) -> list[str]:
    titles = [_text(head) or " " for head in heads]
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _rows(rows: Iterable[Row]) -> list[str]:
    return [f"- {_text(row.label)}: {_text(row.value)}" for row in rows]


def _installed(report: Report) -> list[str]:
    lines = _rows(report.installed)
    if not report.files:
        lines += ["", _text(T("report.files.none"))]
    heads = (T("report.files.name"), T("report.files.version"), T("report.files.size"), T("report.files.sha256"))
    rows = [
        (_text(file.name), _text(file.version or "–"), bytes_words(file.size_bytes), _code(file.sha256))
        for file in report.files
    ]
    if rows:
        lines += ["", f"### {_text(T('report.files.title'))}", "", *_table(heads, rows)]
    if report.images:
        images = [(_code(image), _code(digest)) for image, digest in sorted(report.images.items())]
        heads_of = (T("report.images.image"), T("report.images.digest"))
        lines += ["", f"### {_text(T('report.images.title'))}", "", *_table(heads_of, images)]
    return lines


def _topology(report: Report) -> list[str]:
    topology = report.topology
    assert topology is not None
    boxes = [box for box in (topology.entry, topology.api, *topology.outside) if box is not None]
    return [f"- {_text(Text(f'report.topology.{box.kind.value}'))}: {_text(box.at)}" for box in boxes]


def _nodes(report: Report) -> list[str]:
    heads = (
        T("report.nodes.name"), T("report.nodes.address"), T("report.nodes.roles"), T("report.nodes.system"),
        T("report.nodes.cpu"), T("report.nodes.memory"), T("report.nodes.disk"),
    )  # fmt: skip
    return _table(
        heads,
        (
            (
                _text(node.name),
                _text(node.address),
                _text(", ".join(role.value for role in node.roles)),
                _text(node.system or T("report.nodes.never_asked")),
                str(node.cpu_count or "–"),
                bytes_words(node.memory_bytes),
                bytes_words(node.disk_bytes),
            )
            for node in report.nodes
        ),
    )


def _findings(report: Report) -> Iterator[str]:
    yield _text(report.findings_from)
    yield ""
    if not report.findings:
        yield _text(T("report.findings.none"))
    for finding in report.findings:
        yield from _finding(finding)
    if not report.acknowledged and not report.unseen_acknowledged:
        return
    yield from ("", f"### {_text(T('report.findings.acknowledged'))}", "")
    for finding in report.acknowledged:
        yield from _finding(finding)
    for code, node, reason in report.unseen_acknowledged:
        said = T("report.findings.reason", reason=reason)
        yield f"- {_text(f'{code} {node}'.strip())}: {_text(said)} {_text(T('report.findings.unseen'))}"


def _finding(finding: Finding) -> Iterator[str]:
    word = T("report.findings.accepted") if finding.acknowledged else Text(f"cli.severity.{finding.severity.value}")
    head = f"{finding.code} {finding.place}".strip()
    yield f"- **{_text(word)}** {_text(head)}: {_text(finding.message)}"
    if finding.acknowledged:
        yield f"  {_text(T('report.findings.reason', reason=finding.acknowledged))}"
    else:
        yield f"  {_text(finding.remedy)}"
    for line in clean_lines(finding.evidence.rstrip("\n"), _EVIDENCE_LINES) if finding.evidence else []:
        if line.strip():
            yield f"  - {_code(line)}"


def _single_points(report: Report) -> list[str]:
    if not report.single_points:
        return [_text(T("report.single_points.none"))]
    heads = (T("report.single_points.loss"), T("report.single_points.what"), T("report.single_points.choice"))
    rows = []
    for point in report.single_points:
        loss = Text(f"report.loss.{point.loss.value}")  # words: report.loss.*
        rows.append((_text(loss), _text(point.text), _code(point.choice) if point.choice else "–"))
    return [_text(T("report.single_points.intro")), "", *_table(heads, rows)]


def _timeline(report: Report) -> Iterator[str]:
    main = report.main_run
    if main is None:
        yield _text(T("report.timeline.none"))
        return
    for run in report.runs:
        yield f"- {_text(_run_sentence(run))} {_text(Text(f'run_screen.phase.{run.phase.value}'))}"
    for run_id, reason in report.unreadable_runs:
        yield f"- {_text(run_id)}: {_text(reason)}"
    if main.lanes:
        yield from ("", f"### {_text(T('report.timeline.steps'))}", "")
        yield from _steps(main)
    yield from ("", f"### {_text(T('report.incidents.title'))}", "")
    found = [incident for run in reversed(report.runs) for incident in run.incidents]
    if not found:
        yield _text(T("report.incidents.none"))
    for incident in found:
        where = " ".join(filter(None, (incident.node, str(incident.title or ""))))
        yield f"- {_text(day_and_time(incident.at))} **{_text(where or '–')}** {_text(incident.text)}"


def _run_sentence(run: RunPart) -> Text:
    return T(
        "report.timeline.run", run=run.run_id, began=day_and_time(run.began_at), took=took(run.active_s),
        by=run.by or "–", version=run.version, changed=run.changed, steps=run.steps,
    )  # fmt: skip


def _steps(run: RunPart) -> list[str]:
    """A line for each node and step, in the order of time: tables of many nodes are too wide for Markdown."""
    numbers, table = step_numbers(run), durations(run)
    rows: list[Sequence[str]] = []
    for lane in run.lanes:
        node = _text(lane.node or T("report.timeline.this_machine"))
        titles = {span.step: span.title for span in lane.spans}
        starts = {span.step: span.start for span in reversed(lane.spans)}
        for step in sorted(starts, key=lambda step: starts[step]):
            began = clock(max(0.0, starts[step] - run.began_at))
            rows.append((node, f"{numbers[step]} {_text(titles[step])}", began, took(table[step, lane.node])))
    heads = (T("report.incidents.where"), T("report.timeline.step"), T("report.timeline.after"), T("report.runs.took"))
    return _table(heads, rows)


def _health(report: Report) -> Iterator[str]:
    snapshot = report.health
    if snapshot is None:
        yield _text(report.no_health or T("report.health.not_asked"))
        return
    yield f"**{_text(Text(f'report.verdict.health_{snapshot.health.value}'))}** {_text(snapshot.headline)}"
    yield ""
    yield _text(T("report.health.asked", when=day_and_time(snapshot.at)))
    yield ""
    heads = (T("report.health.probe"), T("report.health.state"), T("report.health.detail"))
    rows = (
        (_code(status.key.id), _text(Text(f"health.state.{status.state.value}")), _text(status.detail))
        for status in snapshot.probes
    )
    yield from _table(heads, rows)


def _drills(report: Report) -> list[str]:
    if not report.drills:
        return [_text(T("report.drill.none"))]
    heads = (
        T("report.drill.when"), T("report.drill.what"), T("report.drill.state"),
        T("report.drill.gap"), T("report.drill.result"),
    )  # fmt: skip
    return _table(
        heads,
        (
            (
                _text(day_and_time(drill.at)),
                _text(drill.title),
                _text(T("report.drill.passed") if drill.passed else T("report.drill.not_passed")),
                "–" if drill.gap_s is None else f"{drill.gap_s:.1f} s",
                _text(drill.result),
            )
            for drill in report.drills
        ),
    )
