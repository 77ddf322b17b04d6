"""Text of hosts on its way to a terminal: nothing in it acts, and it stays readable."""

from __future__ import annotations

import json
import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from rbdtui.terminal_text import (
    PLAIN_SIGNS_HANDLER,
    clean_line,
    clean_lines,
    drop_unprintable,
    sanitize,
    sanitize_line,
    shows_signs,
    to_json_text,
)
from rbdtui.words import LANGUAGES, Text, catalogue, say
from tests.hostile import POISONS, leaked


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain text", "plain text"),
        ("中文 ok", "中文 ok"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;new title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;ZXZpbA==\x07after", "after"),
        ("\x1bP+q544e\x1b\\after", "after"),
        ("\x9b2Jgone", "gone"),
        ("\x1b[2J\x1b[Hcleared", "cleared"),
        (" 10%\r 50%\r100%\r\n", "100%"),
        ("100%\r", "100%"),
        ("a\tb", "a       b"),
        ("bell\x07 null\x00", "bell\ufffd null\ufffd"),
        ("right\u202eleft", "right\ufffdleft"),
        ("zero\u200bwidth", "zero\ufffdwidth"),
        ("\x1b", "\ufffd"),
        ("\x1b]unfinished", ""),
    ],
)
def test_what_acts_is_gone(raw: str, shown: str) -> None:
    assert clean_line(raw) == shown


@given(st.text(alphabet=st.one_of(st.sampled_from("\x1b\x9b[]?;0m\x07\r\x00\\P"), st.characters())))
def test_nothing_that_acts_is_ever_left(raw: str) -> None:
    shown = clean_line(raw)
    assert not [letter for letter in shown if unicodedata.category(letter) == "Cc"]


def test_long_lines_are_cut() -> None:
    assert len(clean_line("x" * 1_000_000, 100)) == 100
    assert clean_line("x" * 100, 100) == "x" * 100


def test_many_lines_are_cut() -> None:
    assert len(clean_lines("line\n" * 10_000, limit_lines=4)) == 4


TEXTS = st.text(
    alphabet=st.one_of(st.sampled_from("\x1b\x9b\x9d\x9c[]?;0m\x07\r\n\t\u2028\u202e\udc80\\P"), st.characters())
)


@given(TEXTS)
def test_what_is_left_is_printable(raw: str) -> None:
    for shown in (sanitize(raw), sanitize_line(raw), "".join(clean_lines(raw))):
        bad = [c for c in shown if not c.isprintable() and unicodedata.category(c) != "Zs" and c != "\n"]
        assert bad == []
    assert "\n" not in sanitize_line(raw)
    assert sanitize(raw).count("\n") == raw.count("\n")


@given(TEXTS)
def test_what_is_clean_stays_as_it_is(raw: str) -> None:
    assert sanitize(sanitize(raw)) == sanitize(raw)
    assert sanitize_line(sanitize_line(raw)) == sanitize_line(raw)


@given(st.text(alphabet=st.characters(categories=("L", "N", "P", "S", "Mn", "Zs"))))
def test_what_people_write_is_untouched(raw: str) -> None:
    assert sanitize(raw) == sanitize_line(raw) == raw


@given(TEXTS)
def test_the_last_gate_keeps_the_width(raw: str) -> None:
    kept = drop_unprintable(raw, cell_len)
    assert leaked(kept) == []
    assert sum(map(cell_len, kept)) == sum(map(cell_len, raw))


@given(st.recursive(TEXTS | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)))
def test_json_says_the_same_and_acts_nowhere(data: object) -> None:
    for ascii_only in (False, True):
        for indent in (None, 2):
            said = to_json_text(data, indent=indent, ascii_only=ascii_only)
            assert json.loads(said) == json.loads(json.dumps(data))
            assert leaked(said) == []
            assert said.isascii() or not ascii_only


def test_json_stays_readable() -> None:
    assert to_json_text({"说": "你好，x　y"}) == '{"说": "你好，x　y"}'


@pytest.mark.parametrize("poison", POISONS)
def test_a_parameter_of_a_sentence_does_not_act(poison: str) -> None:
    hostile = f"a\n{POISONS[poison]}\nb"
    for language in LANGUAGES:
        for key, template in catalogue(language).items():
            names = {name for _, name, _, _ in string.Formatter().parse(template) if name}
            said = say(Text(key, dict.fromkeys(names, hostile)), language)
            assert leaked(said) == [], key
            assert said.count("\n") == template.count("\n"), f"{key}: a parameter begins no line of its own"
    assert leaked(say(Text(f"from.the.future{hostile}", {hostile: hostile}))) == []


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "ascii", "latin-1"])
def test_signs_that_an_encoding_lacks_become_plain_ones(encoding: str) -> None:
    written = "✗ ✓ → … – \ufffd ☃".encode(encoding, PLAIN_SIGNS_HANDLER).decode(encoding)
    assert "\\" not in written.removesuffix("\\u2603")
    assert shows_signs(encoding) == (encoding == "gb18030")
