"""Lines of sentences: broken between wide letters, never before a sign that ends something nor inside a command."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from rich.text import Text as Line

from screens.widgets.hanging import broken_line

SENTENCE = "服务器有应答，但不接受该密钥和密码。按 l 选择其他用户；或运行 ssh-keygen -lf /etc/ssh/key.pub（须先登录）。"


@pytest.mark.parametrize("cells", range(12, 70))
def test_lines_fit_and_none_begins_or_ends_with_the_wrong_sign(cells: int) -> None:
    lines = broken_line(Line(SENTENCE, style="bold"), cells)
    assert all(cell_len(line.plain) <= cells + 2 for line in lines)
    assert not any(line.plain.startswith(tuple("，。：；！？、）」")) for line in lines)
    assert not any(line.plain.endswith("（") for line in lines)
    assert "".join("".join(line.plain for line in lines).split()) == "".join(SENTENCE.split())
    assert all(str(line.style) == "bold" for line in lines)
    if cells > 20:
        assert any("ssh-keygen" in line.plain for line in lines)


def test_spans_stay_on_their_letters() -> None:
    line = Line("服务器没有应答，")
    line.append("RBD-SSH-002", style="dim")
    parts = broken_line(line, 14)
    assert [part.plain for part in parts if part.spans] == ["RBD-SSH-002"]


@pytest.mark.parametrize("text", ["an English sentence that is longer than a line", "短", ""])
def test_what_is_broken_at_blanks_or_fits_stays_as_it_is(text: str) -> None:
    line = Line(text)
    assert broken_line(line, 12) == [line]
