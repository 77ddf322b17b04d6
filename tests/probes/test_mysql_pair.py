"""What health says of a MySQL pair, and the sets of transactions that it counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rbdtui.probes.gtid import count_gtids, missing_gtids, parse_gtids, shown_gtids
from rbdtui.probes.model import CLUSTER, ProbeKey, ProbeState
from rbdtui.probes.mysql_host_state import MysqlHostState
from rbdtui.probes.mysql_own import MysqlServerState, Replication, native_hash, words_for
from rbdtui.probes.mysql_pair import (
    DUMP,
    REPLICA,
    SEMI_SYNC,
    SOURCE,
    judge_dumps,
    judge_replica,
    judge_semi_sync,
    judge_source,
)
from rbdtui.probes.mysql_semi_sync import SemiSync, read_semi_sync, semi_sync_names

A, B = "cf8055f2-ec18-11f1-bd7a-02fc00000001", "d3171532-ec18-11f1-8a03-02fc00000001"
ABOVE = MysqlServerState("8.0.36", A, True, False, parse_gtids(f"{A}:1-9"), {}, True, 1)
COPIES = Replication("10.0.0.4:3306", "Yes", "Yes", 0, True)
BELOW = MysqlServerState("8.0.36", B, True, True, parse_gtids(f"{A}:1-9"), {}, True, 0, COPIES)


@pytest.mark.parametrize(
    ("wanted", "present", "missing"),
    [
        (f"{A}:1-9", f"{A}:1-9", ""),
        (f"{A}:1-9", "", f"{A}:1-9"),
        (f"{A}:1-9", f"{A}:2-3:5", f"{A}:1:4:6-9"),
        (f"{A}:1-9,\n{B}:4", f"{A}:1-20", f"{B}:4"),
        (f"{A}:5", f"{A}:1-4:6", f"{A}:5"),
        ("", f"{A}:1", ""),
    ],
)
def test_what_one_set_has_and_the_other_lacks(wanted: str, present: str, missing: str) -> None:
    assert shown_gtids(missing_gtids(parse_gtids(wanted), parse_gtids(present))) == missing


def test_sets_are_counted_and_others_are_refused() -> None:
    assert count_gtids(parse_gtids(f"{A}:1-9:11,{B}:3")) == 11
    with pytest.raises(ValueError, match=r"."):
        parse_gtids(f"{A}:tag:1-9")


def test_statements_have_the_words_of_the_servers_age_and_show_no_password() -> None:
    old, new = words_for("8.0.15"), words_for("8.0.36-log")
    assert (old.status, new.status) == ("SHOW SLAVE STATUS", "SHOW REPLICA STATUS")
    assert words_for("8.0.22").replica == "SLAVE", "it has no CHANGE REPLICATION SOURCE yet"
    said = new.copy_from("10.0.0.4", 3306, "copy", "canary", "mysql-replication", tls=True)
    assert said.shown.startswith("CHANGE REPLICATION SOURCE TO SOURCE_HOST='10.0.0.4', SOURCE_PORT=3306")
    assert "SOURCE_AUTO_POSITION=1" in said.shown
    assert "canary" not in repr(said)
    assert "MASTER_SSL=0" in old.copy_from("10.0.0.4", 3306, "copy", "canary", "s", tls=False).text


def test_what_is_kept_of_a_password_is_what_a_server_keeps() -> None:
    assert native_hash("adminpw") == "*E43841DF91E2EF25FD52CC5CD5319663731847EA", "as MySQL 8.0.15 has it"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ABOVE, ProbeState.OK),
        (replace(ABOVE, super_read_only=True), ProbeState.DOWN),
        (replace(ABOVE, replication=COPIES), ProbeState.DEGRADED),
    ],
)
def test_the_source_is_written_to(state: MysqlServerState, expected: ProbeState) -> None:
    assert judge_source(ProbeKey(SOURCE, CLUSTER), "n4", state, "asked").state is expected


@pytest.mark.parametrize(
    ("below", "expected", "words"),
    [
        (BELOW, ProbeState.OK, "0 transactions"),
        (replace(BELOW, executed=parse_gtids(f"{A}:1-7")), ProbeState.OK, "2 transactions"),
        (replace(BELOW, executed=parse_gtids(f"{A}:1-11")), ProbeState.OK, "copies"),
        (replace(BELOW, executed=parse_gtids(f"{A}:1-9,{B}:1-2")), ProbeState.DOWN, "2 transactions that the source"),
        (replace(BELOW, replication=None), ProbeState.DOWN, "does not copy from 10.0.0.4:3306"),
        (replace(BELOW, replication=replace(COPIES, source="10.0.0.9:3306")), ProbeState.DOWN, "does not copy"),
        (
            replace(BELOW, replication=replace(COPIES, receives="Connecting", lag_s=None, receive_error="error 1045")),
            ProbeState.DOWN, "error 1045",
        ),
        (replace(BELOW, replication=replace(COPIES, applies="No", apply_error="1062")), ProbeState.DOWN, "1062"),
        (replace(BELOW, super_read_only=False), ProbeState.DEGRADED, "can be written to"),
        (replace(BELOW, replication=replace(COPIES, lag_s=90)), ProbeState.DEGRADED, "90 s behind"),
    ],
)  # fmt: skip
def test_the_replica_has_all_and_takes_nothing_else(below: MysqlServerState, expected: ProbeState, words: str) -> None:
    answer = judge_replica(ProbeKey(REPLICA, CLUSTER), "n5", "10.0.0.4:3306", ABOVE, below, "asked")
    assert (answer.state, words in str(answer.detail)) == (expected, True), str(answer.detail)


def test_an_old_source_that_is_back_is_told_as_a_second_one() -> None:
    back = replace(BELOW, replication=None, super_read_only=False)
    answer = judge_replica(ProbeKey(REPLICA, CLUSTER), "n5", "10.0.0.4:3306", ABOVE, back, "asked")
    assert (answer.state, "two sources" in str(answer.detail)) == (ProbeState.DOWN, True)


@pytest.mark.parametrize(
    ("seen", "expected", "words"),
    [
        (SemiSync(waits=True, replicas=1), ProbeState.OK, "n5 acknowledges every write of n4"),
        (SemiSync(waits=True, replicas=0), ProbeState.DEGRADED, "no longer waits for n5"),
        (SemiSync(waits=False, replicas=1), ProbeState.DEGRADED, "no longer waits for n5"),
        (SemiSync(), ProbeState.DEGRADED, "no semi-synchronous replication"),
    ],
)
def test_whether_a_failover_may_lose_something_is_told(seen: SemiSync, expected: ProbeState, words: str) -> None:
    answer = judge_semi_sync(ProbeKey(SEMI_SYNC, CLUSTER), "n4", "n5", replace(ABOVE, semi_sync=seen), "asked")
    assert (answer.state, words in str(answer.detail)) == (expected, True), str(answer.detail)


@pytest.mark.parametrize(("version", "ends"), [("8.0.25", ("master", "slave")), ("8.0.26-log", ("source", "replica"))])
def test_both_ends_have_the_names_of_the_servers_age(version: str, ends: tuple[str, str]) -> None:
    source, replica = ends
    settings = semi_sync_names(version).settings().splitlines()
    assert settings[:2] == [f"plugin_load_add=semisync_{end}.so" for end in ends]
    assert f"loose_rpl_semi_sync_{source}_wait_point=AFTER_SYNC" in settings
    assert f"loose_rpl_semi_sync_{source}_wait_no_{replica}=OFF" in settings
    assert f"loose_rpl_semi_sync_{replica}_enabled=ON" in settings
    own = f"Rpl_semi_sync_{source}"
    counters = {f"{own}_status": "ON", f"{own}_clients": "1", f"{own}_no_tx": "7", f"{own}_yes_tx": "9"}
    counters[f"Rpl_semi_sync_{replica}_status"] = "OFF"
    seen = read_semi_sync(counters)
    assert seen == SemiSync(waits=True, replicas=1, unacknowledged=7, acknowledges=False)
    assert seen.is_safe
    assert read_semi_sync({}) == SemiSync()


def test_of_a_server_that_is_not_there_yet_the_names_of_today_are_shown() -> None:
    assert semi_sync_names("") == semi_sync_names("8.0.36")


def test_a_night_without_a_dump_is_told() -> None:
    now, key = 1_700_000_000.0, ProbeKey(DUMP, CLUSTER)
    host = MysqlHostState("", "mysql.service", "active", "/etc/my.cnf", "a", dumps=3)

    def judged(*ages_h: int) -> ProbeState:
        states = {f"n{at}": replace(host, newest_dump_s=int(now) - 3600 * age) for at, age in enumerate(ages_h)}
        return judge_dumps(key, states, now).state

    assert judged(3, 90) is ProbeState.OK
    assert judged(40, 90) is ProbeState.DEGRADED
    assert judge_dumps(key, {"n0": replace(host, dumps=0)}, now).state is ProbeState.DEGRADED
    assert judge_dumps(key, {}, now).state is ProbeState.UNKNOWN
