"""An answer that makes no sense is told with its node, whatever the parser raises."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from rbdtui.transport.answers import parse_answer
from rbdtui.transport.base import RemoteAnswerError


@pytest.mark.parametrize(
    "parse",
    [
        lambda: int("9" * 5000),
        lambda: json.loads("[" * 200_000),
        lambda: ["a", "b"][4],
        lambda: json.loads("{}")["key"],
        lambda: float("inf").as_integer_ratio(),
        lambda: json.loads("5")["x"],
        lambda: json.loads("5").get("x"),
    ],
)
def test_what_a_parser_raises_names_node_and_script(parse: Callable[[], object]) -> None:
    with pytest.raises(RemoteAnswerError) as caught:
        parse_answer("n2", "file-state", parse)
    assert caught.value.node == "n2"
    assert "n2" in str(caught.value)
    assert "file-state" in str(caught.value)


def test_a_good_answer_is_handed_on() -> None:
    assert parse_answer("n2", "file-state", lambda: 5) == 5
