"""Which objects a list or a watch is about: label and field selectors of the Kubernetes API."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

_SET: Final = re.compile(r"\s*(\S+)\s+(in|notin)\s*\(([^)]*)\)\s*")
_COMMA: Final = re.compile(r",(?![^(]*\))")

Object = dict[str, Any]
Matches = Callable[[Object], bool]


def selection(labels: str, fields: str) -> Matches:
    """A test for objects by both selectors; an empty one lets everything through."""
    by_label = [_requirement(part) for part in _COMMA.split(labels) if part.strip()]
    by_field = [_field(part) for part in fields.split(",") if part.strip()]

    def matches(item: Object) -> bool:
        own = item["metadata"].get("labels") or {}
        return all(holds(own) for holds in by_label) and all(holds(item) for holds in by_field)

    return matches


def matches_labels(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """A selector's ``matchLabels`` alone, as the controllers here use it."""
    wanted = selector.get("matchLabels", {})
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


def _requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    if match := _SET.fullmatch(text):
        key, word, values = match.groups()
        named = {value.strip() for value in values.split(",")}
        if word == "in":
            return lambda labels: labels.get(key) in named
        return lambda labels: labels.get(key) not in named
    text = text.strip()
    if "!=" in text:
        key, _, value = text.partition("!=")
        return lambda labels: labels.get(key.strip()) != value.strip()
    if "=" in text:
        key, _, value = text.partition("=")
        return lambda labels: labels.get(key.strip()) == value.removeprefix("=").strip()
    if text.startswith("!"):
        return lambda labels: text[1:].strip() not in labels
    return lambda labels: text in labels


def _field(text: str) -> Matches:
    key, sign, value = re.split(r"(!=|==|=)", text.strip(), maxsplit=1)
    negated = sign == "!="

    def holds(item: Object) -> bool:
        found: Any = item
        for name in key.split("."):
            found = found.get(name, "") if isinstance(found, dict) else ""
        return (str(found) == value) is not negated

    return holds
