"""What the system says of a file, in its own words and without Python's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rbdtui.bundle.scan import open_bundle
from rbdtui.errors import StepError, reason_of


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FileNotFoundError(2, "No such file or directory", "/a"), "No such file or directory: /a"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (OSError("of our own making"), "of our own making"),
        (ValueError("no error of the system"), "no error of the system"),
        (OSError(5, "Input/output error", b"/b"), "Input/output error: /b"),
    ],
)
def test_the_reason_is_the_systems(error: Exception, told: str) -> None:
    assert reason_of(error) == told


def test_a_bundle_that_is_not_there_is_told_without_a_number(tmp_path: Path) -> None:
    with pytest.raises(StepError) as caught:
        open_bundle(tmp_path / "absent")
    assert caught.value.evidence == f"{os.strerror(2)}: {tmp_path / 'absent'}"
