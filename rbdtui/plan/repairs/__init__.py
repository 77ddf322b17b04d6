"""What findings on hosts can be done away with: one file each, one line here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding
from rbdtui.plan.repairs.attributes import AttributesOff
from rbdtui.plan.repairs.cloud_init import HostsFileKept
from rbdtui.plan.repairs.databases import MakeDatabases
from rbdtui.plan.repairs.etcd_user import EtcdUser
from rbdtui.plan.repairs.firewall import FirewalldOff
from rbdtui.plan.repairs.hosts_lines import StaleHostsLines
from rbdtui.plan.repairs.repair import Repair as Repair
from rbdtui.plan.repairs.stale_keepalived import StaleKeepalivedOff
from rbdtui.plan.repairs.swap import SwapOff
from rbdtui.plan.repairs.time_service import TimeServiceOn
from rbdtui.plan.repairs.web_servers import WebServersOff
from rbdtui.plan.step import JUMP_LANE
from rbdtui.spec.model import ClusterSpec

REPAIRS: Final[tuple[type[Repair], ...]] = (
    AttributesOff, SwapOff, FirewalldOff, TimeServiceOn, StaleHostsLines, HostsFileKept, EtcdUser, WebServersOff,
    StaleKeepalivedOff,
)  # fmt: skip
"""In the order in which they are carried out on a node: files must be changeable before they are changed."""


SITE_REPAIRS: Final = (MakeDatabases,)
"""Of what is outside of the hosts, carried out from this machine before all others."""


def repairs_for(
    findings: Sequence[Finding], spec: ClusterSpec, facts: Mapping[str, NodeFacts], *, of_site: bool = True
) -> dict[str, tuple[Finding, ...]]:
    """The repairs that would help, by the ids of their steps in order, each with the findings that it is for.

    Without ``of_site`` only those on the nodes whose facts are given.
    """
    found: dict[str, tuple[Finding, ...]] = {}
    for site_kind in SITE_REPAIRS if of_site else ():
        if outside := tuple(finding for finding in findings if finding.code in site_kind.codes):
            found[site_kind(JUMP_LANE).id] = outside
    for node, known in facts.items():
        mine = [finding for finding in findings if finding.place.node == node]
        for kind in REPAIRS:
            served = tuple(finding for finding in mine if finding.code in kind.codes)
            step = kind(node)
            if served and step.resources(spec, known):
                found[step.id] = served
    return found
