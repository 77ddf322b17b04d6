"""Plain values as YAML in block style, one scalar a line, which every reader takes for the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

_PLAIN_KEY: Final = re.compile(r"(?!(?:y|n|yes|no|on|off|true|false|null)\Z)[A-Za-z][A-Za-z0-9_-]*", re.IGNORECASE)
"""A key that no reader of YAML takes for anything but a text."""


Scalar = str | int | float | bool | None


def yaml_scalar(value: Scalar) -> str:
    """A value as JSON, which YAML takes too once the characters are escaped that it has a meaning of its own for."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff]", lambda found: f"\\u{ord(found.group()):04x}", text)


def yaml_key(key: str) -> str:
    """A key of a mapping, quoted where it could be taken for anything but a text."""
    return key if _PLAIN_KEY.fullmatch(key) else yaml_scalar(key)


def yaml_block(values: Mapping[str, object], text_of: Callable[[object], Scalar]) -> str:
    """Mappings and lists in their order; ``text_of`` makes a scalar of whatever else is among them."""
    return "".join(f"{line}\n" for line in _mapping(values, text_of, ""))


def _mapping(values: Mapping[str, object], text_of: Callable[[object], Scalar], indent: str) -> Iterator[str]:
    for key, value in values.items():
        yield from _entry(f"{indent}{yaml_key(str(key))}:", value, text_of, indent)


def _entry(head: str, value: object, text_of: Callable[[object], Scalar], indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield head
        yield from _mapping(value, text_of, f"{indent}  ")
    elif isinstance(value, list) and value:
        yield head
        for item in value:
            yield from _item(item, text_of, f"{indent}  ")
    elif isinstance(value, Mapping | list):
        yield f"{head} {'{}' if isinstance(value, Mapping) else '[]'}"
    else:
        yield f"{head} {yaml_scalar(text_of(value))}"


def _item(item: object, text_of: Callable[[object], Scalar], indent: str) -> Iterator[str]:
    """An entry of a list; the first line of what is in it stands behind the hyphen."""
    if isinstance(item, Mapping) and item:
        first, *rest = _mapping(item, text_of, f"{indent}  ")
        yield f"{indent}- {first.lstrip()}"
        yield from rest
    elif isinstance(item, list) and item:
        yield f"{indent}-"
        for below in item:
            yield from _item(below, text_of, f"{indent}  ")
    elif isinstance(item, Mapping | list):
        yield f"{indent}- {'{}' if isinstance(item, Mapping) else '[]'}"
    else:
        yield f"{indent}- {yaml_scalar(text_of(item))}"
