"""Balancer: the address that the cluster answers on, who holds it, and where the Kubernetes API is reached."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from rich.text import Text as Line
from textual import on
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Input, Static

from rbdtui.findings import Finding
from rbdtui.spec.model import ApiMode, GatewayMode
from rbdtui.words import T, Text
from rbdtui.workbench import sections
from rbdtui.workbench.balancer import completed_vip, forwards, holders, interfaces_of, put_vip
from rbdtui.workbench.operations import (
    Aside,
    fields_of_mode,
    number_or_text,
    put,
    set_mode,
    text_at,
)
from screens.base import SectionScreen, Words, css, key
from screens.widgets.field import Choice, ChoiceLine, Field, Form
from screens.widgets.hanging import hanging

VIP: Final = "gateway.vip"
_NUMBERS: Final = ("gateway.virtual_router_id", "kubernetes.api.port")
_MODES: Final = {"gateway.mode": GatewayMode.KEEPALIVED.value, "kubernetes.api.mode": ApiMode.VIP.value}
"""The choices that decide which fields there are, with what holds while nothing is chosen."""
_UNICAST: Final = "gateway.unicast"


def _label(path: str) -> Text:
    return Text(f"balancer.{path.replace('.', '_')}")  # words: balancer.*


class BalancerScreen(SectionScreen):
    """The form, and below it what it comes to."""

    SECTION = sections.BALANCER
    CSS_PATH = css("balancer")
    AUTO_FOCUS = "ChoiceLine"
    BINDINGS: ClassVar[list[BindingType]] = [
        key("up", "app.focus_previous", "move"),
        key("down", "app.focus_next", "move"),
        key("u,ctrl+z", "undo", "undo"),
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
            for path in (VIP, "gateway.virtual_router_id"):
                yield Field(_label(path), path=path, hint=Text(f"{_label(path).key}_hint"), resting=True)
            yield Field(_label("gateway.interface"), path="gateway.interface", resting=True)
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
            for path in ("kubernetes.api.address", "kubernetes.api.port", "kubernetes.api.domain"):
                yield Field(_label(path), path=path, resting=True)
            yield Static(id="outcome")

    # --- drawing ---------------------------------------------------------------------------------------------

    def refresh_view(self) -> None:
        """Show the draft, and what the servers say to it."""
        data = self.workbench.draft.data
        for field in self.query(Field):
            field.show(text_at(data, field.path) or "", self._findings_at(field.path))
            field.display = self._is_used(field.path)
        for choice in self.query(Choice):
            usual = _MODES.get(choice.path, "true")
            choice.show(text_at(data, choice.path) or usual, self._findings_at(choice.path))
            choice.display = choice.path in _MODES or self._is_used(choice.path)
        self._show_placeholders()
        self._draw_outcome()

    def _findings_at(self, path: str) -> list[Finding]:
        """What is wrong with a field: by the rules, and by what the servers answered."""
        return [finding for finding in self.workbench.findings if finding.place.field == path]

    def _mode(self, path: str) -> str:
        return text_at(self.workbench.draft.data, path) or _MODES[path]

    def _is_used(self, path: str) -> bool:
        section, _, name = path.rpartition(".")
        if name in ("port", "domain"):
            return True
        return name in fields_of_mode(section, self._mode(f"{section}.mode"))

    def _show_placeholders(self) -> None:
        names = interfaces_of(self.workbench.live.facts.values())
        known = {
            "gateway.interface": T("balancer.interface_auto", names=", ".join(names)) if names else "auto",
            "kubernetes.api.port": "6443",
        }
        for field in self.query(Field):
            if field.path in known:
                field.line.placeholder = str(known[field.path])

    def _draw_outcome(self) -> None:
        spec, shown = self.workbench.draft.spec, self.query_one("#outcome", Static)
        page = Line()
        if spec is not None:
            found = holders(spec, self.workbench.live.facts)
            if found:
                page.append(f"{T('balancer.holders')}\n", style="bold")
            for place, holder in enumerate(found):
                words = T("balancer.first" if not place else "balancer.next")  # words: balancer.first balancer.next
                name = f"{holder.node}  {holder.interface or T('balancer.not_asked')}"
                page.append(f"   {name}  {T('balancer.priority', priority=holder.priority)}  ", style="")
                page.append(f"{words}\n", style="dim")
            wanted = forwards(spec)
            if wanted:
                page.append(f"{hanging(shown, '', str(T('balancer.forwards')), indent=0)}\n", style="bold")
            for forward in wanted:
                page.append(f"   {forward.port:>5}  {' '.join(forward.nodes)}\n")
        page.rstrip()
        if page != shown.content:
            shown.update(page)

    def jump(self, field: str) -> None:
        """Put the cursor into the field, or into the nearest one."""
        for widget in self.query("Field, Choice"):
            path = str(getattr(widget, "path", ""))
            if widget.display and (field == path or path.startswith(f"{field}.")):
                next(child for child in widget.walk_children(Widget) if child.focusable).focus()
                return

    def copy_text(self) -> str:
        """What it comes to."""
        return str(self.query_one("#outcome", Static).content) or super().copy_text()

    # --- keys ------------------------------------------------------------------------------------------------

    def on_field_changed(self, event: Field.Changed) -> None:
        """Take over what is typed, letter by letter."""
        path, typed = event.field.path, event.value
        if path == VIP:
            self.workbench.change(lambda data: put_vip(data, typed), merge=path)
            return
        value = number_or_text(typed) if path in _NUMBERS else typed.strip()
        self.workbench.change(lambda data: put(data, path, value), merge=path)

    @on(Input.Submitted)
    def _complete(self, event: Input.Submitted) -> None:
        """Add the prefix length that the servers' network has."""
        field = next((field for field in self.query(Field) if field.line is event.input), None)
        if field is None or field.path != VIP:
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

    def action_undo(self) -> None:
        """Take the last change back."""
        if not self.workbench.undo():
            self.tell(T("shell.nothing_to_undo"))
