"""What the answers of a MySQL server mean for Rainbond."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rbdtui.checks.services.asking import THIS_MACHINE
from rbdtui.checks.services.mysql_answer import (
    MysqlAnswer,
    PasswordTrouble,
    Schema,
    SchemaState,
    Settings,
    Stop,
    series_of,
)
from rbdtui.checks.services.ways import Obstacle, by_what_is_seen, witnesses
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity

_HOST, _PORT, _USER, _PASSWORD = "mysql.host", "mysql.port", "mysql.username", "mysql.password"
_OBSTACLES: Final = {
    Obstacle.NAME: ("RBD-MYSQL-101", _HOST),
    Obstacle.ROUTE: ("RBD-MYSQL-102", _HOST),
    Obstacle.REFUSED: ("RBD-MYSQL-103", _PORT),
    Obstacle.FILTERED: ("RBD-MYSQL-104", _PORT),
    Obstacle.FORBIDDEN: ("RBD-MYSQL-105", _HOST),
}
_STOPS: Final = {
    Stop.SILENT: ("RBD-MYSQL-106", _PORT),
    Stop.OTHER: ("RBD-MYSQL-107", _PORT),
    Stop.TURNED_AWAY: ("RBD-MYSQL-108", _HOST),
    Stop.TLS_DEMANDED: ("RBD-MYSQL-109", _USER),
    Stop.METHOD: ("RBD-MYSQL-110", _USER),
    Stop.LOGIN: ("RBD-MYSQL-111", _PASSWORD),
    Stop.BROKEN: ("RBD-MYSQL-113", _HOST),
    Stop.NOT_LOGGED_IN: ("RBD-MYSQL-114", _PASSWORD),
}
_MILD: Final = frozenset({"RBD-MYSQL-105", "RBD-MYSQL-114"})
_WRONG_PASSWORD: Final = frozenset({1045, 1698})
_NEWEST_PROVEN: Final = (8, 0)
_FORKS: Final = re.compile(r"percona|tidb|oceanbase|aurora|polardb|vitess|doris|starrocks", re.IGNORECASE)
_LEAST_CONNECTIONS: Final = 151
"""MySQL's own default."""
_CLOCK_S: Final = 2.0
_FAR_MS, _TOO_FAR_MS = 2.0, 10.0
_TABLES_NAMED: Final = 5
_MODES: Final = ("ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT", "ANSI")
_RAINBOND_TABLES: Final = {
    "console": ("region_info", "tenant_info", "console_sys_config", "django_migrations"),
    "region": ("tenants", "tenant_services", "tenant_services_port"),
}
"""Some that every version makes."""
_GOOD_METHODS: Final = ("mysql_native_password",)


def judge(
    host: str, port: int, username: str, answers: Mapping[str, MysqlAnswer], view: ClusterView
) -> Iterator[Finding]:
    """All that is to be said, the most basic first; one finding for all places that see the same."""
    judging = _Judging(f"{host}:{port}", username, answers, view)
    yield from judging.ways()
    yield from judging.password()
    yield from judging.server()
    yield from judging.settings()
    yield from judging.schemas()
    yield from judging.distances()


