"""Host keys to be compared and confirmed: one server's, or those of all that are new."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text as Line
from textual import work
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from rbdtui.words import T, Text
from rbdtui.workbench.host_keys import HostKeys, KeyState, SeenHostKey, by_host
from screens.base import Dialog, Words, key
from screens.dialogs.confirm import ConfirmDialog


class TrustDialog(Dialog[int]):
    """Answers of how many hosts keys were pinned.

    A key that has changed is confirmed alone, and by typing the server's name.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        key("y,enter", "trust_new", "confirm_new"),
        key("c", "trust_changed", "confirm_changed"),
        key("g", "scan", "again"),
    ]
    AUTO_FOCUS = "#keys"

    class Seen(Message):
        """A host has shown its keys."""

    def __init__(self, node: str) -> None:
        super().__init__()
        self._node = node
        """The server whose key is asked for; empty for all."""
        self._seen: list[SeenHostKey] = []
        self._scanning = False
        self._pinned = 0

    @property
    def _hosts(self) -> list[HostKeys]:
        return by_host(list(self._seen))

    def title_text(self) -> Text:
        """What it is about."""
        return T("trust.title_one", node=self._node) if self._node else T("trust.title")

    def body(self) -> Iterable[Widget]:
        """What to do, and the keys."""
        yield Words(T("trust.explain"), classes="paragraph")
        with VerticalScroll(id="keys"):
            yield Static(id="key-list")

    def on_mount(self) -> None:
        """Ask the servers for their keys."""
        self.action_scan()

    def action_scan(self) -> None:
        """Ask the servers, or ask them again."""
        if not self._scanning:
            self._scan()

    @work(group="scan", exclusive=True, exit_on_error=False)
    async def _scan(self) -> None:
        workbench = self.program.workbench
        if workbench is None:
            return
        self._scanning, self._seen = True, []
        self._draw()
        try:
            self._seen = await asyncio.wrap_future(workbench.scan_host_keys(self._node, self._take))
        except Exception as error:  # whatever it is, it has its sentence
            self.tell(self.program.sentence(error), bad=True)
        finally:
            self._scanning = False
            self._draw()

    def _take(self, seen: SeenHostKey) -> None:
        """Called from another thread."""
        self._seen.append(seen)
        self.post_message(self.Seen())

    def on_trust_dialog_seen(self) -> None:
        """Show what has come."""
        self._draw()

    def refresh_view(self) -> None:
        """Say everything anew."""
        if self.redraw:
            self._draw()

    # --- what is shown ---------------------------------------------------------------------------------------

    def _draw(self) -> None:
        page = Line()
        for host in self._hosts:
            self._append_host(page, host)
        if self._scanning:
            page.append(str(T("trust.scanning")), style=self.style("muted"))
        elif not page.plain:
            page.append(str(T("trust.nobody")), style=self.style("muted"))
        page.rstrip()
        self.query_one("#key-list", Static).update(page)
        self.refresh_bindings()
        self.show_keys()

    def _append_host(self, page: Line, host: HostKeys) -> None:
        state, name = self._state(host)
        page.append(f"{host.node}", style="bold")
        page.append(f"  {host.address}:{host.port}  ", style="not bold default")
        page.append(f"{state}\n", style=self.style(name, bold=True))
        if host.error is not None:
            page.append(f"  {host.error.text}\n", style="default")
        for shown in host.keys:
            page.append(f"  {shown.algorithm}\n    {shown.fingerprint}", style="default")
            if shown.state is KeyState.CHANGED:
                page.append(f"\n    {shown.pinned_fingerprint}", style=self.style("error"))
                page.append(f"  {T('trust.was')}", style=self.style("error"))
            page.append("\n")
        if host.changed:
            page.append(f"  {T('trust.warning')}\n", style=self.style("error"))
        page.append("\n")

    def _state(self, host: HostKeys) -> tuple[str, str]:
        if host.changed:
            return f"{self.glyphs.bad} {T('trust.changed')}", "error"
        if host.new:
            return f"{self.glyphs.warn} {T('trust.new')}", "warning"
        if host.error is not None:
            return f"{self.glyphs.dash} {T('trust.none_shown')}", "muted"
        return f"{self.glyphs.ok} {T('trust.confirmed')}", "success"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what can be confirmed."""
        if action == "trust_new":
            return not self._scanning and any(host.new for host in self._hosts)
        if action == "trust_changed":
            return not self._scanning and bool(self._node) and any(host.changed for host in self._hosts)
        return action != "scan" or not self._scanning

    # --- what is done ----------------------------------------------------------------------------------------

    def action_trust_new(self) -> None:
        """Pin all keys that are new."""
        self._pin([host for host in self._hosts if host.new])

    @work(group="dialog", exit_on_error=False)
    async def action_trust_changed(self) -> None:
        """Pin a key in place of another one, after the name has been typed."""
        changed = [host for host in self._hosts if host.changed]
        question = ConfirmDialog(T("trust.changed"), T("trust.replace", node=self._node), type_name=self._node)
        if await self.program.ask(question):
            self._pin(changed)

    def _pin(self, hosts: list[HostKeys]) -> None:
        """Pin, and look again at servers that stood behind a host in between."""
        workbench = self.program.workbench
        if workbench is None:
            return
        try:
            workbench.trust(shown for host in hosts for shown in host.keys)
        except Exception as error:  # a file that cannot be written, for one
            self.tell(self.program.sentence(error), bad=True)
            return
        self._pinned += len(hosts)
        if any(host.error is not None for host in self._hosts):
            workbench.ask_again()
            self.tell(T("trust.pinned", count=len(hosts)))
            self.action_scan()
        else:
            self.dismiss(self._pinned)

    def action_dismiss_none(self) -> None:
        """Leave with what was pinned so far."""
        self.dismiss(self._pinned)
