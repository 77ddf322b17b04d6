"""What the choices on the balancer come to: who would hold the address, or what somebody else has to forward."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from rich.cells import cell_len
from rich.text import Text as Line
from textual.widgets import Static

from rbdtui.profiles import profile_named
from rbdtui.spec.model import GatewayMode
from rbdtui.terminal_text import clean_line
from rbdtui.words import T
from rbdtui.workbench.balancer import (
    Forward,
    Holder,
    carriers_in,
    forwarded_here,
    forwards,
    gateways_in,
    gives_up_on_failed_api,
    holders,
)
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.operations import text_at, uses_balancers
from rbdtui.workbench.workbench import Workbench
from screens.widgets.frame import signs
from screens.widgets.hanging import hanging

_INDENT: Final = "   "


class BalancerOutcome(Static):
    """A page of words and aligned lists, drawn again only when it says something else."""

    def show(self, workbench: Workbench) -> None:
        """What follows from a draft."""
        data, page = workbench.draft.data, Line()
        self._append_balance(page, data)
        found = holders(data, workbench.live.facts)
        if found:
            self._append_holders(page, found, balanced=uses_balancers(data))
            if gives_up_on_failed_api(workbench.draft.spec):
                self._append_note(page, str(T("balancer.gives_up")))
        page.rstrip()
        if page != self.content:
            self.update(page)

    def _append_balance(self, page: Line, data: Data) -> None:
        """What somebody else's balancer has to do, or why nobody has anything to balance."""
        wanted, external = forwards(data), text_at(data, "gateway.mode") == GatewayMode.EXTERNAL.value
        gateways = gateways_in(data)
        if not gateways and text_at(data, "gateway.mode") != GatewayMode.NONE.value:
            page.append(f"{hanging(self, '', str(T('balancer.no_gateways')), indent=0)}\n", style="dim")
        if uses_balancers(data):
            self._append_pair(page, data)
        if wanted:
            page.append(f"{hanging(self, '', str(T('balancer.forwards')), indent=0)}\n", style="bold")
            self._append_forwards(page, wanted)
            self._append_note(page, str(T("balancer.before_run")))
            self._append_note(page, str(T("balancer.copies")))
        profile = profile_named(text_at(data, "profile"))
        if external and gateways and profile is not None and not profile.has_gateway:
            names = ", ".join(map(clean_line, gateways))
            self._append_note(page, str(T("balancer.your_ports", nodes=names)))

    def _append_pair(self, page: Line, data: Data) -> None:
        """What our own balancers will forward, or that there are none yet."""
        if not carriers_in(data):
            page.append(f"{hanging(self, '', str(T('balancer.no_balancers')), indent=0)}\n", style="dim")
        elif forwarded := forwarded_here(data):
            page.append(f"{hanging(self, '', str(T('balancer.pair')), indent=0)}\n", style="bold")
            self._append_forwards(page, forwarded)

    def _append_holders(self, page: Line, found: Sequence[Holder], *, balanced: bool) -> None:
        page.append(f"{T('balancer.holders')}\n", style="bold")
        dash = signs(self).dash
        rows = [(clean_line(each.node), clean_line(each.interface) or dash, str(each.priority)) for each in found]
        node, interface, priority = (max(cell_len(row[column]) for row in rows) for column in range(3))
        for place, row in enumerate(rows):
            words = T("balancer.first") if place == 0 else T("balancer.next")
            page.append(f"{_INDENT}{_filled(row[0], node)}  {_filled(row[1], interface)}  ")
            page.append(f"{T('balancer.priority', priority=row[2].rjust(priority))}  {words}\n", style="dim")
        if not all(each.interface for each in found):
            self._append_note(page, str(T("balancer.not_asked", dash=dash)))
        self._append_note(page, str(T("balancer.stays_balancer") if balanced else T("balancer.stays")))
        if balanced:
            self._append_note(page, str(T("balancer.watches_haproxy")))

    def _append_forwards(self, page: Line, wanted: Sequence[Forward]) -> None:
        """Ports with the same servers behind them in one line, and these below it."""
        arrow = "->" if signs(self).pointer == ">" else "→"
        for targets, group in groupby(wanted, key=lambda forward: forward.targets):
            ports = "  ".join(_port_words(forward, arrow) for forward in group)
            page.append(f"{_INDENT}{ports}\n", style="bold")
            names = max((cell_len(target.node) for target in targets), default=0)
            for place, each in enumerate(targets):
                page.append(f"{_INDENT}{' ' if place else arrow:<{len(arrow)}} ", style="dim")
                page.append(f"{_filled(clean_line(each.node), names)}  {clean_line(each.address)}\n")

    def _append_note(self, page: Line, text: str) -> None:
        page.append(f"{hanging(self, '', text)}\n", style="dim")


def _port_words(forward: Forward, arrow: str) -> str:
    return str(forward.port) if forward.port == forward.target_port else f"{forward.port}{arrow}{forward.target_port}"


def _filled(text: str, cells: int) -> str:
    return text + " " * (cells - cell_len(text))