class _Judging:
    def __init__(self, server: str, username: str, answers: Mapping[str, MysqlAnswer], view: ClusterView) -> None:
        self._server, self._username, self._answers, self._view = server, username, answers, view
        self._settings = {name: answer.settings for name, answer in answers.items() if answer.settings is not None}

    def _finding(
        self, code: str, severity: Severity, field: str, places: list[str], evidence: str = "", **params: Any
    ) -> Finding:
        common = {"server": self._server, "user": self._username}
        return self._view.finding(
            code, severity, field=field, evidence=evidence, places=witnesses(places), **common, **params
        )

    def ways(self) -> Iterator[Finding]:
        """Who does not get so far as to be logged in."""
        stopped = {
            name: (answer.obstacle, answer.stop, answer.error)
            for name, answer in self._answers.items()
            if answer.obstacle is not None or answer.stop is not None
        }
        works = any(answer.settings is not None for name, answer in self._answers.items() if name != THIS_MACHINE)
        for (obstacle, stop, error), places in by_what_is_seen(stopped).items():
            code, field = _OBSTACLES[obstacle] if obstacle is not None else _STOPS[stop or Stop.BROKEN]
            if stop is Stop.LOGIN and error not in _WRONG_PASSWORD:
                code, field = "RBD-MYSQL-112", _USER
            only_here = places == [THIS_MACHINE] and works
            nodes_to_come = obstacle is not None and set(self._answers) == {THIS_MACHINE}
            mild = nodes_to_come or code in _MILD
            severity = Severity.INFO if only_here else Severity.WARNING if mild else Severity.ERROR
            detail = self._answers[places[0]].detail
            yield self._finding(code, severity, field, places, self._seen(), detail=detail, number=error)

    def _seen(self) -> str:
        """How each place fared, raw: a port that is open from one and closed from another is the usual fault."""
        lines = []
        for name, answer in self._answers.items():
            how = answer.obstacle or answer.stop or "ok"
            lines.append(f"{name or 'rbdtui'}: {how} {answer.version} {answer.detail}".rstrip())
        return "\n".join(lines)

    def password(self) -> Iterator[Finding]:
        """What is wrong with the password itself; it is the same from everywhere."""
        troubles = {answer.password for answer in self._answers.values()}
        if PasswordTrouble.CHANGED in troubles:
            yield self._finding("RBD-MYSQL-151", Severity.ERROR, _PASSWORD, list(self._answers))
        elif PasswordTrouble.DELICATE in troubles:
            yield self._finding("RBD-MYSQL-152", Severity.WARNING, _PASSWORD, list(self._answers))

    def server(self) -> Iterator[Finding]:
        """Whether it is a MySQL of a version that Rainbond works with."""
        known = {name: answer.version for name, answer in self._answers.items() if answer.version}
        for version, places in by_what_is_seen(known).items():
            comment = next((has.comment for has in self._settings.values() if has.version == version), "")
            evidence = f"{version} {comment}".strip()
            if "mariadb" in version.lower():
                yield self._finding("RBD-MYSQL-123", Severity.ERROR, _HOST, places, evidence, version=version)
                continue
            if fork := _FORKS.search(evidence):
                yield self._finding("RBD-MYSQL-124", Severity.WARNING, _HOST, places, evidence, fork=fork[0])
            yield from self._version(version, places, evidence)

    def _version(self, version: str, places: list[str], evidence: str) -> Iterator[Finding]:
        profile, series = self._view.spec.profile, series_of(version)
        if series in profile.mysql_proven:
            return
        newer = series is not None and series > _NEWEST_PROVEN
        code = "RBD-MYSQL-122" if newer else "RBD-MYSQL-121"
        severity = Severity.ERROR
        if series in profile.mysql_tolerated:
            code, severity = "RBD-MYSQL-125", Severity.WARNING
        yield self._finding(code, severity, _HOST, places, evidence, version=version, profile=profile.name)

    def settings(self) -> Iterator[Finding]:
        """How the server is set, told once for all places that see the same."""
        for settings, places in by_what_is_seen(self._settings).items():
            if "mariadb" not in settings.version.lower():
                yield from self._of_settings(settings, places)

    def _of_settings(self, has: Settings, places: list[str]) -> Iterator[Finding]:
        if has.charset != "utf8mb4":
            yield self._finding("RBD-MYSQL-141", Severity.WARNING, _HOST, places, has.charset, charset=has.charset)
        if has.connection_charset != "utf8mb4":
            evidence = has.connection_charset
            yield self._finding("RBD-MYSQL-150", Severity.ERROR, _HOST, places, evidence, charset=evidence)
        if has.plugin and has.plugin not in _GOOD_METHODS:
            yield self._finding("RBD-MYSQL-142", Severity.WARNING, _USER, places, has.plugin, method=has.plugin)
        if has.lower_case_table_names:
            evidence = f"lower_case_table_names={has.lower_case_table_names}"
            yield self._finding("RBD-MYSQL-143", Severity.WARNING, _HOST, places, evidence)
        if modes := [mode for mode in _MODES if mode in has.sql_mode]:
            yield self._finding(
                "RBD-MYSQL-144", Severity.ERROR, _HOST, places, ", ".join(sorted(has.sql_mode)), modes=", ".join(modes)
            )
        if has.max_connections < _LEAST_CONNECTIONS:
            most = has.max_connections
            yield self._finding(
                "RBD-MYSQL-145",
                Severity.WARNING,
                _HOST,
                places,
                f"max_connections={most}",
                most=most,
                least=_LEAST_CONNECTIONS,
            )
        if has.replica_of:
            yield self._finding("RBD-MYSQL-149", Severity.ERROR, _HOST, places, has.replica_of, source=has.replica_of)
        elif has.read_only:
            yield self._finding("RBD-MYSQL-146", Severity.ERROR, _HOST, places, "read_only=1")

    def schemas(self) -> Iterator[Finding]:
        """The two databases and what the account may do in them."""
        seen: dict[Schema, list[str]] = {}
        for name, answer in self._answers.items():
            for schema in answer.schemas:
                seen.setdefault(schema, []).append(name)
        told: set[tuple[str, str]] = set()
        for schema, places in seen.items():
            for finding in self._of_schema(schema, places):
                # Of the same database the tables may have changed between two looks; once is enough.
                if (finding.code, schema.name) not in told:
                    told.add((finding.code, schema.name))
                    yield finding

    def _of_schema(self, schema: Schema, places: list[str]) -> Iterator[Finding]:
        name = schema.name
        if schema.state is not SchemaState.USABLE:
            code = "RBD-MYSQL-133"
            if schema.state is SchemaState.MISSING:
                code = "RBD-MYSQL-131" if schema.may_create else "RBD-MYSQL-132"
            yield self._finding(code, Severity.ERROR, _HOST, places, schema.state.value, database=name)
            return
        if schema.charset and schema.charset != "utf8mb4":
            yield self._finding(
                "RBD-MYSQL-137", Severity.ERROR, _HOST, places, schema.charset, database=name, charset=schema.charset
            )
        yield from self._content(schema, places)
        if schema.lacking:
            lacking = ", ".join(schema.lacking)
            yield self._finding("RBD-MYSQL-136", Severity.ERROR, _USER, places, lacking, database=name, lacking=lacking)
        if schema.failed == "utf8mb4":
            yield self._finding("RBD-MYSQL-150", Severity.ERROR, _HOST, places, charset=schema.charset)
        elif schema.failed and not any(has.read_only for has in self._settings.values()):
            yield self._finding("RBD-MYSQL-139", Severity.ERROR, _HOST, places, schema.failed, database=name)
        if schema.left:
            yield self._finding("RBD-MYSQL-138", Severity.WARNING, _HOST, places, schema.left, table=schema.left)

    def _content(self, schema: Schema, places: list[str]) -> Iterator[Finding]:
        """What is in it already; after a run of ours for this site it is taken for this site's."""
        if not schema.tables or any(self._view.is_ours(node.name) for node in self._view.spec.nodes):
            return
        named = ", ".join(schema.tables[:_TABLES_NAMED])
        params = {"database": schema.name, "count": len(schema.tables), "tables": named}
        if set(schema.tables) & set(_RAINBOND_TABLES[schema.name]):
            yield self._finding("RBD-MYSQL-135", Severity.WARNING, _HOST, places, named, **params)
        else:
            yield self._finding("RBD-MYSQL-134", Severity.ERROR, _HOST, places, named, **params)

    def distances(self) -> Iterator[Finding]:
        """Clock and round trip, each told with the worst value."""
        clocks = {name: answer.clock_off_s for name, answer in self._answers.items() if answer.clock_off_s is not None}
        if clocks and min(abs(off_s) for off_s in clocks.values()) > _CLOCK_S:
            off_s = min(clocks.values(), key=abs)
            yield self._finding(
                "RBD-MYSQL-147", Severity.WARNING, _HOST, list(clocks), f"{off_s:+.1f} s", seconds=round(abs(off_s))
            )
        trips = {
            name: answer.round_trip_ms
            for name, answer in self._answers.items()
            if answer.round_trip_ms is not None and name != THIS_MACHINE
        }
        far = {name: trip_ms for name, trip_ms in trips.items() if trip_ms > _FAR_MS}
        if far:
            too_far = [name for name, trip_ms in far.items() if trip_ms > _TOO_FAR_MS]
            severity = Severity.ERROR if too_far else Severity.WARNING
            evidence = ", ".join(f"{name}: {trip_ms:.1f} ms" for name, trip_ms in far.items())
            most = f"{_TOO_FAR_MS if too_far else _FAR_MS:g}"
            yield self._finding("RBD-MYSQL-148", severity, _HOST, too_far or list(far), evidence, most=most)
