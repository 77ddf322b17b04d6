"""Rainbond itself: which version, under which domain, and what its chart is given beyond that."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictBool, StringConstraints

from rbdtui.spec import values
from rbdtui.spec.types import Domain, Section

Version = Annotated[
    str, StringConstraints(pattern=values.RAINBOND_VERSION_PATTERN), BeforeValidator(values.rainbond_version)
]
"""A release such as ``v6.9.8-release``."""


class Rainbond(Section):
    """The section ``rainbond``."""

    version: Version | None = None
    """The only one that the bundle holds, unless given."""
    domain_suffix: Domain | None = None
    """Applications get names below it; without it ``<address>.nip.io``, which only the public DNS answers."""
    telemetry: StrictBool = False
    """Whether Rainbond may tell its maker of the installation."""
    values: dict[str, Any] = Field(default_factory=dict)
    """Further values of the chart, laid over those that the plan makes."""
