"""In what the releases of Rainbond differ."""

from __future__ import annotations

import pytest

from rbdtui.rainbond.releases import GatewayRollout, release_of
from tests.rainbond.plans import release


@pytest.mark.parametrize(
    ("tag", "chart", "gateway", "honours", "needs_path", "claims_gib", "helper"),
    [
        ("v5.17.3-release", "rainbond-cluster", GatewayRollout.DAEMON_SET, True, True, 100, ""),
        ("v6.2.1-release", "rainbond", GatewayRollout.RECREATE, False, True, 5, "alpine:latest"),
        ("v6.3.4-release", "rainbond", GatewayRollout.RECREATE, False, True, 5, "alpine:latest"),
        ("v6.4.0-release", "rainbond", GatewayRollout.RECREATE, True, True, 5, "alpine:latest"),
        ("v6.5.0-release", "rainbond", GatewayRollout.RECREATE, True, False, 5, "alpine:latest"),
        ("v6.7.2-release", "rainbond", GatewayRollout.RECREATE, True, False, 410, "alpine:3"),
        ("v6.9.5-release", "rainbond", GatewayRollout.RECREATE, True, False, 410, "alpine:3"),
        ("v6.9.8-release", "rainbond", GatewayRollout.ROLLING, True, False, 410, "alpine:3"),
        ("v6.12.0", "rainbond", GatewayRollout.ROLLING, True, False, 410, "alpine:3"),
    ],
)
def test_what_differs(
    tag: str, chart: str, gateway: GatewayRollout, honours: bool, needs_path: bool, claims_gib: int, helper: str
) -> None:
    found = release(tag)
    assert (found.tag, found.chart, found.gateway) == (tag, chart, gateway)
    assert (found.honours_storage_class, found.needs_containerd_path) == (honours, needs_path)
    assert (sum(found.claims_gib.values()), found.helper_image) == (claims_gib, helper)
    assert found.is_old == found.has_etcd == (chart == "rainbond-cluster")


@pytest.mark.parametrize("tag", ["", "latest", "v5.16.0-release", "6.2", "v6.2.1_release"])
def test_what_is_no_release(tag: str) -> None:
    assert release_of(tag) is None
