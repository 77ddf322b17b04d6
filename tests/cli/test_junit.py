"""`check --junit`: what CI systems read, in the form that their schema allows."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from rbdtui.cli.junit import junit_xml, looked_at
from rbdtui.findings import Finding, Place, Severity
from rbdtui.redact import Redactor
from rbdtui.words import LANGUAGES
from rbdtui.workbench.site_list import make_site
from tests.cli import console

SHAPE: Final[Mapping[str, tuple[set[str], set[str], set[str]]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors", "disabled"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"time", "timestamp", "hostname", "id", "package", "skipped"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name"}, {"classname", "time", "assertions", "status"}, {"skipped", "error", "failure", "system-out"},
    ),
    "failure": (set(), {"type", "message"}, set()),
    "skipped": (set(), set(), set()),
    "system-out": (set(), set(), set()),
}  # fmt: skip
"""Of Jenkins' junit-10.xsd: attributes that an element must have, those that it may have, and what stands in it."""


def judged(element: Element) -> None:
    needed, allowed, below = SHAPE[element.tag]
    assert needed <= set(element.keys()) <= needed | allowed, element.tag
    for each in element:
        assert each.tag in below, each.tag
        judged(each)
    if element.tag == "testsuite":
        assert int(element.attrib["tests"]) == len(element.findall("testcase"))
        assert int(element.attrib["failures"]) == len(element.findall("testcase/failure"))
        assert int(element.attrib["skipped"]) == len(element.findall("testcase/skipped"))


def read(content: bytes) -> Element:
    root = ElementTree.fromstring(content)
    assert root.tag == "testsuites"
    judged(root)
    return root


def finding(code: str, severity: Severity, node: str = "", evidence: str = "", **params: str) -> Finding:
    return Finding(code, severity, Place(node=node), params, evidence)


def test_each_room_is_a_suite_and_each_finding_a_case() -> None:
    found = [
        finding("RBD-HW-101", Severity.ERROR, "node1", "1"),
        finding("RBD-HW-102", Severity.WARNING, "node2"),
        finding("RBD-TIME-101", Severity.INFO, "node1"),
    ]
    looked = looked_at(servers={"node1": True, "node2": True, "node3": False}, services={"mysql": True})
    root = read(junit_xml(found, looked, redactor=Redactor(), now_s=0.0))
    names = [suite.attrib["name"].split()[0] for suite in root]
    assert names == ["looked", "RBD-HW", "RBD-TIME"]
    assert (root.attrib["tests"], root.attrib["failures"]) == ("8", "1")
    assert [case.attrib["name"] for case in root[0]] == [
        "cluster.yaml", "server node1", "server node2", "server node3", "service mysql",
    ]  # fmt: skip
    assert [case.attrib["name"] for case in root[0] if len(case)] == ["server node3"]
    cases = {case.attrib["name"]: case for case in root.iter("testcase")}
    assert cases["RBD-HW-101 node1"][0].attrib["type"] == "RBD-HW-101"
    assert (cases["RBD-HW-102 node2"].find("system-out").text or "").startswith("warning: ")  # type: ignore[union-attr]
    assert root[0].attrib["timestamp"] == "1970-01-01T00:00:00"


def test_what_servers_say_neither_breaks_the_file_nor_acts_nor_tells_a_secret() -> None:
    hostile = "\x1b[31m</failure><testcase>&]]>\x00\ufffe\ud800\u202e hunter22hunter\nsecond"
    found = [finding("RBD-HW-101", Severity.ERROR, hostile, hostile)]
    looked = looked_at(servers={hostile: True}, services={})
    content = junit_xml(found, looked, redactor=Redactor(["hunter22hunter"]), now_s=0.0)
    root = read(content)
    said = "".join(root.itertext()) + "".join(value for each in root.iter() for value in each.attrib.values())
    assert "hunter22hunter" not in "".join(root[1].itertext())
    assert "</failure><testcase>" in said
    assert "second" in said
    assert not any(letter in said for letter in "\x1b\x00\ufffe\ud800\u202e")


@pytest.mark.parametrize("language", LANGUAGES)
def test_check_writes_it_beside_its_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str) -> None:
    site = make_site(tmp_path / "site", name="site-a", profile="kubernetes-only")
    file = tmp_path / "check.xml"
    said = console.say(capsys, language, "check", site.path, "--ascii", "--only", "rules", "--junit", file).check(1)
    root = read(file.read_bytes())
    codes = {case.attrib["name"].split()[0] for case in root.iter("testcase") if case.find("failure") is not None}
    assert codes == {block.split()[2] for block in said.findings() if block.startswith("x")}
    assert root[0].attrib["tests"] == "1"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = make_site(tmp_path / "site", name="site-a", profile="kubernetes-only")
    file = tmp_path / "no" / "a.xml"
    said = console.say(capsys, "en", "check", site.path, "--ascii", "--only", "rules", "--junit", file).check(2)
    assert str(tmp_path / "no") in said.err
    assert errno.errorcode[errno.ENOENT] not in said.err
    assert said.findings(), "the answer itself is not lost"
