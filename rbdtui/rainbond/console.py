"""Where users open Rainbond's console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rbdtui.spec.model import ClusterSpec

CONSOLE_PORT: Final = 7070
"""Of the gateways (goodrain/rainbond-operator@v6.2.1-release, controllers/handler/app-ui.go)."""


def console_url(spec: ClusterSpec) -> str:
    """The console through the address of the gateways; empty where the plan brings up no Rainbond."""
    return f"http://{spec.gateway_address}:{CONSOLE_PORT}" if spec.installs_rainbond else ""
