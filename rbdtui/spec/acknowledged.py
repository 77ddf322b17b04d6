"""What the operator accepts: warnings that cluster.yaml acknowledges become notes with their reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from rbdtui.findings import Finding, Place, Severity
from rbdtui.spec.model import Acknowledgement, ClusterSpec


def weighed(findings: Iterable[Finding], spec: ClusterSpec | None, place: Callable[[str], Place]) -> list[Finding]:
    """All findings, those that are accepted as notes.

    An error is never waved away: it stays, and that it was acknowledged is a finding of its own.
    """
    listed = list(findings)
    accepted = spec.acknowledged if spec is not None else []
    if not accepted:
        return listed
    told, refused = [], []
    for finding in listed:
        index = next((index for index, entry in enumerate(accepted) if _is_meant(entry, finding)), None)
        if index is not None and finding.severity is Severity.WARNING:
            told.append(replace(finding, severity=Severity.INFO, acknowledged=accepted[index].reason))
            continue
        told.append(finding)
        if index is not None and finding.severity is Severity.ERROR:
            where = place(f"acknowledged[{index}].code")
            refused.append(Finding("RBD-ACK-003", Severity.WARNING, where, {"code": finding.code}))
    once = {finding.identity: finding for finding in (*told, *refused)}
    return list(once.values())


def _is_meant(accepted: Acknowledgement, finding: Finding) -> bool:
    return accepted.code == finding.code and accepted.node in (None, finding.place.node)
