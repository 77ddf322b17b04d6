"""Semi-synchronous replication: a commit is told as done only once the replica has the transaction in its relay log.

Plug-ins, settings and counters have other names from 8.0.26 on; a server has those of one age only. It goes on without
a replica when there is none, or none that answers in time, and waits again by itself once the replica has all.
Sources: MySQL reference manual 8.0, 17.4.10; mysql/mysql-server 8.0 plugin/semisync/semisync_source.cc
(``remove_slave``, ``commitTrx``, ``try_switch_on``), semisync_source_plugin.cc, semisync_replica_plugin.cc.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_NEW_NAMES: Final = (8, 0, 26)
_VERSION: Final = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})")
COUNTERS: Final = "SHOW GLOBAL STATUS LIKE 'Rpl\\_semi\\_sync\\_%'"
TIMEOUT_MS: Final = 10_000
"""How long a commit waits for a replica that does not answer, before the source goes on without; MySQL's default."""


def version_of(text: str) -> tuple[int, ...]:
    """The three numbers that a version begins with; empty where it is none."""
    match = _VERSION.match(text)
    return tuple(map(int, match.groups())) if match is not None else ()


@dataclass(frozen=True, slots=True)
class SemiSyncNames:
    """What both ends are called in names of plug-ins, settings and counters."""

    source: str
    replica: str

    def settings(self) -> str:
        """Lines for a server of a pair, whichever it is; one without the plug-ins starts all the same, as its log says.

        Without a replica a server does not wait at all, so that one which copies, and has none itself, is not held up.
        """
        own = f"loose_rpl_semi_sync_{self.source}"
        lines = (
            f"plugin_load_add=semisync_{self.source}.so",
            f"plugin_load_add=semisync_{self.replica}.so",
            f"{own}_enabled=ON",
            f"{own}_wait_point=AFTER_SYNC",
            f"{own}_wait_for_{self.replica}_count=1",
            f"{own}_wait_no_{self.replica}=OFF",
            f"{own}_timeout={TIMEOUT_MS}",
            f"loose_rpl_semi_sync_{self.replica}_enabled=ON",
        )
        return "\n".join(lines)


def semi_sync_names(version: str) -> SemiSyncNames:
    """By the server's version; of one that is not known those of today."""
    numbers = version_of(version)
    return SemiSyncNames("master", "slave") if numbers and numbers < _NEW_NAMES else SemiSyncNames("source", "replica")


@dataclass(frozen=True, slots=True)
class SemiSync:
    """What a server says of both its ends; None for an end whose plug-in it does not have."""

    waits: bool | None = None
    """As the source: whether a commit waits for a replica now."""
    replicas: int = 0
    """As the source: how many acknowledge."""
    unacknowledged: int = 0
    """As the source: transactions since its start that no replica had acknowledged."""
    acknowledges: bool | None = None
    """As a replica: whether it was to acknowledge when its connection was made; one that breaks changes nothing."""

    @property
    def is_safe(self) -> bool:
        """Whether what a source tells as done now is on a replica too."""
        return bool(self.waits) and self.replicas > 0

    def evidence(self) -> str:
        """All of it, raw."""
        said = {None: "no plug-in", True: "ON", False: "OFF"}
        source = f"source {said[self.waits]}, replicas {self.replicas}, not acknowledged {self.unacknowledged}"
        return f"semi-synchronous: {source}; replica {said[self.acknowledges]}"


def read_semi_sync(counters: Mapping[str, str]) -> SemiSync:
    """Out of the server's counters, of either age."""
    found = {name.lower().removeprefix("rpl_semi_sync_"): value for name, value in counters.items()}

    def of(names: tuple[str, str], counter: str) -> str | None:
        return next((found[key] for end in names if (key := f"{end}_{counter}") in found), None)

    def is_on(said: str | None) -> bool | None:
        return None if said is None else said.upper() == "ON"

    source, replica = ("source", "master"), ("replica", "slave")
    return SemiSync(
        waits=is_on(of(source, "status")),
        replicas=int(of(source, "clients") or 0),
        unacknowledged=int(of(source, "no_tx") or 0),
        acknowledges=is_on(of(replica, "status")),
    )
