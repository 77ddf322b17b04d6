"""Fixtures of the probe tests."""

from __future__ import annotations

from pathlib import Path

import kubernetes.aio.client  # noqa: F401 - seconds of importing, which no test's time limit should pay
import pytest

from tests.probes.targets import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A fresh certificate authority."""
    directory = tmp_path / "certificates"
    directory.mkdir()
    return Authority(directory)
