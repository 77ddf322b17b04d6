"""What pydantic found wrong with the shape, in our own codes and sentences."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rbdtui.findings import Finding, Place, Severity
from rbdtui.spec import fields
from rbdtui.spec.model import UNION_MARKS, ClusterSpec
from rbdtui.words import T, Text

UNKNOWN_KEY: Final = "RBD-SPEC-001"
_CODES: Final = {
    "extra_forbidden": UNKNOWN_KEY,
    "missing": "RBD-SPEC-002",
    "string_type": "RBD-SPEC-003",
    "int_type": "RBD-SPEC-004",
    "bool_type": "RBD-SPEC-005",
    "enum": "RBD-SPEC-006",
    "literal_error": "RBD-SPEC-006",
    "list_type": "RBD-SPEC-008",
    "model_type": "RBD-SPEC-009",
    "dict_type": "RBD-SPEC-009",
    "too_short": "RBD-SPEC-010",
}
"""Ours by pydantic's type of error; our own validators raise codes already."""

_MARKS: Final = UNION_MARKS | {"[key]"}
"""Steps in pydantic's locations that are no keys of ours: of a union, and behind a key that is itself refused."""
_ANY_OTHER: Final = "RBD-SPEC-099"
_VAULT_NAMES: Final = {"password": "ssh", "sudo_password": "sudo", "passphrase": "key"}
"""Suggested names of secrets by field."""
_OF_SERVICES: Final = ("mysql", "registry")
"""Sections with a password of their own, which is suggested to be called after them."""


def shape_findings(
    error: ValidationError, texts: Mapping[str, str], refused: Collection[str], *, limit: int
) -> list[Finding]:
    """One finding for each mistake, but none about values that were refused before; places hold only the field.

    Only the first mistakes up to the limit are looked at: suggesting a key takes time.
    """
    around = {above for path in refused for above in _sections_around(path)}
    findings = []
    for details in error.errors(include_url=False, include_input=False)[:limit]:
        steps = tuple(step for step in details["loc"] if step not in _MARKS)
        path = fields.path_of(steps)
        judged_before = path in around or path in refused or any(above in refused for above in _sections_around(path))
        if not judged_before:
            findings.append(_finding(details, steps, path, texts.get(path, "")))
    return findings


def _sections_around(path: str) -> Iterator[str]:
    while path := fields.parent(path):
        yield path


def _finding(details: ErrorDetails, steps: tuple[str | int, ...], path: str, written: str) -> Finding:
    kind = details["type"]
    code = kind if kind.startswith("RBD-") else _CODES.get(kind, _ANY_OTHER)
    params = _params(code, details, steps, path, written)
    shows_value = code != UNKNOWN_KEY and not fields.is_secret(path)
    return Finding(code, Severity.ERROR, Place(path), params, fields.printable(written) if shows_value else "")


def _params(
    code: str, details: ErrorDetails, steps: tuple[str | int, ...], path: str, written: str
) -> dict[str, str | int | float | Text]:
    params: dict[str, str | int | float | Text] = {"field": path}
    params.update({name: value for name, value in details.get("ctx", {}).items() if isinstance(value, str | int)})
    last = steps[-1] if steps else ""
    if code == UNKNOWN_KEY:
        params["key"] = fields.printable(str(last))
        params["hint"] = _nearest(str(last), sorted(_keys_at(steps[:-1])))
    elif code == "RBD-SPEC-006":
        allowed = re.findall(r"'([^']*)'", str(params.get("expected", "")))
        params["expected"] = ", ".join(allowed)
        params["hint"] = _nearest(written, allowed)
    elif code in ("RBD-SPEC-030", "RBD-SPEC-031"):
        section = str(steps[0])
        params["secret"] = section if section in _OF_SERVICES else _VAULT_NAMES.get(str(last), "name")
    elif code == _ANY_OTHER:
        params["kind"] = details["type"]
    return params


def _nearest(written: str, allowed: list[str]) -> Text:
    close = difflib.get_close_matches(written[:64], allowed, 1, 0.6)
    if close:
        return T("spec.nearest", nearest=close[0], allowed=", ".join(allowed))
    return T("spec.allowed", allowed=", ".join(allowed))


def _keys_at(steps: tuple[str | int, ...]) -> Collection[str]:
    """The keys that the section at these steps may have."""
    section: type[BaseModel] = ClusterSpec
    for step in steps:
        if isinstance(step, str):
            below = _section_in(section.model_fields[step].annotation) if step in section.model_fields else None
            if below is None:
                return ()
            section = below
    return section.model_fields.keys()


def _section_in(annotation: object) -> type[BaseModel] | None:
    """The section that an annotation such as ``list[Node] | None`` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_in(part)) is not None), None)
