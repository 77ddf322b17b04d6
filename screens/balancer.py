"""Balancer: the address that the cluster answers on, who holds it, and where the Kubernetes API is reached."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.widget import Widget

from rbdtui.findings import Finding
from rbdtui.spec.model import ApiMode, GatewayMode
from rbdtui.words import T, Text
from rbdtui.workbench import sections
from rbdtui.workbench.balancer import (
    AUTO,
    VipState,
    completed_vip,
    forwards,
    gateways_in,
    interfaces_of,
    put_vip,
    vip_state,
    vip_witnesses,
)
from rbdtui.workbench.operations import (
    Aside,
    fields_of_mode,
    number_or_text,
    put,
    set_mode,
    text_at,
)
from rbdtui.workbench.sections import findings_in
from screens.base import Words, css, key
from screens.edit import UNDO_KEYS
from screens.form import FORM_KEYS, FormScreen
from screens.widgets.balancer_outcome import BalancerOutcome
from screens.widgets.field import Choice, ChoiceLine, Field, Form
from screens.widgets.offered import OfferLine

VIP: Final = "gateway.vip"
INTERFACE: Final = "gateway.interface"
ROUTER_ID: Final = "gateway.virtual_router_id"
_NUMBERS: Final = (ROUTER_ID, "kubernetes.api.port")
_MODES: Final = {"gateway.mode": GatewayMode.KEEPALIVED.value, "kubernetes.api.mode": ApiMode.VIP.value}
"""The choices that decide which fields there are, with what holds while nothing is chosen."""
_UNICAST: Final = "gateway.unicast"
_API: Final = ("kubernetes.api.address", "kubernetes.api.port", "kubernetes.api.domain")


_SAID_BELOW: Final = ("RBD-API-010",)
"""Findings that say what the list of ports says."""


def _label(path: str) -> Text:
    return Text(f"balancer.{path.replace('.', '_')}")  # words: balancer.*


class BalancerScreen(FormScreen):
    """The form, and below it what it comes to."""

    SECTION = sections.BALANCER
    CSS_PATH = css("balancer")
    AUTO_FOCUS = "ChoiceLine"
    BINDINGS: ClassVar[list[BindingType]] = [
        *FORM_KEYS,
        *UNDO_KEYS,
        key("pagedown", "page(1)", "further"),
        key("pageup", "page(-1)", "further", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._aside: Aside = {}
        """Values that a mode has no use for, so that they come back with it."""

    def body(self) -> Iterable[Widget]:
        """Gateways, API, and what it comes to."""
        with Form(id="form"):
            yield Choice(
                _label("gateway.mode"),
                [mode.value for mode in GatewayMode],
                lambda mode: T(f"balancer.mode.{mode}"),  # words: balancer.mode.*
                path="gateway.mode",
            )
            yield Field(_label(VIP), path=VIP, resting=True)
            yield Field(_label(ROUTER_ID), path=ROUTER_ID, resting=True)
            yield Field(_label(INTERFACE), path=INTERFACE, line=OfferLine())
            yield Choice(
                _label(_UNICAST),
                ["true", "false"],
                lambda value: T(f"balancer.unicast.{value}"),  # words: balancer.unicast.*
                path=_UNICAST,
            )
            yield Field(_label("gateway.address"), path="gateway.address", resting=True)
            yield Words(T("balancer.api"), classes="heading")
            yield Choice(
                _label("kubernetes.api.mode"),
                [mode.value for mode in ApiMode],
                lambda mode: T(f"balancer.api_mode.{mode}"),  # words: balancer.api_mode.*
                path="kubernetes.api.mode",
            )
            for path in _API:
                yield Field(_label(path), path=path, resting=True)
            yield BalancerOutcome(id="outcome")

    def on_mount(self) -> None:
        """Whether there is something further down decides about a key."""
        self.watch(self._form, "show_vertical_scrollbar", self.refresh_bindings, init=False)

    # --- drawing ---------------------------------------------------------------------------------------------

    @property
    def _form(self) -> Form:
        return self.query_one(Form)

    @property
    def _outcome(self) -> BalancerOutcome:
        return self.query_one(BalancerOutcome)

    def _field(self, path: str) -> Field:
        return next(field for field in self.query(Field) if field.path == path)

    def refresh_view(self) -> None:
        """Show the draft, and what the servers say to it."""
        data = self.workbench.draft.data
        shown: list[str] = []
        found = [finding for finding in self.workbench.findings if finding.code not in _SAID_BELOW]
        for field in self.query(Field):
            field.show(text_at(data, field.path) or "", _at(found, field.path))
            field.display = self._is_used(field.path) or bool(text_at(data, field.path))
            shown += [field.path] if field.display else []
        for choice in self.query(Choice):
            usual = _MODES.get(choice.path, "true")
            choice.show(text_at(data, choice.path) or usual, _at(found, choice.path))
            choice.display = choice.path in _MODES or self._is_used(choice.path)
            shown += [choice.path] if choice.display else []
        self._advise()
        elsewhere = [each for each in findings_in(found, sections.BALANCER) if each.place.field not in shown]
        self._outcome.show(self.workbench, elsewhere)

    def _mode(self, path: str) -> str:
        return text_at(self.workbench.draft.data, path) or _MODES[path]

    def _is_used(self, path: str) -> bool:
        section, _, name = path.rpartition(".")
        if name in ("port", "domain"):
            return True
        return name in fields_of_mode(section, self._mode(f"{section}.mode"))

    def _advise(self) -> None:
        """Say beneath the fields, and in them while they are empty, what the servers and other fields offer."""
        data, live = self.workbench.draft.data, self.workbench.live
        gateways = gateways_in(data)
        names = tuple(interfaces_of([live.facts[name] for name in gateways if name in live.facts]))
        interface = self._field(INTERFACE)
        if isinstance(interface.line, OfferLine):
            interface.line.offers = (AUTO, *names) if names else ()
        interface.advise(T("balancer.interfaces", names=", ".join(names)) if names else None)
        state = vip_state(data, live)
        self._field(VIP).advise(self._vip_words(state), good=state in (VipState.FREE, VipState.OURS))
        number = text_at(data, ROUTER_ID)
        self._field(ROUTER_ID).advise(None if number else T("balancer.gateway_virtual_router_id_hint"))
        vip = text_at(data, VIP).partition("/")[0]
        on_vip = self._mode("kubernetes.api.mode") == ApiMode.VIP.value and vip
        offered = {
            INTERFACE: AUTO,
            "kubernetes.api.port": "6443",
            "kubernetes.api.address": str(T("balancer.api_on_vip", vip=vip)) if on_vip else "",
        }
        for path, placeholder in offered.items():
            self._field(path).line.placeholder = placeholder

    def _vip_words(self, state: VipState) -> Text | None:
        match state:
            case VipState.ASKING:
                return T("balancer.vip.asking")
            case VipState.FREE:
                return T("balancer.vip.free", count=vip_witnesses(self.workbench.live))
            case VipState.OURS:
                return T("balancer.vip.ours")
            case VipState.UNKNOWN:
                return None if text_at(self.workbench.draft.data, VIP) else T("balancer.gateway_vip_hint")

    def jump(self, field: str) -> None:
        """Put the cursor into the field, or into the nearest one."""
        for widget in self.query("Field, Choice"):
            path = str(getattr(widget, "path", ""))
            if widget.display and (field == path or field.startswith(f"{path}.") or path.startswith(f"{field}.")):
                self.enter_field(next(child for child in widget.walk_children(Widget) if child.focusable))
                return

    def copy_text(self) -> str:
        """What a balancer has to forward, as lines to be handed on; else who would hold the address."""
        listed = "\n".join(str(forward) for forward in forwards(self.workbench.draft.data))
        return listed or str(self._outcome.content) or super().copy_text()

    # --- keys ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is something further only where not all is in sight."""
        if action == "page":
            return self.is_mounted and self._form.show_vertical_scrollbar
        return super().check_action(action, parameters)

    def action_page(self, by: int) -> None:
        """See what stands further down, or up again; the cursor stays where it is."""
        self._form.scroll_relative(y=by * max(1, self._form.size.height - 2), animate=False)

    def on_field_changed(self, event: Field.Changed) -> None:
        """Take over what is typed, letter by letter."""
        path, typed = event.field.path, event.value
        if path == VIP:
            self.workbench.change(lambda data: put_vip(data, typed), merge=path)
            return
        value = number_or_text(typed) if path in _NUMBERS else typed.strip()
        self.workbench.change(lambda data: put(data, path, value), merge=path)

    def on_field_submitted(self, event: Field.Submitted) -> None:
        """Add the prefix length that the servers' network has."""
        if event.field.path != VIP:
            return
        text = completed_vip(event.value, self.workbench.live.facts.values())
        if text != event.value:
            self.workbench.change(lambda data: put_vip(data, text), merge=VIP)

    def on_choice_line_changed(self, event: ChoiceLine.Changed) -> None:
        """Take over what is chosen; a mode brings its own fields back."""
        path, chosen = event.choice.path, event.value
        if path in _MODES:
            section = path.rpartition(".")[0]
            self.workbench.change(lambda data: set_mode(data, section, chosen, self._aside))
        else:
            self.workbench.change(lambda data: put(data, path, chosen == "true"))
        self.refresh_view()


def _at(findings: Iterable[Finding], path: str) -> list[Finding]:
    """What is wrong with a field: by the rules, and by what the servers answered."""
    return [finding for finding in findings if finding.place.field == path]
