"""Whatever of a cluster is watched: one file for each probe, and one line here."""

from __future__ import annotations

from typing import Final

from rbdtui.probes import api, clocks, cluster, etcd, gateway, hosts, vip
from rbdtui.probes.question import Probe

PROBES: Final[tuple[Probe, ...]] = (
    hosts.PROBE,
    clocks.PROBE,
    vip.PROBE,
    api.PROBE,
    cluster.PROBE,
    etcd.PROBE,
    gateway.PROBE,
)
"""In the order of asking within a stage."""
