"""Semi-synchronous replication of a simulated MySQL server: plug-ins, settings, when it waits, and what it counts.

Source: mysql/mysql-server 8.0 plugin/semisync/semisync_source.cc (``enableMaster``, ``remove_slave``, ``commitTrx``,
``try_switch_on``), semisync_source_plugin.cc (names, ``repl_semi_binlog_dump_start``), semisync_replica.cc
(``slaveStart``, ``slaveStop``), semisync_replica_plugin.cc (``repl_semi_slave_request_dump``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

_ON: Final = ("ON", "1")
_SOURCES: Final = {"semisync_source.so": ("source", "replica"), "semisync_master.so": ("master", "slave")}
_REPLICAS: Final = {"semisync_replica.so": "replica", "semisync_slave.so": "slave"}


class SemiSync:
    """Both ends of one start of a server; an end whose plug-in was not loaded has no name."""

    def __init__(self, settings: Mapping[str, str], plugins: Collection[str]) -> None:
        loaded = [name for name in settings.get("plugin_load_add", "").split(";") if name in plugins]
        self.source, other = next((_SOURCES[name] for name in loaded if name in _SOURCES), ("", ""))
        self.replica = next((_REPLICAS[name] for name in loaded if name in _REPLICAS), "")

        def said(name: str, default: str) -> str:
            return settings.get(f"rpl_semi_sync_{name}", default).upper()

        self._is_enabled = bool(self.source) and said(f"{self.source}_enabled", "OFF") in _ON
        self._waits_without = said(f"{self.source}_wait_no_{other}", "ON") in _ON
        self._waits = self._is_enabled and self._waits_without
        self.acknowledges = bool(self.replica) and said(f"{self.replica}_enabled", "OFF") in _ON
        self._acknowledged = self._alone = 0
        self._source_has_it = True

    def committed(self, replicas: int) -> None:
        """A transaction that so many have acknowledged; without any it is told as done after the limit."""
        if not self._is_enabled:
            return
        self._waits = replicas > 0
        self._acknowledged += self._waits
        self._alone += not self._waits

    def met(self, source: SemiSync) -> None:
        """The connection to a source was made."""
        self._source_has_it = bool(source.source)

    def counters(self, replicas: int, *, copies: bool) -> list[tuple[str, str]]:
        """What ``SHOW GLOBAL STATUS`` has of it, with so many who acknowledge."""
        found: list[tuple[str, str]] = []
        if self.source:
            if self._is_enabled and (replicas or not self._waits_without):
                self._waits = replicas > 0
            own = f"Rpl_semi_sync_{self.source}"
            found += [(f"{own}_clients", str(replicas)), (f"{own}_no_tx", str(self._alone))]
            found += [(f"{own}_status", "ON" if self._waits else "OFF"), (f"{own}_yes_tx", str(self._acknowledged))]
        if self.replica:
            is_on = self.acknowledges and copies and self._source_has_it
            found.append((f"Rpl_semi_sync_{self.replica}_status", "ON" if is_on else "OFF"))
        return found
