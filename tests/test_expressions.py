"""No expression of ours goes back and forth over a text: whatever a server, a bundle, a journal or a paste holds."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from functools import partial

import pytest

import rbdtui
from tests.growth import grows_no_faster_than_it_should, nasty_texts

_NOT_THE_PRODUCT = ("rbdtui.simulator", "rbdtui.__main__")


def expressions() -> Iterator[tuple[str, re.Pattern[str] | re.Pattern[bytes]]]:
    """Every compiled expression that a module of ours holds, in tuples and mappings too."""
    for module in pkgutil.walk_packages(rbdtui.__path__, "rbdtui."):
        if not module.name.startswith(_NOT_THE_PRODUCT):
            for name, value in vars(importlib.import_module(module.name)).items():
                for number, found in enumerate(_within(value, 3)):
                    yield f"{module.name}.{name}.{number}", found


def _within(value: object, depth: int) -> Iterator[re.Pattern[str] | re.Pattern[bytes]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple | list | dict) and depth:
        for item in value.values() if isinstance(value, dict) else value:
            yield from _within(item, depth - 1)


EXPRESSIONS = dict(expressions())
MATCHED = (
    "rbdtui.checks.services.mysql_session._GRANT",
    "rbdtui.spec.surgery._COMM",
    "rbdtui.spec.surgery._DASH_LINE",
    "rbdtui.workbench.draft.operations._WHERE",
)
"""Asked by `match` only, as all are that end with the end of the text: from one place, not from everywhere."""


def test_there_are_expressions() -> None:
    assert len(EXPRESSIONS) > 40


def _parts(pattern: str) -> list[str]:
    """What stands in an expression in plain letters, and what may come between such parts."""
    parts = {part for part in re.findall(r"[A-Za-z0-9 /:@.,=-]{3,}", pattern.replace("\\", "")) if len(part) < 40}
    return [part + glue for part in sorted(parts) for glue in ("", " ", "x", "/")]


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_takes_linear_time(name: str) -> None:
    found = EXPRESSIONS[name]
    source = found.pattern.decode() if isinstance(found.pattern, bytes) else found.pattern
    empty = b"" if isinstance(found.pattern, bytes) else ""
    from_one_place = name.startswith(MATCHED) or source.endswith("\\Z")
    asked = (found.match,) if from_one_place else (found.search, found.fullmatch, partial(found.sub, empty))
    for ask in asked:

        def read(text: str, ask: Callable[..., object] = ask) -> object:
            return ask(text.encode() if isinstance(found.pattern, bytes) else text)

        for text_of in nasty_texts():
            grows_no_faster_than_it_should(read, text_of, 1500)
        for part in _parts(source):
            grows_no_faster_than_it_should(read, partial(_again, part), 1500)


def _again(part: str, size: int) -> str:
    return part * (size // max(1, len(part)))
