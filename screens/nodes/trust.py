"""Host keys to be compared and confirmed: one server's, or those of all that are new.

A key is confirmed only once it has been on the screen, so the list is read to its end first, page after page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from rich.text import Text as Line
from textual import work
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from rbdtui.words import T, Text
from rbdtui.workbench.live.host_keys import HostKeys, KeyState, SeenHostKey, by_host
from screens.dialogs.confirm import ConfirmDialog
from screens.shell.base import Dialog, Words, key
from screens.widgets.hanging import hanging

FEW_HOSTS: Final = 3
"""With more, a new key is a line: four are in sight at once, and fifty are read in five pages and not in sixteen."""


class TrustDialog(Dialog[int]):
    """Answers of how many hosts keys were pinned.

    A key that has changed is confirmed alone, and by typing the server's name.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        key("y", "trust_new", "confirm_new"),
        key("c", "trust_changed", "confirm_changed"),
        key("g", "scan", "again"),
    ]
    AUTO_FOCUS = "#keys"

    class Seen(Message):
        """A host has shown its keys."""

    def __init__(self, nodes: Sequence[str]) -> None:
        super().__init__()
        self._servers = tuple(nodes)
        """The servers whose keys are asked for; empty for all."""
        self._seen: list[SeenHostKey] = []
        self._scanning = False
        self._pinned = 0
        self._page = Line()
        """What the list shows."""
        self._laid_out = False
        """Whether the list on the screen is the one that was drawn last."""
        self._read_lines = 0
        """How many lines of the list, from its beginning on, have been on the screen."""

    @property
    def _hosts(self) -> list[HostKeys]:
        return by_host(list(self._seen))

    def title_text(self) -> Text:
        """Whose host keys: of one server, of so many, or of all."""
        if len(self._servers) == 1:
            return T("trust.title_one", node=self._servers[0])
        return T("trust.title_several", count=len(self._servers)) if self._servers else T("trust.title")

    def _question(self) -> Text | str:
        """What is confirmed by the key that confirms."""
        count = sum(host.new for host in self._hosts)
        return T("trust.question", count=count) if count and not self._scanning else ""

    def body(self) -> Iterable[Widget]:
        """What to do, and the keys."""
        yield Words(T("trust.explain"), classes="paragraph")
        with VerticalScroll(id="keys"):
            yield Static(id="key-list")
        yield Words(self._question, id="question")

    def on_mount(self) -> None:
        """Ask the servers for their keys."""
        self.watch(self.query_one("#keys", VerticalScroll), "scroll_y", self._note_read, init=False)
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
            self._seen = await asyncio.wrap_future(workbench.scan_host_keys(self._servers, self._take))
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
        page, hosts = Line(), self._hosts
        names = max((len(host.node) for host in hosts), default=0) if len(hosts) > FEW_HOSTS else 0
        for host in hosts:
            if names and _is_plain(host):
                self._append_line(page, host, names)
            else:
                self._append_host(page, host)
        if self._scanning:
            page.append(str(T("trust.scanning")), style=self.style("muted"))
        elif not page.plain:
            page.append(str(T("trust.nobody")), style=self.style("muted"))
        page.rstrip()
        self._page, self._laid_out, self._read_lines = page, False, 0
        self.query_one("#key-list", Static).update(page)
        self.call_after_refresh(self._shown)
        question = self.query_one("#question", Words)
        question.display = bool(self._question())
        question.refresh(layout=True)
        self.refresh_bindings()
        self.show_keys()

    def on_resize(self) -> None:
        """The list is laid out anew."""
        self._read_lines = 0
        self.call_after_refresh(self._shown)

    def _shown(self) -> None:
        self._laid_out = True
        self._note_read()

    def _note_read(self) -> None:
        """Count what is in sight now, when all above it was in sight before."""
        keys = self.query_one("#keys", VerticalScroll)
        if self._laid_out and keys.scroll_offset.y <= self._read_lines:
            self._read_lines = max(self._read_lines, keys.scroll_offset.y + keys.size.height)

    def _read_to_the_end(self) -> bool:
        """Whether every line was in sight; if not, the next ones are shown, and that is said."""
        keys = self.query_one("#keys", VerticalScroll)
        if self._laid_out and self._read_lines >= keys.virtual_size.height:
            return True
        keys.scroll_to(y=max(0, self._read_lines - 1), animate=False)
        self.tell(T("trust.read_on"))
        return False

    def _append_host(self, page: Line, host: HostKeys) -> None:
        state, name = self._state(host)
        page.append(f"{host.node}", style="bold")
        page.append(f"  {host.address}:{host.port}  ", style="not bold default")
        page.append(f"{state}\n", style=self.style(name, bold=True))
        if host.error is not None:
            page.append(f"{hanging(self.query_one('#key-list'), '', str(host.error.text))}\n", style="default")
        for shown in host.keys:
            page.append(f"  {shown.algorithm} {shown.fingerprint}", style="default")
            if shown.state is KeyState.CHANGED:
                page.append(f"\n  {' ' * len(shown.algorithm)} {shown.pinned_fingerprint}", style=self.style("error"))
                page.append(f"\n  {' ' * len(shown.algorithm)} {T('trust.was')}", style=self.style("error"))
            elif host.needless(shown):
                page.append(f"\n  {' ' * len(shown.algorithm)} {T('trust.needless')}", style=self.style("muted"))
            page.append("\n")
        if host.changed:
            page.append(f"  {T('trust.warning')}\n", style=self.style("error"))
        page.append("\n")

    def _append_line(self, page: Line, host: HostKeys, names: int) -> None:
        """One of many: its name and the fingerprint of the key that the command above shows on its console."""
        page.append(f"{self.glyphs.warn} ", style=self.style("warning", bold=True))
        page.append(f"{host.node:{names}}", style="bold")
        page.append(f"  {host.keys[0].fingerprint}\n", style="not bold default")

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
            return not self._scanning and len(self._servers) == 1 and any(host.changed for host in self._hosts)
        return action != "scan" or not self._scanning

    # --- what is done ----------------------------------------------------------------------------------------

    def action_trust_new(self) -> None:
        """Pin all keys that are new, once all have been in sight."""
        if self._read_to_the_end():
            self._pin([host for host in self._hosts if host.new])

    @work(group="dialog", exit_on_error=False)
    async def action_trust_changed(self) -> None:
        """Pin a key in place of another one, after the name has been typed."""
        if not self._read_to_the_end():
            return
        changed = [host for host in self._hosts if host.changed]
        node = self._servers[0]
        question = ConfirmDialog(T("trust.changed"), T("trust.replace", node=node), type_name=node)
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


def _is_plain(host: HostKeys) -> bool:
    """Whether there is nothing to be said of a host but the fingerprint of its one new key, of the usual kind."""
    one = len(host.keys) == 1 and host.keys[0].algorithm == "ssh-ed25519"
    return one and host.new and not host.changed and host.error is None
