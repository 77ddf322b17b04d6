"""Whether VRRP passes between those that are to carry the virtual address: IP protocol 112.

Where it does not pass, each takes the others for dead, and all of them carry the address at once (RFC 5798, section
6.4.2: who hears nothing for the master's down interval becomes the master).
"""

from __future__ import annotations

from typing import ClassVar, Final

from rbdtui.checks.services.between import VRRP, BetweenCheck, BetweenQuestion, able
from rbdtui.checks.view import ClusterView


class VrrpBetweenCheck(BetweenCheck):
    """Each of those that are to carry the address hears each other one."""

    name = "vrrp-between"
    field = "gateway.vip"
    limit_s = 40.0
    shut_code: ClassVar[str] = "RBD-VIP-115"
    untried_code: ClassVar[str] = "RBD-VIP-116"

    def question(self, view: ClusterView) -> BetweenQuestion | None:
        """Those that have answered; None for fewer than two."""
        spec = view.spec
        if spec.gateway.vip is None or not spec.has_vip:
            return None
        addresses = able(view, {node.name: spec.vrrp_address(node) for node in spec.vip_nodes})
        return BetweenQuestion(addresses, VRRP, spec.gateway.unicast) if len(addresses) > 1 else None


CHECK: Final = VrrpBetweenCheck()
