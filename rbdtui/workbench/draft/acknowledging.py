"""Changes of the draft by which a warning is accepted, or is no longer."""

from __future__ import annotations

from collections.abc import Iterable

from rbdtui.findings import Finding
from rbdtui.workbench.draft.draft import Data

_KEY = "acknowledged"


def acknowledge(data: Data, findings: Iterable[Finding], reason: str) -> None:
    """Accept findings that are the same, each on its node."""
    listed = data.get(_KEY)
    entries = list(listed) if isinstance(listed, list) else []
    for finding in findings:
        node = {"node": finding.place.node} if finding.place.node else {}
        entries.append({"code": finding.code, **node, "reason": reason})
    data[_KEY] = entries


def withdraw(data: Data, findings: Iterable[Finding]) -> None:
    """Accept findings no longer; an entry for all nodes goes with the first of them."""
    listed = data.get(_KEY)
    wanted = {(finding.code, node) for finding in findings for node in (finding.place.node, None)}
    kept = [
        entry
        for entry in (listed if isinstance(listed, list) else [])
        if not (isinstance(entry, dict) and (entry.get("code"), entry.get("node")) in wanted)
    ]
    if kept:
        data[_KEY] = kept
    else:
        data.pop(_KEY, None)
