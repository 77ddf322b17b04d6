"""Clock offsets from readings with their round trips."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbdtui.facts.clock import ClockBounds, reading_of

DELAYS = st.floats(min_value=0, max_value=3, allow_nan=False)


@given(st.floats(-1e6, 1e6), st.lists(st.tuples(DELAYS, DELAYS), min_size=1, max_size=8))
def test_the_true_offset_is_within_the_bounds(offset: float, delays: list[tuple[float, float]]) -> None:
    bounds, now = ClockBounds(), 1.7e9
    for there, back in delays:
        bounds.add(now + there + offset, now, now + there + back)
        now += there + back + 1
    clock = bounds.clock()
    assert clock is not None
    assert abs(clock.offset_s - offset) <= clock.uncertainty_s + 1e-5
    assert clock.uncertainty_s <= min(there + back for there, back in delays) / 2 + 1e-5


def test_lopsided_readings_bound_each_other() -> None:
    bounds = ClockBounds()
    bounds.add(1000.0 + 0.9 + 5, 1000.0, 1001.0)
    bounds.add(1010.0 + 0.1 + 5, 1010.0, 1011.0)
    clock = bounds.clock()
    assert clock is not None
    assert clock.offset_s == pytest.approx(5.0)
    assert clock.uncertainty_s == pytest.approx(0.1)


def test_a_clock_that_was_set_meanwhile_starts_anew() -> None:
    bounds = ClockBounds()
    bounds.add(1000.05, 1000.0, 1000.1)
    bounds.add(1061.05, 1001.0, 1001.1)
    clock = bounds.clock()
    assert clock is not None
    assert clock.offset_s == pytest.approx(60.0)


def test_without_a_reading_there_is_no_clock() -> None:
    assert ClockBounds().clock() is None


@pytest.mark.parametrize(
    ("line", "reading"),
    [
        ("@@clock 1700000000.123456789", 1700000000.123456789),
        ("@@clock 1700000000.123456789\r", 1700000000.123456789),
        ("@@clock 1700000000", None),
        ("@@clock now", None),
        ("@@fact clock", None),
        ("", None),
    ],
)
def test_reading_of(line: str, reading: float | None) -> None:
    assert reading_of(line) == reading
