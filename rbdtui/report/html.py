"""The report as one HTML file: style and drawings are in it, nothing is loaded, nothing runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rbdtui.findings import Finding, Severity
from rbdtui.probes.model import BALANCER, CLUSTER, VIP, Health, ProbeState, ProbeStatus
from rbdtui.report.lanes import draw_lanes, step_numbers, took
from rbdtui.report.markup import Content, Html, join, tag
from rbdtui.report.model import Report, Row, RunPart
from rbdtui.report.page import page
from rbdtui.report.phrases import MOST_COLUMNS, bytes_words, day_and_time, durations, figures, short_time, verdicts
from rbdtui.report.topology import draw_topology
from rbdtui.terminal_text import clean_lines
from rbdtui.words import T, Text
from rbdtui.workbench.health.health_table import health_table
from rbdtui.workbench.run.timeline import Tone

_EVIDENCE_LINES: Final = 12
_MOST_INCIDENTS: Final = 60
_TONES: Final = {Tone.PLAIN: "", Tone.GOOD: "good", Tone.WARN: "warn", Tone.BAD: "bad"}
_STATES: Final = {
    ProbeState.OK: "good",
    ProbeState.EXPECTED: "",
    ProbeState.DEGRADED: "warn",
    ProbeState.DOWN: "bad",
    ProbeState.UNKNOWN: "warn",
}


def html_report(report: Report) -> str:
    """The whole file, in the current language."""
    return page(T("report.title", site=report.site), _header(report), *_sections(report), _footer(report))


def _header(report: Report) -> Html:
    badges = [_badge(text, _TONES[tone]) for text, tone in verdicts(report)]
    cells = [tag("div", tag("b", value), tag("span", label), class_="figure") for value, label in figures(report)]
    return tag(
        "header",
        tag("p", T("report.kicker", profile=report.profile), class_="kicker"),
        tag("h1", report.site),
        tag("p", T("report.made", when=day_and_time(report.made_at), version=report.version), class_="soft"),
        tag("div", badges, class_="badges"),
        tag("div", cells, class_="figures") if cells else "",
        *(tag("p", text, class_="notice") for text in _notices(report)),
    )


def _notices(report: Report) -> Iterator[Text]:
    if report.simulated:
        yield T("report.simulated")
    if report.problem is not None:
        yield report.problem


def _sections(report: Report) -> Iterator[Html]:
    yield _section("installed", _installed(report))
    if report.topology is not None:
        yield _section("topology", _both(lambda wide: _topology(report, wide)), _nodes(report))
    yield _section("findings", _findings(report))
    yield _section("single_points", _single_points(report))
    yield _section("timeline", *_runs(report))
    yield _section("health", *_health(report))
    yield _section("drill", _drills(report))
    if report.next_steps:
        yield _section("next", _facts(report.next_steps))


def _section(name: str, *content: Content) -> Html:
    return tag("section", tag("h2", Text(f"report.{name}.title")), *content)  # words: report.*.title


def _both(draw: object) -> Html:
    """A drawing for wide pages and for phones; style shows one of them."""
    assert callable(draw)
    return tag("figure", tag("div", draw(True), class_="wide"), tag("div", draw(False), class_="narrow"))


def _badge(text: Text | str, kind: str = "") -> Html:
    return tag("span", text, class_=f"badge {kind}".strip())


def _facts(rows: Iterable[Row]) -> Html:
    return tag(
        "table",
        tag("tbody", (tag("tr", tag("th", row.label), tag("td", _value(row))) for row in rows)),
        class_="facts stacked",
    )


def _value(row: Row) -> Html:
    if isinstance(row.value, str) and row.value.startswith(("rbdtui ", "journalctl ", "https://")):
        return tag("code", row.value, class_="command")
    return join(row.value)


def _table(
    heads: Sequence[Text | str], rows: Iterable[Sequence[Content]], *, numbers: Sequence[int] = (), stacked: bool = True
) -> Html:
    """A table whose rows become blocks on a phone, each cell behind the head of its column."""
    titles = [str(head) for head in heads]
    head = tag("tr", (tag("th", title, class_="number" if i in numbers else None) for i, title in enumerate(titles)))
    body = [
        tag(
            "tr",
            (
                tag(
                    "td",
                    cell,
                    class_="number" if i in numbers else None,
                    data_label=titles[i] if i and titles[i] else None,
                )
                for i, cell in enumerate(row)
            ),
        )
        for row in rows
    ]
    table = tag("table", tag("thead", head), tag("tbody", body), class_="stacked" if stacked else None)
    return tag("div", table, class_="scroll")


def _installed(report: Report) -> Html:
    parts = [_facts(report.installed)]
    if report.files:
        heads = (T("report.files.name"), T("report.files.version"), T("report.files.size"), T("report.files.sha256"))
        rows = [
            (tag("b", file.name), file.version or "–", bytes_words(file.size_bytes), tag("code", file.sha256))
            for file in report.files
        ]
        parts += [tag("h3", T("report.files.title")), _table(heads, rows, numbers=(2,))]
    else:
        parts.append(tag("p", T("report.files.none"), class_="soft"))
    if report.images:
        images = [(tag("code", image), tag("code", digest)) for image, digest in sorted(report.images.items())]
        parts += [
            tag("h3", T("report.images.title")),
            _table((T("report.images.image"), T("report.images.digest")), images),
        ]
    return join(parts)


def _topology(report: Report, wide: bool) -> Html:
    assert report.topology is not None
    return draw_topology(report.topology, width=960 if wide else 360, columns=3 if wide else 1)


def _nodes(report: Report) -> Html:
    heads = (
        T("report.nodes.name"), T("report.nodes.address"), T("report.nodes.roles"), T("report.nodes.system"),
        T("report.nodes.cpu"), T("report.nodes.memory"), T("report.nodes.disk"),
    )  # fmt: skip
    rows = [
        (
            tag("b", node.name),
            node.address,
            tag("span", (tag("span", role.value) for role in node.roles), class_="roles"),
            node.system or T("report.nodes.never_asked"),
            str(node.cpu_count or "–"),
            bytes_words(node.memory_bytes),
            bytes_words(node.disk_bytes),
        )
        for node in report.nodes
    ]
    return join(tag("h3", T("report.nodes.title")), _table(heads, rows, numbers=(4, 5, 6)))


def _findings(report: Report) -> Html:
    parts = [tag("p", report.findings_from, class_="soft")]
    if not report.findings:
        parts.append(tag("p", T("report.findings.none")))
    parts += [_finding(finding) for finding in report.findings]
    if report.acknowledged or report.unseen_acknowledged:
        parts.append(tag("h3", T("report.findings.acknowledged")))
    parts += [_finding(finding) for finding in report.acknowledged]
    for code, node, reason in report.unseen_acknowledged:
        where = [tag("span", code, class_="code"), tag("b", node) if node else ""]
        texts = (
            tag("p", T("report.findings.reason", reason=reason)),
            tag("p", T("report.findings.unseen"), class_="soft"),
        )
        parts.append(tag("div", tag("div", *where, class_="head"), *texts, class_="item"))
    return join(parts)


def _finding(finding: Finding) -> Html:
    kind = {Severity.ERROR: "bad", Severity.WARNING: "warn"}.get(finding.severity, "")
    word = T("report.findings.accepted") if finding.acknowledged else Text(f"cli.severity.{finding.severity.value}")
    head = [_badge(word, kind), tag("span", finding.code, class_="code"), tag("b", str(finding.place))]
    lines = clean_lines(finding.evidence.rstrip("\n"), _EVIDENCE_LINES) if finding.evidence else []
    if finding.acknowledged:
        rest = [tag("p", T("report.findings.reason", reason=finding.acknowledged))]
    else:
        rest = [tag("p", finding.remedy, class_="soft")]
    evidence = [tag("pre", "\n".join(lines))] if lines else []
    return tag("div", tag("div", head, class_="head"), tag("p", finding.message), *evidence, *rest, class_="item")


def _single_points(report: Report) -> Html:
    if not report.single_points:
        return tag("p", T("report.single_points.none"))
    kinds = {"stops": "bad", "moves": "warn", "outside": ""}
    rows = [
        (
            _badge(Text(f"report.loss.{point.loss.value}"), kinds[point.loss.value]),  # words: report.loss.*
            point.text,
            tag("code", point.choice) if point.choice else "–",
        )
        for point in report.single_points
    ]
    heads = (T("report.single_points.loss"), T("report.single_points.what"), T("report.single_points.choice"))
    return join(tag("p", T("report.single_points.intro"), class_="soft"), _table(heads, rows))


def _runs(report: Report) -> Iterator[Html]:
    main = report.main_run
    if main is None:
        yield tag("p", T("report.timeline.none"))
    elif main.lanes:
        yield tag("p", _run_sentence(main), class_="soft")
        yield _both(lambda wide: draw_lanes(main, width=960 if wide else 360, label_beside=wide))
        yield tag("p", T("report.timeline.legend"), class_="soft")
        yield tag("h3", T("report.timeline.steps"))
        yield _steps(main)
    yield tag("h3", T("report.incidents.title"))
    yield _incidents(report)
    if len(report.runs) > 1 or report.unreadable_runs:
        yield tag("h3", T("report.timeline.all_runs"))
        yield _all_runs(report)


def _run_sentence(run: RunPart) -> Text:
    return T(
        "report.timeline.run", run=run.run_id, began=day_and_time(run.began_at), took=took(run.active_s),
        by=run.by or "–", version=run.version, changed=run.changed, steps=run.steps,
    )  # fmt: skip


def _steps(run: RunPart) -> Html:
    """Each step with its number and how long it took where; of many nodes the shortest and the longest."""
    numbers = step_numbers(run)
    titles = {span.step: span.title for lane in run.lanes for span in lane.spans}
    table = durations(run)
    nodes = [lane.node for lane in run.lanes]
    rows: list[Sequence[Content]] = []
    if len(nodes) <= MOST_COLUMNS:
        heads: list[Text | str] = [
            "",
            T("report.timeline.step"),
            *(n or T("report.timeline.this_machine") for n in nodes),
        ]
        for step, number in numbers.items():
            cells = [took(table[step, node]) if (step, node) in table else "–" for node in nodes]
            rows.append((str(number), titles[step], *cells))
        return _table(heads, rows, numbers=range(2, len(heads)))
    heads = [
        "",
        T("report.timeline.step"),
        T("report.timeline.on"),
        T("report.timeline.shortest"),
        T("report.timeline.longest"),
    ]
    for step, number in numbers.items():
        found = sorted((seconds, node) for (name, node), seconds in table.items() if name == step)
        low, high = found[0], found[-1]
        longest = f"{took(high[0])} ({high[1] or T('report.timeline.this_machine')})"
        rows.append((str(number), titles[step], str(len(found)), took(low[0]), longest))
    return _table(heads, rows, numbers=(2, 3))


def _incidents(report: Report) -> Html:
    found = [(run, incident) for run in report.runs for incident in run.incidents]
    if not found:
        return tag("p", T("report.incidents.none"))
    shown = sorted(found, key=lambda pair: pair[1].at)[-_MOST_INCIDENTS:]
    rows = [
        (
            short_time(incident.at),
            tag("b", incident.node or "–"),
            join(incident.title or ""),
            _toned(incident.text, _TONES[incident.tone]),
        )
        for _, incident in shown
    ]
    heads = (
        T("report.incidents.when"),
        T("report.incidents.where"),
        T("report.timeline.step"),
        T("report.incidents.what"),
    )
    more = [tag("p", T("report.incidents.more", count=len(found) - len(shown)))] if len(found) > len(shown) else []
    return join(*more, _table(heads, rows))


def _toned(text: Text, kind: str) -> Html:
    marks = {"bad": T("report.incidents.bad"), "warn": T("report.incidents.warn")}
    return join(_badge(marks[kind], kind), " ", text) if kind in marks else join(text)


def _all_runs(report: Report) -> Html:
    kinds = {"done": "good", "partial": "warn", "failed": "bad"}
    rows: list[Sequence[Content]] = [
        (
            tag("code", run.run_id),
            short_time(run.began_at),
            took(run.active_s),
            _badge(Text(f"run_screen.phase.{run.phase.value}"), kinds.get(run.phase.value, "")),
            str(run.changed),
            run.by or "–",
        )
        for run in report.runs
    ]
    rows += [(tag("code", run), "–", "–", reason, "–", "–") for run, reason in report.unreadable_runs]
    heads = (
        T("report.runs.name"), T("report.runs.began"), T("report.runs.took"), T("report.runs.end"),
        T("report.runs.changed"), T("report.runs.by"),
    )  # fmt: skip
    return _table(heads, rows, numbers=(4,))


def _health(report: Report) -> Iterator[Html]:
    snapshot = report.health
    if snapshot is None:
        yield tag("p", report.no_health or T("report.health.not_asked"))
        return
    kind = {Health.OK: "good", Health.DEGRADED: "warn", Health.DOWN: "bad"}.get(snapshot.health, "warn")
    word = Text(f"report.verdict.health_{snapshot.health.value}")  # words: report.verdict.*
    yield tag("p", _badge(word, kind), " ", snapshot.headline)
    yield tag("p", T("report.health.asked", when=day_and_time(snapshot.at)), class_="soft")
    table = health_table(snapshot)
    for ports in (False, True):
        columns = [column for column in table.columns if column.isdigit() is ports]
        shown = [row for row in table.rows if any(column in row.cells for column in columns)]
        if not shown:
            continue
        heads = [column if ports else Text(f"health_screen.column.{column}") for column in columns]
        rows = [
            (tag("b", _target(row.target)), *(_cell(row.cells[c]) if c in row.cells else "" for c in columns))
            for row in shown
        ]
        yield tag("h3", T("report.health.ports") if ports else T("report.health.servers"))
        yield _table(["", *heads], rows)
    worse = [status for status in snapshot.probes if not status.state.good or status.key.kind.is_shared]
    if worse:
        told = [(tag("code", status.key.id), _state(status), status.detail) for status in worse]
        yield tag("h3", T("report.health.details"))
        yield _table((T("report.health.probe"), T("report.health.state"), T("report.health.detail")), told)


def _target(name: str) -> Text | str:
    return Text(f"health_screen.target.{name}") if name in (VIP, BALANCER, CLUSTER) else name


def _cell(status: ProbeStatus) -> Html:
    took = "" if status.latency_ms is None or not status.state.good else f" {status.latency_ms:.0f} ms"
    return join(_state(status), tag("span", took, class_="soft") if took else "")


def _state(status: ProbeStatus) -> Html:
    return _badge(Text(f"health.state.{status.state.value}"), _STATES[status.state])  # words: health.state.*


def _drills(report: Report) -> Html:
    if not report.drills:
        return tag("p", T("report.drill.none"))
    rows = [
        (
            short_time(drill.at),
            drill.title,
            _badge(
                T("report.drill.passed") if drill.passed else T("report.drill.not_passed"),
                "good" if drill.passed else "bad",
            ),
            "–" if drill.gap_s is None else f"{drill.gap_s:.1f} s",
            drill.result,
        )
        for drill in report.drills
    ]
    heads = (
        T("report.drill.when"), T("report.drill.what"), T("report.drill.state"),
        T("report.drill.gap"), T("report.drill.result"),
    )  # fmt: skip
    return _table(heads, rows, numbers=(3,))


def _footer(report: Report) -> Html:
    return tag("footer", T("report.footer", version=report.version))
