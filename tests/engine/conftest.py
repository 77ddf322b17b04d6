"""An empty site for runs of the plan on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbdtui.site import Site
from tests.engine.support import SPEC_TEXT


@pytest.fixture
def site(tmp_path: Path) -> Site:
    path = tmp_path / "site"
    path.mkdir(mode=0o700)
    (path / "cluster.yaml").write_text(SPEC_TEXT, encoding="utf-8")
    return Site.open(path)
