"""What is wrong with a single file of the bundle, as findings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rbdtui.bundle.scan import Fault, Judged
from rbdtui.findings import Finding, Place, Severity
from rbdtui.sizes import size_of

CODES: Final = {
    Fault.UNREADABLE: "RBD-BUNDLE-002",
    Fault.DAMAGED: "RBD-BUNDLE-003",
    Fault.WRONG_ARCH: "RBD-BUNDLE-004",
    Fault.WRONG_NAME: "RBD-BUNDLE-005",
    Fault.BAD_SHA256: "RBD-BUNDLE-006",
    Fault.NOT_PLAIN: "RBD-BUNDLE-011",
    Fault.NOT_LISTED: "RBD-BUNDLE-013",
}
_PLACE: Final = Place(field="bundle")


def verify_file(seen: Judged, arch: str) -> Iterator[Finding]:
    """Why it cannot be used; of one that can, that it is there, and whether a list of digests proves it."""
    if seen.fault is not None or seen.inspected is None:
        code = CODES[seen.fault or Fault.UNREADABLE]
        evidence = seen.evidence or seen.detail
        yield finding_of(code, Severity.ERROR, evidence=evidence, file=seen.path.name, arch=arch, detail=seen.detail)
        return
    if not seen.expected_sha256:
        evidence = seen.inspected.sha256
        yield finding_of("RBD-BUNDLE-007", Severity.WARNING, evidence=evidence, file=seen.path.name, arch=arch)
    version = version_of(seen)
    evidence = "\n".join(part for part in (version, f"sha256 {seen.inspected.sha256}") if part)
    yield finding_of(
        "RBD-BUNDLE-008", Severity.INFO, evidence=evidence, file=seen.path.name, size=size_of(seen.inspected.size_bytes)
    )


def version_of(seen: Judged) -> str:
    """The version of RKE2 that is inside; empty where none is."""
    contents = seen.inspected.contents if seen.inspected is not None else None
    return contents.version if contents is not None else ""


def finding_of(code: str, severity: Severity, *, evidence: str = "", **params: str | int | float) -> Finding:
    """A finding about the bundle."""
    return Finding(code, severity, _PLACE, params, evidence)
