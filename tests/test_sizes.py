"""Sizes as people say them."""

from __future__ import annotations

import pytest

from rbdtui.sizes import size_of


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [(0, "0 B"), (42, "42 B"), (1024, "1.0 KiB"), (3500, "3.4 KiB"), (512 << 20, "512 MiB"), (7 << 50, "7168 TiB")],
)
def test_a_size_is_told_in_the_unit_that_fits(size_bytes: int, words: str) -> None:
    assert size_of(size_bytes) == words
