"""Releases of helm as helm keeps them."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from rbdtui.kube.releases import newest_release, read_release
from tests.kube.api import Api
from tests.kube.test_session import session
from tests.probes.targets import Authority

SECRETS = "/api/v1/namespaces/rbd-system/secrets"


def kept(revision: int, status: str, *, values: dict[str, Any] | None = None, packed: bool = True) -> dict[str, Any]:
    """A release's Secret."""
    release = {"config": values, "chart": {"metadata": {"name": "rainbond", "version": "6.2.1"}}}
    content = json.dumps(release).encode()
    stored = base64.b64encode(base64.b64encode(gzip.compress(content) if packed else content)).decode()
    labels = {"owner": "helm", "name": "rainbond", "status": status, "version": str(revision)}
    name = f"sh.helm.release.v1.rainbond.v{revision}"
    return {"metadata": {"name": name, "labels": labels}, "data": {"release": stored}}


@pytest.mark.parametrize("packed", [True, False])
def test_a_release_is_read_as_helm_keeps_it(packed: bool) -> None:
    release = read_release(kept(3, "deployed", values={"Cluster": {"replicas": 2}}, packed=packed))
    assert release is not None
    assert (release.revision, release.status, release.chart, release.chart_version) == (
        3,
        "deployed",
        "rainbond",
        "6.2.1",
    )
    assert release.values == {"Cluster": {"replicas": 2}}
    assert "replicas" not in repr(release), "values hold secrets"


@pytest.mark.parametrize("data", [{}, {"release": "%%"}, {"release": base64.b64encode(b"H4s=").decode()}])
def test_what_is_no_release_is_none(data: dict[str, str]) -> None:
    assert read_release({**kept(1, "deployed"), "data": data}) is None


async def test_the_newest_revision_counts_and_pending_is_told(authority: Authority, tmp_path: Path) -> None:
    items = [kept(9, "superseded"), kept(10, "pending-upgrade"), kept(2, "superseded")]
    api = Api({("GET", SECRETS): (200, {"items": items})})
    async with session(authority, tmp_path, api) as kube:
        release = await newest_release(kube, "rbd-system", "rainbond")
    assert release is not None
    assert (release.revision, release.is_pending) == (10, True)
    assert api.asked[0].query["labelSelector"] == ["owner=helm,name=rainbond"]
