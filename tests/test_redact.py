"""Known secrets are taken out of text in every form in which programs print them."""

from __future__ import annotations

import base64
import io
import json
import shlex
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbdtui.redact import MARK, RedactingStream, Redactor
from rbdtui.words import T, Text
from tests.hostile import ALL, leaked

NASTY = "pa'ss \"w$o`rd\\ 中 %&+/"


@pytest.mark.parametrize(
    "shown",
    [
        NASTY,
        shlex.quote(NASTY),
        json.dumps({"password": NASTY}),
        json.dumps({"password": NASTY}, ensure_ascii=False),
        repr(NASTY),
        quote(NASTY, safe=""),
        quote(NASTY),
        base64.b64encode(NASTY.encode()).decode(),
        base64.urlsafe_b64encode(NASTY.encode()).decode(),
        base64.b64encode(b"admin:" + NASTY.encode()).decode(),
        base64.b64encode(b"user:" + NASTY.encode() + b"\n").decode(),
    ],
)
def test_every_printed_form_is_taken_out(shown: str) -> None:
    redacted = Redactor([NASTY]).text(f"before {shown} after")
    assert MARK in redacted
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")
    for piece in ("ss ", "w$o", "rd\\", "cGEnc3M", "%22w"):
        assert piece not in redacted


@given(secret=st.text(min_size=6), before=st.text(), after=st.text())
def test_a_value_never_survives(secret: str, before: str, after: str) -> None:
    redacted = Redactor([secret]).text(before + secret + after)
    assert not secret.strip() or secret not in redacted


def test_short_values_go_only_where_they_stand_alone() -> None:
    redactor = Redactor(["ab"])
    assert redactor.text("table ab=ab.") == f"table {MARK}={MARK}."


def test_the_longer_of_two_values_goes_first() -> None:
    assert Redactor(["secret", "secret-two"]).text("x secret-two y") == f"x {MARK} y"


def test_a_key_of_several_lines_goes_line_by_line() -> None:
    key = "-----BEGIN KEY-----\nQUJDREVGR0g5\nSUpLTE1OT1A5\n-----END KEY-----\n"
    assert Redactor([key]).text("got SUpLTE1OT1A5 here") == f"got {MARK} here"


def test_empty_values_take_nothing_out() -> None:
    redactor = Redactor(["", "  ", "\n"])
    assert not redactor.knows_secrets
    assert redactor.text("a b\n") == "a b\n"


def test_parameters_of_a_sentence_lose_their_secrets_at_every_depth() -> None:
    text = T("a.b", reason=T("c.d", detail="is hunter22"), count=3)
    assert Redactor(["hunter22"]).words(text) == Text(
        "a.b", {"reason": Text("c.d", {"detail": f"is {MARK}"}), "count": 3}
    )


def test_a_stream_sees_a_secret_that_comes_in_pieces() -> None:
    target = io.StringIO()
    stream = RedactingStream(target, Redactor(["hunter22"]))
    stream.write("one hun")
    stream.write("ter22 two\nthree hunt")
    assert target.getvalue() == f"one {MARK} two\n"
    stream.write("er22")
    stream.flush()
    assert target.getvalue() == f"one {MARK} two\nthree {MARK}"


def test_a_stream_passes_on_nothing_that_acts_on_a_terminal() -> None:
    target = io.StringIO()
    stream = RedactingStream(target, Redactor(["hunter22"]))
    stream.write(f"{ALL}\n{ALL}")
    stream.write("hun\x1b[0mter22\n")
    stream.flush()
    assert leaked(target.getvalue()) == []
    assert "hunter22" not in target.getvalue()


def test_the_values_do_not_show_in_a_repr() -> None:
    assert "hunter22" not in repr(Redactor(["hunter22"]))
