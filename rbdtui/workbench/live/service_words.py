"""What is said beneath a field of the service that it names: who is asked, who has answered and how long ago."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rbdtui.checks import services
from rbdtui.words import T, Text
from rbdtui.workbench.live.live import LiveSnapshot
from rbdtui.workbench.live.services import ServiceLook

_MOST_NAMES: Final = 3


@dataclass(frozen=True, slots=True)
class Advice:
    """What stands beneath a field with which nothing is wrong."""

    text: Text
    good: bool = False
    """Whether it says that the field has been found to be right."""


def look_at(path: str, live: LiveSnapshot) -> ServiceLook | None:
    """What is known of the service whose place is this field; a mode stands for its whole section."""
    places = (path, path.removesuffix(".mode"))
    found = (live.service(check.name) for check in services.SERVICE_CHECKS if check.field in places)
    return next((look for look in found if look.question is not None), None)


def words_of(look: ServiceLook, now: float | None = None) -> Advice | None:
    """What is to be said of it; None where its findings say it. ``now`` is of `time.monotonic`."""
    if look.asking:
        return Advice(T("form.asking", hosts=_names(look.asking)))
    if look.findings:
        return None
    if not look.answers:
        return Advice(T("form.nobody"))
    oldest = min((look.answered_at[host] for host in look.answers if host in look.answered_at), default=None)
    if oldest is None:
        return Advice(T("form.good", hosts=_names(look.answers)), good=True)
    age = age_words((time.monotonic() if now is None else now) - oldest)
    return Advice(T("form.good_since", hosts=_names(look.answers), age=age), good=True)


def age_words(age_s: float) -> Text:
    """How long ago something was, in whole minutes: finer, the screen would change all the time."""
    minutes = int(age_s // 60)
    return T("form.minutes_ago", count=minutes) if minutes else T("form.just_now")


def _names(hosts: Iterable[str]) -> Text | str:
    """Hosts that were asked, this machine by its word; of many the first and how many more."""
    known = [host or T("form.this_machine") for host in hosts]
    shown, more = known[:_MOST_NAMES], len(known) - _MOST_NAMES
    said: Text | str = shown[0] if shown else ""
    for host in shown[1:]:
        said = T("form.and", first=said, second=host)
    return T("form.more", first=said, count=more) if more > 0 else said
