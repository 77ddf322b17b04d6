"""Where RKE2 saves its own snapshots of etcd, and how far apart they are at most, by what it was given.

RKE2 reads it with robfig/cron v3 in its standard form: five fields, or words that begin with ``@``; without one it is
``0 */12 * * *`` (k3s-io/k3s, pkg/cli/cmds/server.go). The clock is the server's own.
"""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from rbdtui.spec.model import ClusterSpec

DEFAULT: Final = "0 */12 * * *"
DIRECTORY: Final = "/var/lib/rancher/rke2/server/db/snapshots"
LATE_S: Final = 3600.0
"""So long after its time one is missed: saving takes a while, and clocks differ."""
_WORDS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
}
_EVERY: Final = re.compile(r"@every (?:(\d{1,4})h)?(?:(\d{1,4})m)?(?:(\d{1,6})s)?")
_RANGES: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_PART: Final = re.compile(r"(\*|\?|\d{1,2}(?:-\d{1,2})?)(?:/(\d{1,2}))?")
_DAYS: Final = 62
"""Over so many days one looks, which is enough for every month to come."""


def snapshot_directory(spec: ClusterSpec) -> str:
    """Where the servers save them."""
    return str(spec.kubernetes.settings.get("etcd-snapshot-dir") or DIRECTORY).rstrip("/")


def longest_gap_s(spec: ClusterSpec) -> float | None:
    """Seconds between two snapshots at most; None when RKE2 takes none by itself, or the schedule is not understood."""
    settings = spec.kubernetes.settings
    if str(settings.get("etcd-disable-snapshots", "")).lower() == "true":
        return None
    return gap_of(str(settings.get("etcd-snapshot-schedule-cron") or DEFAULT))


def gap_of(schedule: str) -> float | None:
    """The longest pause of a schedule; None for one that is not understood, or never comes."""
    schedule = _WORDS.get(schedule.strip(), schedule.strip())
    if (every := _EVERY.fullmatch(schedule)) is not None:
        hours, minutes, seconds = (int(part or 0) for part in every.groups())
        return float(hours * 3600 + minutes * 60 + seconds) or None
    fields = [_field(text, *bounds) for text, bounds in zip(schedule.split(), _RANGES, strict=False)]
    if len(schedule.split()) != len(_RANGES) or any(field is None for field in fields):
        return None
    minutes_, hours_, days, months, weekdays = (field or frozenset() for field in fields)
    either = "*" not in schedule.split()[2] and "*" not in schedule.split()[4]
    times = sorted(hour * 60 + minute for hour in hours_ for minute in minutes_)
    first = datetime(2024, 1, 1, tzinfo=UTC)
    moments: list[float] = []
    for number in range(_DAYS):
        day = first + timedelta(days=number)
        by_day, by_weekday = day.day in days, day.isoweekday() % 7 in weekdays
        if day.month in months and ((by_day or by_weekday) if either else (by_day and by_weekday)):
            moments += [(number * 1440 + minute) * 60.0 for minute in times]
    return max((after - before for before, after in itertools.pairwise(moments)), default=None)


def _field(text: str, least: int, most: int) -> frozenset[int] | None:
    """The numbers that a field stands for."""
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None or match[2] == "0":
            return None
        span, step = match[1], int(match[2] or 1)
        if span in "*?":
            low, high = least, most
        else:
            start, _, end = span.partition("-")
            low = int(start)
            high = int(end) if end else (most if match[2] else low)
        if not least <= low <= high <= most:
            return None
        found |= set(range(low, high + 1, step))
    return frozenset(found)
