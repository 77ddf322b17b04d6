"""Lines of logs say what they have to say first."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbdtui.log_words import log_message, log_messages
from rbdtui.words import T, Text

RKE2 = 'time="2026-11-28T02:06:48Z" level='


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (RKE2 + 'info msg="Managed etcd cluster initializing"', "Managed etcd cluster initializing"),
        (RKE2 + "info msg=Ready", "Ready"),
        (RKE2 + 'warning msg="Unknown flag --x found"', "WARN Unknown flag --x found"),
        (RKE2 + 'fatal msg="starting kubernetes: not authorized"', "FATAL starting kubernetes: not authorized"),
        (RKE2 + r'info msg="Pod for etcd not synced (\"waiting\")"', 'Pod for etcd not synced ("waiting")'),
        (RKE2 + r'error msg="two\nlines" error="no route to host"', 'ERROR two lines error="no route to host"'),
        (RKE2 + 'info msg=""', ""),
        ("I1128 02:06:48.123456    1234 server.go:415] \"Kubelet version\" v=1", '"Kubelet version" v=1'),
        ("E1128 02:06:48.123456 1234 kubelet.go:12] no route", "ERROR no route"),
        ("plain words", "plain words"),
        ("time=soon level=info", "time=soon level=info"),
        ("", ""),
        # Other pairs, and other orders of them.
        ("ts=2026-11-28T02:06:48Z caller=main.go:21 level=error msg=\"no space\" err=full", "ERROR no space err=full"),
        ("time=2026-11-28T02:06:48.123Z level=WARN msg=\"late answer\"", "WARN late answer"),
        ("level=info ts=2026-11-28T02:06:48Z component=tsdb msg=compact", "compact component=tsdb"),
        (RKE2 + 'error msg="cut off in the mid', "ERROR cut off in the mid"),
        ('level=error msg="no time"', "ERROR no time"),
        # JSON, as zap, logrus and docker's json-file write it.
        ('{"level":"warn","ts":"2026-11-28T02:06:48.1Z","caller":"v3/a.go:9","msg":"took too long","took":"1s"}',
         "WARN took too long took=1s"),
        ('{"level":"info","msg":"ready","time":"2026-11-28T02:06:48Z"}', "ready"),
        ('{"log":"dial tcp: refused\\n","stream":"stderr","time":"2026-11-28T02:06:48.1Z"}', "dial tcp: refused"),
        ('{"level":"error","ts":1772460254.1,"msg":"cut off in the mi', "ERROR cut off in the mi"),
        ('{"kind":"Status","message":"not found","code":404}', '{"kind":"Status","message":"not found","code":404}'),
        # Stamps of other writers: CRI, Go's log, Python's logging, MySQL, zap's console, nginx, syslog.
        ("2026-11-28T02:06:48.123456789Z stderr F no route", "no route"),
        ("2026/11/28 02:06:48 dial tcp: refused", "dial tcp: refused"),
        ("2026-11-28 02:06:48,123 - console - ERROR - no table", "ERROR console: no table"),
        ("2026-11-28T02:06:48.123456Z 0 [ERROR] [MY-010119] [Server] Aborting", "ERROR [MY-010119] [Server] Aborting"),
        ("2026-11-28T02:06:48.123Z\tINFO\tsetup\tstarting manager", "setup\tstarting manager"),
        ("2026/11/28 02:06:48 [warn] 29#29: *1 upstream is slow", "WARN 29#29: *1 upstream is slow"),
        ("Nov 28 02:06:48 node1 rke2[1234]: no route", "rke2: no route"),
        ("2026-11-28T02:06:48Z", "2026-11-28T02:06:48Z"),
        ("2026-11-28 02:06", "2026-11-28 02:06"),
        ("2026-11-28 02:06:48: kept until then", "2026-11-28 02:06:48: kept until then"),
    ],
)  # fmt: skip
def test_the_message_comes_first(line: str, message: str) -> None:
    assert log_message(line) == message


PREFIXES = {
    "": "", "  ": "  ", "rbd-chaos: ": "rbd-chaos: ", "[node1] ": "[node1] ", "rbd-db-0 | ": "rbd-db-0 | ",
    "rbd-chaos: the database does not answer: ": "rbd-chaos: the database does not answer: ",
    "rbd-chaos: 数据库没有应答：": "rbd-chaos: 数据库没有应答：",
    "2026-11-28T02:06:49.1Z stdout F ": "", "2026-11-28T02:06:49Z ": "",
    "Nov 28 02:06:49 node1 rke2[1234]: ": "rke2: ",
    "node1: 2026-11-28T02:06:49.1+08:00 stderr P ": "node1: ",
}  # fmt: skip
"""What stands in front of a program's line, and what of it stays."""
FORMS = {
    RKE2 + 'error msg="dial tcp: refused"': "ERROR dial tcp: refused",
    "level=error ts=2026-11-28T02:06:48Z msg=refused": "ERROR refused",
    '{"level":"error","ts":1772460254.1,"msg":"dial tcp: refused"}': "ERROR dial tcp: refused",
    "E1128 02:06:48.123456    1234 server.go:415] dial tcp: refused": "ERROR dial tcp: refused",
    "2026-11-28 02:06:48,123 ERROR dial tcp: refused": "ERROR dial tcp: refused",
    "2026/11/28 02:06:48 dial tcp: refused": "dial tcp: refused",
}  # fmt: skip


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("form", FORMS)
def test_the_message_comes_first_whatever_stands_before_the_line(prefix: str, form: str) -> None:
    assert log_message(prefix + form) == PREFIXES[prefix] + FORMS[form]


@pytest.mark.parametrize("form", FORMS)
def test_a_sentence_has_the_message_also_where_a_journal_of_an_earlier_version_has_the_line(
    form: str,
) -> None:
    why = T("rainbond.why.database_not_ready.message", component="rbd-chaos", detail=f"exit 1\n{form}\n")
    kept = Text.from_json(T("run.line.note", step="s", text=T("plan.note.component_waits", cause=why)).to_json())
    assert str(kept) == f"s: rbd-chaos: the database does not answer: exit 1 {FORMS[form]}"


def test_lines_stay_lines() -> None:
    assert log_messages("\n".join(["a", RKE2 + "info msg=b", ""])) == "a\nb\n"


@given(
    st.text(max_size=300),
    st.sampled_from(["", RKE2 + 'info msg="', RKE2 + "x msg=", "I1128 02:06:48 1 a.go:1] ", '{"msg":']),
)
def test_no_line_makes_it_raise(text: str, head: str) -> None:
    assert isinstance(log_message(head + text), str)


def test_a_long_line_costs_no_time() -> None:
    begin = time.perf_counter()
    for line in (RKE2 + 'info msg="' + "\\" * 4001, RKE2 + 'info msg="' + "\\a" * 2000, "I1128 " + "0" * 4000,
        'time="' * 600, "a=b " * 1000, '{"level":"' * 400, '{"level":' * 400, "2026-11-28T02:06:48Z stdout F " * 130,
        "a: " * 1300, "level=a " * 500 + 'msg="',
    ):  # fmt: skip
        log_message(line)
    assert time.perf_counter() - begin < 1.0
