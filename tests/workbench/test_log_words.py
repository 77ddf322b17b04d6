"""Lines of logs say what they have to say first."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbdtui.workbench.run.log_words import log_message

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
    ],
)  # fmt: skip
def test_the_message_comes_first(line: str, message: str) -> None:
    assert log_message(line) == message


@given(st.text(max_size=300), st.sampled_from(["", RKE2 + 'info msg="', RKE2 + "x msg=", "I1128 02:06:48 1 a.go:1] "]))
def test_no_line_makes_it_raise(text: str, head: str) -> None:
    assert isinstance(log_message(head + text), str)


def test_a_long_line_costs_no_time() -> None:
    begin = time.perf_counter()
    for line in (RKE2 + 'info msg="' + "\\" * 4001, RKE2 + 'info msg="' + "\\a" * 2000, "I1128 " + "0" * 4000):
        log_message(line)
    assert time.perf_counter() - begin < 1.0
