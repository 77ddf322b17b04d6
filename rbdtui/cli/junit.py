"""Findings as JUnit's XML, for whatever collects results of tests.

The form is what Jenkins' junit-10.xsd allows, which pytest and others keep to: a suite for each room of findings, a
case for each finding. What was looked at is a suite of its own, so that a site in good order has cases that passed, and
a server that did not answer one that was skipped.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from rbdtui.atomic import write_atomic
from rbdtui.findings import Finding, Severity
from rbdtui.redact import Redactor
from rbdtui.terminal_text import sanitize, sanitize_line
from rbdtui.words import T, Text

LOOKED_AT: Final = "looked at"
_TIME: Final = "%Y-%m-%dT%H:%M:%S"


@dataclass(frozen=True, slots=True)
class Looked:
    """Something that was to be looked at, and whether it could be."""

    what: Text | str
    answered: bool = True


def junit_xml(findings: Iterable[Finding], looked: Sequence[Looked], *, redactor: Redactor, now_s: float) -> bytes:
    """The document, UTF-8; an error is a failure, a warning or note a case that passed and says it.

    ``now_s`` is of `time.time`.
    """
    by_room: dict[str, list[Finding]] = {}
    for finding in findings:
        by_room.setdefault(finding.code.rpartition("-")[0], []).append(finding)
    root = Element("testsuites", name="rbdtui check")
    stamp = time.strftime(_TIME, time.gmtime(now_s))
    suite = SubElement(root, "testsuite", name=LOOKED_AT, timestamp=stamp)
    for each in looked:
        case = SubElement(suite, "testcase", classname=f"rbdtui.{LOOKED_AT}", name=sanitize_line(str(each.what)))
        if not each.answered:
            SubElement(case, "skipped").text = str(T("cli.junit.no_answer"))
    for room, found in sorted(by_room.items()):
        title = Text(f"findings_page.area.{room.removeprefix('RBD-')}")  # words: findings_page.area.*
        suite = SubElement(root, "testsuite", name=f"{room} {title}", timestamp=stamp)
        for finding in found:
            _case(suite, room, finding, redactor)
    _count(root)
    indent(root)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode").encode() + b"\n"


def _case(suite: Element, room: str, finding: Finding, redactor: Redactor) -> None:
    def clean(text: Text | str) -> str:
        return sanitize(redactor.text(str(text)))

    name = f"{finding.code} {finding.place}".rstrip()
    case = SubElement(suite, "testcase", classname=f"rbdtui.{room}", name=clean(name))
    message, last = clean(finding.message), clean(finding.remedy)
    if finding.acknowledged:
        last = clean(T("cli.check.acknowledged", reason=finding.acknowledged))
    said = "\n".join(part for part in (message, clean(finding.evidence.rstrip("\n")), last) if part)
    if finding.severity is Severity.ERROR:
        SubElement(case, "failure", type=finding.code, message=message).text = said
    else:
        word = T(f"cli.severity.{finding.severity.value}")  # words: cli.severity.*
        SubElement(case, "system-out").text = f"{word}: {said}"


def _count(root: Element) -> None:
    """The counts that readers show without looking into the suites."""
    for suite in (*root, root):
        suite.set("tests", str(len(suite.findall(".//testcase"))))
        suite.set("failures", str(len(suite.findall(".//failure"))))
        suite.set("errors", "0")
        if suite is not root:
            suite.set("skipped", str(len(suite.findall("testcase/skipped"))))


def looked_at(*, servers: Mapping[str, bool], services: Mapping[str, bool]) -> list[Looked]:
    """cluster.yaml always; servers and services by name, with whether they could be asked."""
    return [
        Looked("cluster.yaml"),
        *(Looked(T("cli.junit.server", name=name), answered) for name, answered in servers.items()),
        *(Looked(T("cli.junit.service", name=name), answered) for name, answered in services.items()),
    ]


def write_junit(file: Path, content: bytes) -> None:
    """Write it, as readable as other files of the operator's; raises `OSError`."""
    mask = os.umask(0)
    os.umask(mask)
    write_atomic(file, content, 0o666 & ~mask)
