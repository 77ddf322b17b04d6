"""Our block in somebody else's file: whole, once, at the top, and not a byte of the rest touched."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbdtui.plan.resources.files import BEGIN, END, with_block, without_block

LINES = ("10.0.0.11 node1", "10.0.0.100 goodrain.me")
BLOCK = b"# BEGIN rbdtui\n10.0.0.11 node1\n10.0.0.100 goodrain.me\n# END rbdtui\n"
CRLF_BLOCK = BLOCK.replace(b"\n", b"\r\n")
OLD = b"# BEGIN rbdtui\n10.0.0.9 node1\n# END rbdtui\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b"", BLOCK, id="empty file"),
        pytest.param(b"127.0.0.1 localhost\n", BLOCK + b"127.0.0.1 localhost\n", id="plain file"),
        pytest.param(b"127.0.0.1 localhost", BLOCK + b"127.0.0.1 localhost", id="missing last newline"),
        pytest.param(b"1.2.3.4 a\r\n1.2.3.5 b\r\n", CRLF_BLOCK + b"1.2.3.4 a\r\n1.2.3.5 b\r\n", id="CRLF"),
        pytest.param(BLOCK + b"1.2.3.4 a\n", BLOCK + b"1.2.3.4 a\n", id="already there"),
        pytest.param(CRLF_BLOCK + b"1.2.3.4 a\r\n", CRLF_BLOCK + b"1.2.3.4 a\r\n", id="already there, with CRLF"),
        pytest.param(OLD + b"1.2.3.4 a\n", BLOCK + b"1.2.3.4 a\n", id="an older block"),
        pytest.param(b"1.2.3.4 a\n" + BLOCK, BLOCK + b"1.2.3.4 a\n", id="not at the top"),
        pytest.param(BLOCK + BLOCK + b"1.2.3.4 a\n", BLOCK + b"1.2.3.4 a\n", id="twice"),
        pytest.param(
            b"# BEGIN rbdtui\n10.0.0.11 node1\n1.2.3.4 a\n", BLOCK + b"1.2.3.4 a\n", id="END lost: ours go, others stay"
        ),
        pytest.param(
            b"1.2.3.4 a\n10.0.0.100 goodrain.me\n# END rbdtui\n1.2.3.5 b\n",
            BLOCK + b"1.2.3.4 a\n1.2.3.5 b\n",
            id="BEGIN lost: ours go, others stay",
        ),
        pytest.param(b"# BEGIN rbdtui\n" + BLOCK + b"1.2.3.4 a\n", BLOCK + b"1.2.3.4 a\n", id="BEGIN twice"),
        pytest.param(BLOCK[:-1], BLOCK, id="the block is all there is, without last newline"),
        pytest.param(b"\xff\xfe GBK \xc4\xe3\n", BLOCK + b"\xff\xfe GBK \xc4\xe3\n", id="bytes that are no UTF-8"),
    ],
)
def test_with_block(before: bytes, after: bytes) -> None:
    assert with_block(before, LINES) == after
    assert with_block(after, LINES) == after


FILES = st.lists(
    st.sampled_from([b"a", b"10.0.0.11 node1", b"", b"# comment", b"\xff", b" \t"])
    | st.binary(max_size=12).filter(lambda line: b"BEGIN" not in line and b"END" not in line),
    max_size=8,
).flatmap(
    lambda lines: st.tuples(*[st.sampled_from([b"\n", b"\r\n"]) for _ in lines], st.sampled_from([b"", b"\n"])).map(
        lambda ends: b"".join(line + end for line, end in zip(lines, ends, strict=False))[: None if ends[-1] else -1]
    )
)


@settings(deadline=None)
@given(FILES)
def test_taking_the_block_out_again_gives_every_byte_back(content: bytes) -> None:
    once = with_block(content, LINES)
    assert once.endswith(content)
    assert with_block(once, LINES) == once
    assert without_block(once, LINES) == content


@settings(deadline=None)
@given(st.lists(st.sampled_from([BEGIN, END, b"10.0.0.11 node1", b"1.2.3.4 mine", b"# note"]), max_size=10))
def test_whatever_is_left_of_blocks_no_foreign_line_outside_one_is_lost(lines: list[bytes]) -> None:
    after = with_block(b"".join(line + b"\n" for line in lines), LINES)
    assert after.startswith(BLOCK)
    assert after[len(BLOCK) :].count(BEGIN) + after[len(BLOCK) :].count(END) == 0
    assert with_block(after, LINES) == after
    inside = False
    foreign_outside = 0
    for number, line in enumerate(lines):
        if line == BEGIN:
            inside = END in lines[number:] and BEGIN not in lines[number + 1 : number + 1 + lines[number:].index(END)]
        elif line == END:
            inside = False
        elif not inside and line in (b"1.2.3.4 mine", b"# note"):
            foreign_outside += 1
    kept = after.splitlines()
    assert kept.count(b"1.2.3.4 mine") + kept.count(b"# note") >= foreign_outside
