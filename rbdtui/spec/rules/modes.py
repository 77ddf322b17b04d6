"""Sections with a mode: what the mode needs is there, and what it has no use for is not."""

from __future__ import annotations

from collections.abc import Iterator

from rbdtui.findings import Finding, Severity
from rbdtui.spec.rules.base import RuleInput
from rbdtui.spec.types import ModalSection


def keys_of_modes(rule: RuleInput) -> Iterator[Finding]:
    """Each section of the profile that has a mode."""
    for name in rule.spec.profile.sections:
        section = getattr(rule.spec, name)
        if isinstance(section, ModalSection):
            yield from _keys_of_mode(rule, name, section)


def _keys_of_mode(rule: RuleInput, name: str, section: ModalSection) -> Iterator[Finding]:
    keys = section.MODES[section.mode_name]
    written = section.model_fields_set - {"mode"}
    for key in sorted(key for key in written if key not in keys):
        path = f"{name}.{key}"
        yield rule.finding("RBD-SPEC-042", Severity.ERROR, path, field=path, mode=section.mode_name)
    for key in keys.needed:
        path = f"{name}.{key}"
        if not getattr(section, key):
            yield rule.finding("RBD-SPEC-043", Severity.ERROR, path, field=path, mode=section.mode_name)
