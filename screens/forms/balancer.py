"""Balancer: the address that the cluster answers on, who holds it, and where the Kubernetes API is reached."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from textual.widget import Widget

from rbdtui.spec.model import ApiMode
from rbdtui.words import T
from rbdtui.workbench import sections
from rbdtui.workbench.balancer import (
    AUTO,
    VipState,
    carriers_in,
    completed_vip,
    forwards,
    interfaces_of,
    put_vip,
    vip_state,
    vip_witnesses,
)
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.operations import Value, is_existing, mode_in, text_at, value_at
from rbdtui.workbench.live.service_words import Advice
from screens.forms.balancer_outcome import BalancerOutcome
from screens.shell.form import FormScreen
from screens.widgets.declared_form import DeclaredForm
from screens.widgets.form_fields import Choice, FormField, Heading, Line, Mode, Number, Offered

VIP: Final = "gateway.vip"
INTERFACE: Final = "gateway.interface"
API_ADDRESS: Final = "kubernetes.api.address"


class BalancerForm(DeclaredForm):
    """What the servers and other fields offer, and below the fields what it comes to."""

    SAID_ELSEWHERE = ("RBD-API-010",)

    def foot(self) -> Iterable[Widget]:
        """Who would hold the address, or what somebody else has to forward."""
        yield BalancerOutcome(id="outcome")

    def draw_foot(self) -> None:
        """Draw what the balancer would do, and what was found of it."""
        self.query_one(BalancerOutcome).show(self.workbench)

    def put(self, data: Data, path: str, value: Value | list[str]) -> None:
        """The API's address goes with the virtual one."""
        if path == VIP:
            put_vip(data, str(value))
        else:
            super().put(data, path, value)

    def finished(self, path: str, typed: str) -> None:
        """Add the prefix length that the servers' network has."""
        if path != VIP:
            return
        text = completed_vip(typed, self.workbench.live.facts.values())
        if text != typed:
            self.workbench.change(lambda data: put_vip(data, text), merge=VIP)

    def is_shown(self, declared: FormField) -> bool:
        """The API of a cluster that is there already is where its kubeconfig says."""
        if declared.path.startswith("kubernetes.api.") and is_existing(self.data):
            return value_at(self.data, declared.path) is not None
        return super().is_shown(declared)

    def draw(self) -> None:
        """The heading stands only above fields."""
        super().draw()
        for heading in self.query(".heading"):
            heading.display = not is_existing(self.data)

    def usual_value(self, path: str) -> str:
        """The API's address is the virtual one, unless it is another."""
        vip = text_at(self.data, VIP).partition("/")[0]
        if path == API_ADDRESS:
            return vip if mode_in(self.data, "kubernetes.api") == ApiMode.VIP.value else ""
        return super().usual_value(path)

    def offers(self, path: str) -> tuple[str, ...]:
        """Interfaces that those which carry the address have."""
        names = self._interfaces() if path == INTERFACE else ()
        return (AUTO, *names) if names else ()

    def _interfaces(self) -> tuple[str, ...]:
        facts = self.workbench.live.facts
        return tuple(interfaces_of([facts[name] for name in carriers_in(self.data) if name in facts]))

    def advice(self, declared: FormField) -> Advice | None:
        """What the servers say."""
        if declared.path == INTERFACE:
            names = self._interfaces()
            return Advice(T("form.interfaces", names=", ".join(names))) if names else None
        if declared.path == VIP:
            state = vip_state(self.data, self.workbench.live)
            match state:
                case VipState.ASKING:
                    return Advice(T("form.vip.asking"))
                case VipState.FREE:
                    return Advice(T("form.vip.free", count=vip_witnesses(self.workbench.live)), good=True)
                case VipState.OURS:
                    return Advice(T("form.vip.ours"), good=True)
                case VipState.UNKNOWN:
                    hint = declared.hint if not text_at(self.data, VIP) else None
                    return Advice(hint) if hint is not None else None
        return super().advice(declared)


class BalancerScreen(FormScreen):
    """Gateways and API."""

    SECTION = sections.BALANCER
    FORM = BalancerForm
    FIELDS = (
        Mode("gateway.mode"),
        Line(VIP),
        Number("gateway.virtual_router_id"),
        Offered(INTERFACE),
        Choice("gateway.unicast"),
        Line("gateway.address"),
        Heading("api"),
        Mode("kubernetes.api.mode"),
        Line(API_ADDRESS),
        Number("kubernetes.api.port"),
        Line("kubernetes.api.domain"),
    )

    def copy_text(self) -> str:
        """What a balancer has to forward, as lines to be handed on; else who would hold the address."""
        listed = "\n".join(str(forward) for forward in forwards(self.workbench.draft.data))
        return listed or str(self.query_one(BalancerOutcome).content) or super().copy_text()
