"""In what the releases of Rainbond differ, as far as an installation has to know it.

Read in goodrain/rainbond-operator (v5.17.2-release, v6.2.1-release to v6.9.8-release) and goodrain/rainbond-chart
(v5.17.3-release, v6.2.1-release to v6.9.3-release, the newest chart: later releases are reached by ``installVersion``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from rbdtui.rainbond_version import CLASS_HONOURED_SINCE, LARGE_CLAIMS_SINCE, RainbondVersion


class GatewayRollout(StrEnum):
    """What a change of the gateway's pods does to the traffic."""

    DAEMON_SET = "daemon-set"
    """One node after the other."""
    RECREATE = "recreate"
    """All gateways stop at once, and two pods may come to one node."""
    ROLLING = "rolling"
    """One node after the other, and never two pods on one node."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release of Rainbond."""

    tag: str
    """Of its images, e.g. ``v6.2.1-release``; what the chart calls ``installVersion``."""
    version: RainbondVersion
    chart: str = "rainbond"
    """Name of its chart, in Chart.yaml."""
    gateway: GatewayRollout = GatewayRollout.RECREATE
    honours_storage_class: bool = False
    """Whether its own volumes go into the class that is chosen; before, into ``local-path``, whatever is chosen."""
    needs_containerd_path: bool = True
    """Whether the chart must be told where RKE2's containerd is; later ones find out when they are installed."""
    has_etcd: bool = False
    """Whether it keeps data of its own in an etcd."""
    claims_gib: Mapping[str, int] = field(default_factory=dict)
    """Size of each volume that it claims, by component; ``grdata`` belongs to several."""
    keeps_claim_templates: bool = False
    """Whether its operator leaves claim templates of StatefulSets as it finds them; before, larger ones are an error
    for ever."""
    operator_env: Mapping[str, str] = field(default_factory=dict)
    """What its chart gives to the operator by default: a list of ours would take its place."""
    apisix: str = "3.9.1-debian"
    """Tag of the gateway's image (6)."""
    helper_image: str = "alpine:latest"
    """What the operator's own jobs run in, beside the images that its chart names; empty where it has none."""

    @property
    def is_old(self) -> bool:
        """Whether it is of the generation before 6."""
        return self.version < _FIRST_NEW

    @property
    def forgets_database_password(self) -> bool:
        """Whether its own database gets a new random password with each installation, whatever data it finds (N11)."""
        return not self.is_old and self.version < _PASSWORD_BY_CLUSTER_SINCE


_FIRST_NEW: Final = RainbondVersion(6, 0, 0)
_PASSWORD_BY_CLUSTER_SINCE: Final = RainbondVersion(6, 5, 2)
_V5_17: Final = Release(
    "",
    RainbondVersion(5, 17, 0),
    chart="rainbond-cluster",
    gateway=GatewayRollout.DAEMON_SET,
    honours_storage_class=True,
    has_etcd=True,
    claims_gib={"rbd-hub": 10, "rbd-monitor": 20, "rbd-db": 20, "rbd-app-ui": 10, "rbd-etcd": 20, "grdata": 20},
    helper_image="",
)
_V6_0: Final = Release(
    "",
    _FIRST_NEW,
    claims_gib={"rbd-hub": 1, "minio": 1, "rbd-monitor": 1, "rbd-db": 1, "rbd-app-ui": 1},
)
_V6_3_2: Final = replace(_V6_0, version=RainbondVersion(6, 3, 2), apisix="3.9.1-debian-fix")
_V6_4: Final = replace(_V6_3_2, version=CLASS_HONOURED_SINCE, honours_storage_class=True)
_V6_5: Final = replace(_V6_4, version=RainbondVersion(6, 5, 0), needs_containerd_path=False)
_V6_7_2: Final = replace(
    _V6_5,
    version=LARGE_CLAIMS_SINCE,
    claims_gib={"rbd-hub": 200, "minio": 100, "rbd-monitor": 100, "rbd-db": 5, "rbd-app-ui": 5},
    helper_image="alpine:3",
)
_V6_9_3: Final = replace(_V6_7_2, version=RainbondVersion(6, 9, 3), operator_env={"DEPLOY_VERSION": "helm"})
_V6_9_6: Final = replace(
    _V6_9_3, version=RainbondVersion(6, 9, 6), gateway=GatewayRollout.ROLLING, keeps_claim_templates=True
)
_TABLE: Final = (_V5_17, _V6_0, _V6_3_2, _V6_4, _V6_5, _V6_7_2, _V6_9_3, _V6_9_6)
"""Each holds from its version on."""


def release_of(tag: str) -> Release | None:
    """The release of a tag such as ``v6.9.8-release``; None for anything else and for what is older than 5.17."""
    version = RainbondVersion.parse(tag)
    if version is None:
        return None
    rows = [row for row in _TABLE if row.version <= version]
    return replace(rows[-1], tag=tag.strip(), version=version) if rows else None
