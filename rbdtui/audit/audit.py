"""The audit as a whole: all rows, the level that is reached now and after the page was carried out, what is lost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rbdtui.audit.row import Row, RowState
from rbdtui.audit.rows import ROWS
from rbdtui.audit.seen import SeenSite, see_site
from rbdtui.audit.target import target_of
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.base import Host
from rbdtui.words import T, Text

_TAG: Final = re.compile(r":v?([0-9]{1,3})\.([0-9]{1,3})(?:[^0-9].*)?")
_TELL_VERSION: Final = ("rbd-entrance", "rbd-api", "rbd-lb")
"""Their images bear the version of the platform; rbd-hub's does not."""
DNS_DROPPED_IN: Final = (3, 7)
"""goodrain/rainbond-docs@v3.7.2, v3.7/…/haminimal-install.md has no rbd-dns, base.yaml and kubelet.sh any more."""
AFTER: Final = 2
"""What the page reaches: the database, the registry and Kubernetes itself stay single."""


@dataclass(frozen=True, slots=True)
class Level:
    """One of the page's levels of high availability; 0 is none."""

    number: int
    certain: bool = True
    """Whether nothing was left unknown that could change it."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What came of it."""

    site: str
    profile: str
    version: tuple[int, int] | None
    """Of the platform, by its images; None when nobody could tell, then as 3.6."""
    rows: tuple[Row, ...]
    hidden: tuple[str, ...]
    """Rows that the page of this version does not have."""
    now: Level
    lost: tuple[Text, ...]
    """What is lost with the managing server, as things stand."""
    unreached: Mapping[str, Text] = field(default_factory=dict)
    """Servers that could not be asked, with the reason."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Rows by state."""
        found = Counter(row.state for row in self.rows)
        return {state.value: found[state] for state in RowState}

    @property
    def fits(self) -> bool:
        """Whether all is as the page has it."""
        return all(row.state.fits for row in self.rows)

    def to_json(self) -> dict[str, object]:
        """The published form, ``audit.schema.json``."""
        return {
            "site": self.site,
            "profile": self.profile,
            "version": ".".join(map(str, self.version)) if self.version else "",
            "level": {"now": self.now.number, "certain": self.now.certain, "after": AFTER},
            "lost_with_manage": [str(text) for text in self.lost],
            "counts": dict(self.counts),
            "hidden": list(self.hidden),
            "rows": [_row_json(row) for row in self.rows],
        }


def _row_json(row: Row) -> dict[str, object]:
    return {
        "id": row.id,
        "group": row.spec.group.value,
        "state": row.state.value,
        "title": str(row.text("title")),
        "seen": [{"node": part.node, "state": part.state.value, "text": str(part.text)} for part in row.parts],
        "target": str(row.text("target")),
        "why": str(row.text("why")),
        "by_hand": [{"node": step.node, "text": step.text} for step in row.by_hand],
    }


async def audit_site(
    spec: ClusterSpec, hosts: Mapping[str, Host], on_seen: Callable[[str], None] = lambda _: None
) -> Audit:
    """Ask all servers and compare; changes nothing. A server that fails is part of the answer."""
    return judge(spec, await see_site(target_of(spec), hosts, on_seen))


def judge(spec: ClusterSpec, seen: SeenSite) -> Audit:
    """Compare what was seen with the page; pure."""
    version = version_of(seen)
    drops_dns = version is not None and version >= DNS_DROPPED_IN
    shown = [row for row in ROWS if not (row.only_36 and drops_dns)]
    rows = tuple(Row(row, tuple(row.look(seen)), seen.target) for row in shown)
    return Audit(
        site=spec.name,
        profile=spec.profile.name,
        version=version,
        rows=rows,
        hidden=tuple(row.id for row in ROWS if row not in shown),
        now=_level(seen, rows),
        lost=_lost(seen, {row.id: row.state for row in rows}),
        unreached={host.name: host.unreached for host in seen.all if host.unreached is not None},
    )


def version_of(seen: SeenSite) -> tuple[int, int] | None:
    """The platform's version, by the images of its compose files."""
    for name in _TELL_VERSION:
        for host in seen.all:
            _, service = host.services.get(name, ("", None))
            found = _TAG.search(service.image) if service is not None else None
            if found is not None:
                return int(found[1]), int(found[2])
    return None


def _level(seen: SeenSite, rows: tuple[Row, ...]) -> Level:
    states = {row.id: row.state for row in rows}
    carrying = [row.state for row in rows if row.spec.carries]
    if all(state.fits for state in carrying):
        return Level(2)
    certain = any(state in (RowState.BROKEN, RowState.DIFFERS) for state in carrying)
    computes = {server.name for server in seen.target.computes}
    (base,) = (row for row in rows if row.id == "C5")
    working = [part.state for part in base.parts if part.node in computes]
    way_in = (states["C22"], states["C35"])
    if not all(state.fits for state in way_in) and seen.manage.container("rbd-lb") is None:
        known = seen.manage.unreached is None and "containers" not in seen.manage.failed
        # A compute node that does not answer leaves open whether the other one takes in all that there is.
        wrong = RowState.DIFFERS in way_in or RowState.BROKEN in way_in
        return Level(0, certain and known and wrong)
    if all(state is RowState.OK for state in working):
        return Level(1, certain)
    return Level(0, RowState.UNKNOWN not in working)


def _lost(seen: SeenSite, states: Mapping[str, RowState]) -> tuple[Text, ...]:
    name = seen.target.manage.name
    lost = []
    if not states["C22"].fits or not states["C35"].fits:
        lost.append(T("audit.lost.entrance", manage=name))
    if not states["C19"].fits:
        lost.append(T("audit.lost.data", manage=name))
    if not states.get("C29", RowState.OK).fits or not states.get("C26", RowState.OK).fits:
        lost.append(T("audit.lost.names", manage=name))
    always = (T("audit.lost.kubernetes"), T("audit.lost.images"), T("audit.lost.changes"), T("audit.lost.console"))
    return (*lost, *always)
