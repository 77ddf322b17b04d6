"""A report tells everything, in each language and form, and nothing in it acts, loads or leaks."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from rbdtui.drill.record import Gap, Outcome, Part, PartResult, Record, Stopped, save
from rbdtui.engine.events import Choice as Answer
from rbdtui.engine.events import QuestionAnswered, StepFailed
from rbdtui.facts.model import NodeFacts, OsRelease
from rbdtui.findings import Finding, Place, Severity
from rbdtui.probes import gateway, hosts
from rbdtui.probes.model import VIP, Health, HealthSnapshot, ProbeKey, ProbeState, ProbeStatus
from rbdtui.redact import MARK, Redactor
from rbdtui.report.build import Asked, build_report
from rbdtui.report.html import html_report
from rbdtui.report.markdown import markdown_report
from rbdtui.session import Session
from rbdtui.words import LANGUAGES, T, Text, catalogue, use_language
from tests.hostile import ALL, leaked
from tests.report.sites import NoPassphrase, Page, report_of, site_with
from tests.screens.journals import RUN_ID, Story, asks, retries, spec_text

MARKUP = "</title></style><script>alert(1)</script><img src=x onerror=alert(1)>\"'&<!--"


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    use_language(request.param)
    return str(request.param)


@pytest.fixture(autouse=True)
def english_again() -> object:
    yield
    use_language(LANGUAGES[0])


def health(detail: Text = T("probe.etcd.silent")) -> HealthSnapshot:  # noqa: B008 - frozen
    def status(key: ProbeKey, state: ProbeState, latency_ms: float | None = None) -> ProbeStatus:
        return ProbeStatus(key, state, detail, 0.0, latency_ms)

    return HealthSnapshot(
        Health.DEGRADED,
        T("probe.etcd.silent"),
        (
            status(ProbeKey(hosts.SSH, "node1"), ProbeState.OK, 3.2),
            status(ProbeKey(hosts.SSH, "node2"), ProbeState.DOWN),
            status(ProbeKey(gateway.GATEWAY, VIP, 443), ProbeState.OK, 5.0),
        ),
        at=1_772_470_000.0,
    )


def titles(text_of: str) -> list[str]:
    names = ("installed", "topology", "findings", "single_points", "timeline", "health", "drill", "next")
    return [catalogue(text_of)[f"report.{name}.title"] for name in names]


def test_every_section_is_there_in_each_form(tmp_path: Path, language: str) -> None:
    site = site_with(tmp_path / "site", story=Story())
    report = report_of(site, health=health())
    page, markdown = Page(html_report(report)), markdown_report(report)
    assert page.wrong == []
    assert [title for title in titles(language) if title not in page.text] == []
    assert re.findall("^## (.*)$", markdown, re.MULTILINE) == titles(language)
    for known in ("site-a", "node1", "127.88.0.100", RUN_ID, "443"):
        assert known in page.text
        assert known in markdown
    assert page.tags.count("svg") == 4, "topology and lanes, each for wide pages and for phones"


def test_what_keeps_the_data_is_told_with_its_class(tmp_path: Path) -> None:
    site = site_with(tmp_path / "site")
    storage = "storage: {mode: nfs, server: nas.lan, path: /data}\n"
    site.spec_file.write_text(spec_text(3, profile="rainbond-6") + storage)
    assert "nfs nas.lan:/data, nfs-storage" in [str(row.value) for row in report_of(site).installed]


def test_the_rainbond_that_is_there_is_told_although_the_plan_names_none(tmp_path: Path) -> None:
    site = site_with(tmp_path / "site")
    site.spec_file.write_text(spec_text(3, profile="rainbond-6"))
    silent = NodeFacts("node2", gathered_at=1_772_460_000.0)
    told = {"node1": dataclasses.replace(silent, node="node1", rainbond="v6.9.3-release"), "node2": silent}
    versions = {str(row.label): str(row.value) for row in report_of(site, facts=told).installed}
    label = str(T("report.installed.rainbond"))
    assert versions[label] == "v6.9.3-release"
    site.spec_file.write_text(site.spec_file.read_text() + "rainbond: {version: v6.9.8-release}\n")
    assert {str(row.label): str(row.value) for row in report_of(site).installed}[label] == "v6.9.8-release"


def test_nothing_is_loaded_and_nothing_runs(tmp_path: Path) -> None:
    text = html_report(report_of(site_with(tmp_path / "site"), health=health()))
    assert Page(text).wrong == []
    assert re.findall(r"url\(|@import|src=|href=|<script|javascript:", text) == []
    assert "default-src 'none'" in text.replace("&#x27;", "'")


def test_drills_are_told_with_their_gaps(tmp_path: Path) -> None:
    site = site_with(tmp_path / "site")
    assert Page(html_report(report_of(site))).text.count(catalogue("en")["report.drill.none"]) == 1
    gaps = [Gap("127.88.0.100", 443, 1.84, 90, 9), Gap("127.88.0.100", 80, 0.6, 90, 3)]
    passed = PartResult(Part.HOLDER, "node1", 1_772_465_000.0, "node1", "node2", gaps, 12.0, Outcome.PASSED)
    silent = [Gap("127.88.0.100", 443, None, 90, 90)]
    lost = PartResult(Part.GATEWAY, "node1", 1_772_466_000.0, "", "", silent, None, Outcome.FAILED, "password: canary")
    begun = PartResult(Part.SERVER, "node3", 1_772_467_000.0)
    save(site.path, Record("20260302-1500", "site-a", 1_772_465_000.0, parts=[passed, lost]))
    save(site.path, Record("20260302-1600", "site-a", 1.0, parts=[begun], stopped=[Stopped("node3", "rke2-server")]))
    (site.path / "drills" / "20260302-1700.json").write_text("no JSON")
    report = report_of(site)
    assert [(drill.passed, drill.gap_s) for drill in report.drills] == [(True, 1.84), (False, None), (False, None)]
    for written in (html_report(report), markdown_report(report)):
        for known in ("1.8 s", "node2", "12.0 s", "rke2-server"):
            assert known in written
        assert "canary" not in written


def test_lanes_tell_retries_pauses_and_answers(tmp_path: Path) -> None:
    story = Story(fails={"host-packages@node2": asks, "os-prepare@node3": retries})
    answered = (40.0, QuestionAnswered("host-packages@node2#1", Answer.RETRY, "ops@jump"))
    site = site_with(tmp_path / "site", story=dataclasses.replace(story, extra=(answered,)))
    report = report_of(site)
    run = report.main_run
    assert run is not None
    ends = {(lane.node, span.step): span.ending.value for lane in run.lanes for span in lane.spans}
    assert ends["node2", "host-packages"] == "failed"
    assert ends["node1", "rke2-unpack"] == "changed"
    said = [incident.text.key for incident in run.incidents]
    assert {"timeline.failed", "timeline.retries", "timeline.asked", "timeline.answered"} <= set(said)
    page = Page(html_report(report))
    assert page.wrong == []
    assert "ops@jump" in page.text


def test_no_span_ends_before_it_begins_when_the_clock_jumps(tmp_path: Path) -> None:
    records = Story().records()
    back = [r if r.seq < 60 else dataclasses.replace(r, at=r.at - 3600) for r in records]
    from rbdtui.report.history import run_part

    run = run_part(back, given_up=False, alive=False)
    assert all(span.end >= span.start for lane in run.lanes for span in lane.spans)
    assert all(end >= start for start, end in run.sessions)


def test_a_report_without_any_run_and_of_a_broken_file_is_one_all_the_same(tmp_path: Path, language: str) -> None:
    site = site_with(tmp_path / "site")
    site.spec_file.write_text("nonsense: [")
    report = report_of(site)
    assert report.problem is not None
    assert Page(html_report(report)).wrong == []
    assert RUN_ID in markdown_report(report)
    for file in site.run_dir(RUN_ID).glob("*.jsonl"):
        file.write_bytes(b'{"schema": 99, "seq": 1, "at": 1, "type": "x"}\n' * 2)
    damaged = report_of(site)
    assert [run for run, _ in damaged.unreadable_runs] == [RUN_ID]
    assert RUN_ID in Page(html_report(damaged)).text


def test_a_cluster_of_two_hundred_is_drawn_in_bounds(tmp_path: Path) -> None:
    site = site_with(tmp_path / "site", nodes=200, story=Story(nodes=3))
    text = html_report(report_of(site))
    assert Page(text).wrong == []
    assert text.count('class="card"') < 120
    assert "node200" in text


@pytest.mark.parametrize("poison", [MARKUP, ALL], ids=["markup", "terminal"])
def test_nothing_that_servers_say_acts(tmp_path: Path, poison: str) -> None:
    kept = re.sub("[\ud800-\udfff]", "", poison)
    words = Text("error.unexpected", {"node": kept, "kind": kept, "detail": kept})
    failure = StepFailed("claim@node1", 1, "x", words, words, kept, 1.0)
    site = site_with(tmp_path / "site", (0.5, failure))
    facts = {"node1": NodeFacts("node1", 5e9, os=OsRelease(pretty_name=poison), kernel=poison)}
    place = Place(field=poison, node="node1")
    finding = Finding("RBD-SERVICE-001", Severity.WARNING, place, {"field": poison, "detail": poison}, poison)
    accepted = dataclasses.replace(finding, acknowledged=poison or "x")
    report = report_of(site, health=health(words), findings=(finding, accepted), facts=facts, images={poison: poison})
    page = html_report(report)
    read = Page(page)
    assert read.wrong == []
    assert "script" not in read.tags
    assert "img" not in read.tags
    markdown = markdown_report(report)
    for written in (page, markdown):
        assert leaked(written) == [], ascii(written)
        written.encode()
    assert not re.search(r"(?<!\\)<(script|img|!--)", re.sub("`[^`]*`", "", markdown))


def test_no_secret_is_in_a_report(tmp_path: Path) -> None:
    known, unknown = "canary-of-the-vault", "canary-of-nobody"
    words = Text(
        "error.unexpected", {"node": "node1", "kind": known, "detail": f"--mysql=rbd:{unknown}@tcp(db:3306)/x"}
    )
    site = site_with(tmp_path / "site", (0.5, StepFailed("claim@node1", 1, "x", words, words, known, 1.0)))
    evidence = f"{known}\nlogin insecure repository goodrain.me with username admin and password {unknown}"
    params = {"field": known, "detail": known}
    finding = Finding("RBD-SERVICE-001", Severity.WARNING, Place(node="node1"), params, evidence)
    asked = Asked(health=health(words), findings=(finding, dataclasses.replace(finding, acknowledged=known)))
    session = Session.open(site.path, NoPassphrase())
    report = build_report(session, asked, now=0.0, redactor=Redactor([known]))
    for written in (html_report(report), markdown_report(report)):
        assert known not in written
        assert unknown not in written
        assert MARK.replace("*", r"\*") in written or MARK in written
