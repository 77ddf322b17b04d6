"""What the model says of a field by its path in cluster.yaml: its default, its values, and the modes that use it."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Any, get_args

from rbdtui.spec.fields import steps_of
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.types import ModalSection, Section


@cache
def section_at(path: str) -> type[Section] | None:
    """The section at a path, of a list that of its entries; None where there is none."""
    model: type[Section] = ClusterSpec
    for step in steps_of(path) if path else ():
        if isinstance(step, int):
            continue
        known = model.model_fields.get(step)
        below = _section_in(known.annotation) if known is not None else None
        if below is None:
            return None
        model = below
    return model


def modes_at(path: str) -> type[ModalSection] | None:
    """The section at a path, where it has a mode."""
    section = section_at(path)
    return section if section is not None and issubclass(section, ModalSection) else None


def default_at(path: str) -> str:
    """What holds of a field that is not written, as it would be written; empty when nothing does."""
    parent, _, key = path.rpartition(".")
    section = section_at(parent)
    known = section.model_fields.get(key) if section is not None else None
    value: Any = known.default if known is not None else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ""


def values_at(path: str) -> tuple[str, ...]:
    """The values of which a field has one; empty when it takes others as well."""
    parent, _, key = path.rpartition(".")
    section = section_at(parent)
    kind: Any = section.model_fields[key].annotation if section is not None else None
    if kind is bool:
        return ("true", "false")
    return tuple(str(value) for value in kind) if isinstance(kind, type) and issubclass(kind, StrEnum) else ()


def is_used(path: str, mode: str) -> bool:
    """Whether a mode of its section has a use for a field; always where the section has no modes."""
    parent, _, key = path.rpartition(".")
    section = modes_at(parent)
    return section is None or key == "mode" or (mode in section.MODES and key in section.MODES[mode])


def _section_in(annotation: Any) -> type[Section] | None:
    """The section that an annotation is of, be it optional, annotated or a list."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for each in get_args(annotation) if (found := _section_in(each)) is not None), None)
