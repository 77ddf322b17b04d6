"""A Rainbond 3.6 that stands becomes highly available at level 2 of its page, group by group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rbdtui.audit.audit import DNS_DROPPED_IN
from rbdtui.audit.target import target_of
from rbdtui.errors import StepError
from rbdtui.plan.conversion.groups import GROUPS, steps_of
from rbdtui.plan.recipes.recipe import Recipe, Request
from rbdtui.plan.step import Plan
from rbdtui.words import T, Text

CHOSEN: Final = "groups"
"""The argument: names of groups, with blanks between them."""
DATA: Final = "data"
"""The group that moves the shared data, while its users stand still."""
VERSION: Final = "version"
"""The argument: of the platform, e.g. ``3.6``; empty when nobody could tell, then as 3.6."""


def _build(request: Request) -> Plan:
    chosen = request.arguments.get(CHOSEN, "").split()
    if not request.spec.profile.audit_only or not set(chosen) <= GROUPS.keys():
        raise StepError("convert_unknown", groups=" ".join(chosen))
    version = tuple(int(part) for part in request.arguments.get(VERSION, "").split(".") if part.isdecimal())
    with_dns = not version or version < DNS_DROPPED_IN
    return Plan(steps_of(target_of(request.spec), chosen, with_dns=with_dns))


def _weighs(arguments: Mapping[str, str]) -> Iterator[Text]:
    if DATA in arguments.get(CHOSEN, "").split():
        yield T("convert.data_weighs")


RECIPE: Final = Recipe("convert", _build, by_name=True, first_weighs=_weighs)
