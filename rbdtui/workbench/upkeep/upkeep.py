"""The upkeep of a cluster as a screen sees it: snapshots and servers, asked in the background, read as a picture."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from rbdtui.errors import SentenceError
from rbdtui.plan.kube import EtcdView
from rbdtui.plan.snapshots import Snapshot, SnapshotState
from rbdtui.session import Session
from rbdtui.site import SiteError
from rbdtui.spec.model import Role
from rbdtui.together import together
from rbdtui.transport.base import Host, TransportError
from rbdtui.words import T, Text
from rbdtui.workbench.background import BackgroundLoop
from rbdtui.workbench.errors import sentence_of
from rbdtui.workbench.survey import SurveyStatus
from rbdtui.workbench.upkeep import certificate_survey, leaving, snapshot_survey
from rbdtui.workbench.upkeep.certificate_survey import Certificates


@dataclass(frozen=True, slots=True)
class SnapshotLine:
    """One snapshot, wherever it lies."""

    name: str
    taken_at: float
    """Unix time."""
    size_bytes: int
    state: SnapshotState
    places: tuple[str, ...]
    """Servers, and an empty name for this machine."""

    @property
    def can_be_restored(self) -> bool:
        """Whether it is proven whole."""
        return self.state is SnapshotState.WHOLE


@dataclass(frozen=True, slots=True)
class ServerLine:
    """One server of the cluster."""

    node: str
    roles: tuple[Role, ...]
    silent: Text | None
    """Why it cannot be logged in to."""
    etcd: EtcdView | None
    """What its member says; None for one without."""
    stays: Text | None
    """Why the cluster cannot do without it."""
    remedy: Text | None
    """What would let it leave."""

    @property
    def is_well(self) -> bool:
        """Whether it answers, and its member of etcd is well."""
        return self.silent is None and (self.etcd is None or (not self.etcd.errors and self.etcd.has_leader))


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What was found."""

    state: SurveyStatus = SurveyStatus.NONE
    snapshots: tuple[SnapshotLine, ...] = ()
    """The newest first."""
    late: tuple[Text, ...] = ()
    """Schedules that are late, server by server."""
    unasked: Mapping[str, Text] = field(default_factory=dict)
    """Servers whose snapshots are not known, and why."""
    servers: tuple[ServerLine, ...] = ()
    certificates: Certificates = field(default_factory=Certificates)
    error: Text | None = None
    at: float = 0.0
    """When it was asked, Unix time."""

    @property
    def silent(self) -> tuple[str, ...]:
        """Servers that cannot be logged in to."""
        return tuple(line.node for line in self.servers if line.silent is not None)


class UpkeepView:
    """One look at a time; the picture of before stays until the next is whole."""

    def __init__(self, background: BackgroundLoop, on_change: Callable[[], None]) -> None:
        self.snapshot = Upkeep()
        self._background = background
        self._on_change = on_change
        self._task: Future[None] | None = None
        self._lock = threading.Lock()
        self._turn = 0

    def look(self, session: Session) -> None:
        """Ask all servers; a look that is under way is given up for this one."""
        self.close()
        with self._lock:
            self._turn += 1
            turn = self._turn
            self.snapshot = replace(self.snapshot, state=SurveyStatus.LOOKING)
        self._on_change()
        self._task = self._background.submit(self._look(session, turn))

    def outdate(self) -> None:
        """What was found holds no longer: a run has changed it."""
        self.close()
        self._put(None, replace(self.snapshot, state=SurveyStatus.NONE))

    def show(self, snapshot: Upkeep) -> None:
        """Take what was found elsewhere."""
        self.close()
        self._put(None, snapshot)

    def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()

    def _put(self, turn: int | None, snapshot: Upkeep) -> None:
        with self._lock:
            if turn is not None and turn != self._turn:
                return
            self._turn += turn is None
            self.snapshot = snapshot
        self._on_change()

    async def _look(self, session: Session, turn: int) -> None:
        try:
            self._put(turn, await look(session))
        except SentenceError as error:
            self._fail(turn, error.text)
        except Exception as error:  # whatever it is, the screen says it instead of standing still
            self._fail(turn, T("upkeep.error", reason=sentence_of(error)))

    def _fail(self, turn: int, why: Text) -> None:
        self._put(turn, replace(self.snapshot, state=SurveyStatus.FAILED, error=why, at=time.time()))


async def look(session: Session) -> Upkeep:
    """Ask all servers; changes nothing. Raises `SiteError`, and `OSError` for a site that cannot be read."""
    session.refuse_audit_only()
    if not session.spec.managed_nodes:
        raise SiteError(T("upkeep.not_ours"))
    nodes = session.spec.managed_nodes
    async with session.hosts() as hosts:
        found, certificates, views, silent = await together(
            snapshot_survey.found_on(session, hosts),
            certificate_survey.certificates_of(session, hosts),
            leaving.etcd_views(session, hosts),
            together(*(_why_silent(hosts[node.name]) for node in nodes)),
        )
    at = time.time()
    unasked = {name: each.text for name, each in found.servers.items() if isinstance(each, TransportError)}
    late = tuple(snapshot_survey.late_servers(session.spec, found, at).values())
    servers = []
    for node, why in zip(nodes, silent, strict=True):
        stays = leaving.why_needed(session, node.name, views)
        told = (None, None) if stays is None else (stays.text, stays.remedy)
        servers.append(ServerLine(node.name, tuple(node.roles), why, views.get(node.name), *told))
    return Upkeep(SurveyStatus.DONE, tuple(snapshot_lines(found)), late, unasked, tuple(servers), certificates, at=at)


async def _why_silent(host: Host) -> Text | None:
    try:
        await host.connect()
    except TransportError as error:
        return error.text
    return None


def snapshot_lines(found: snapshot_survey.Found) -> list[SnapshotLine]:
    """Each snapshot once, with all places of files that are the same; the newest first."""
    placed: dict[tuple[str, SnapshotState, str], list[tuple[str, Snapshot]]] = {}
    everywhere: list[tuple[str, Sequence[Snapshot]]] = [("", found.here)]
    everywhere += [(node, each) for node, each in found.servers.items() if not isinstance(each, TransportError)]
    for place, snapshots in everywhere:
        for each in snapshots:
            placed.setdefault((each.name, each.state, each.digest), []).append((place, each))
    lines = [
        SnapshotLine(name, there[0][1].taken_at, there[0][1].size_bytes, state, tuple(place for place, _ in there))
        for (name, state, _), there in placed.items()
    ]
    return sorted(lines, key=lambda line: (line.taken_at, line.name), reverse=True)
