"""The start screen: sites of late, a new site, or one to be opened; what is wrong with a damaged one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.text import Text as Line
from textual import events, work
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from rbdtui import __version__
from rbdtui.site import SiteError
from rbdtui.words import T, Text
from screens.shell.base import BaseScreen, Words, css, key
from screens.terminal.paths import short_path
from screens.widgets.choices import Choices
from screens.widgets.frame import HeadLine, KeyLine, MessageLine

if TYPE_CHECKING:
    from rbdtui.workbench.site_list import SiteSummary

NAME_CELLS = 16
PATH_CELLS = 26


class StartScreen(BaseScreen[None]):
    """Where everybody begins who names no site."""

    CSS_PATH = css("start")
    AUTO_FOCUS = "#recent"
    BINDINGS: ClassVar[list[BindingType]] = [
        key("enter", "open_chosen", "open"),
        key("n", "new", "new_site"),
        key("o", "open", "open_other"),
        key("delete,x", "forget", "forget"),
        key("s", "preferences", "preferences"),
    ]

    def __init__(self, path: Path | None = None, error: SiteError | None = None) -> None:
        super().__init__()
        self._path, self._error = path, error
        self._glances: Mapping[str, SiteSummary] = {}

    @property
    def help_text(self) -> Text:
        """The page behind ``?``."""
        return T("help.start")

    def content(self) -> Iterable[Widget]:
        """Name, list, and what to do when there is none."""
        yield HeadLine()
        with Vertical(id="start"):
            yield Words(T("start.claim"), classes="paragraph")
            yield Words(T("start.recent"), id="recent-title")
            yield Choices(id="recent", compact=True, markup=False)
            yield Words(T("start.none"), id="none", classes="paragraph")
            yield Words(T("start.demo"), id="demo", classes="paragraph")
        yield MessageLine()
        yield KeyLine()

    def on_mount(self) -> None:
        """Look at the sites, and say what was wrong with the one that was to be opened."""
        self.query_one(HeadLine).left = f"rbdtui {__version__}"
        self.bindings_updated_signal.subscribe(self, lambda _: self._show_keys())
        self._look()
        if self._path is not None and self._error is not None:
            self._offer_repair(self._path, self._error)

    def on_screen_resume(self, _: events.ScreenResume) -> None:
        """Sites may have changed while one was open."""
        if self.is_mounted:
            self._look()

    def refresh_view(self) -> None:
        """Draw the list; the cursor stays on its site."""
        sites = self.query_one("#recent", OptionList)
        before = sites.highlighted
        recent = self.program.settings.recent
        sites.clear_options()
        sites.add_options([Option(self._line(path), id=path) for path in recent])
        sites.highlighted = min(before or 0, len(recent) - 1) if recent else None
        self.query_one("#recent-title").display = sites.display = bool(recent)
        self.query_one("#none").display = not recent
        self.query_one("#demo").display = bool(recent)
        self._show_keys()

    def _show_keys(self) -> None:
        if self.is_mounted:
            self.query_one(KeyLine).keys = self.program.key_words(self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing can be chosen from an empty list."""
        return not (action in ("open_chosen", "forget") and not self.program.settings.recent)

    def _line(self, path: str) -> Line:
        glance = self._glances.get(path)
        line = Line(no_wrap=True, overflow="ellipsis")
        name = glance.name if glance is not None else Path(path).name
        line.append(_column(name, NAME_CELLS, self.glyphs.busy), style="bold")
        line.append(
            _column(short_path(path), max(PATH_CELLS, self.size.width - 54), self.glyphs.busy),
            style=self.style("muted"),
        )
        if glance is not None:
            self._append_state(line, glance)
        return line

    def _append_state(self, line: Line, glance: SiteSummary) -> None:
        if glance.problem is not None:
            line.append(f"{self.glyphs.bad} {T('start.damaged')}", style=self.style("error"))
        elif glance.active_run:
            run = T("start.running", run=glance.active_run.rpartition("-")[2])
            line.append(f"{self.glyphs.pointer} {run}", style=self.style("warning", bold=True))
        elif glance.outcome is not None:
            said = Text(f"start.outcome.{glance.outcome.value}")  # words: start.outcome.*
            line.append(str(said), style=self.style("muted"))
        else:
            line.append(str(T("shell.nodes", count=glance.nodes)), style=self.style("muted"))

    @work(group="brief", exclusive=True, exit_on_error=False)
    async def _look(self) -> None:
        """Look at every site, away from the screen: directories may be on slow disks."""
        glances = await asyncio.to_thread(_glances, self.program.settings.recent)
        self._glances = {str(glance.path): glance for glance in glances}
        if self.is_mounted:
            self.refresh_view()

    # --- what can be done ------------------------------------------------------------------------------------

    def _chosen(self) -> str:
        option = self.query_one("#recent", OptionList).highlighted_option
        return str(option.id) if option is not None else ""

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open the site under the cursor."""
        event.stop()
        self.open_path(Path(str(event.option_id)))

    def action_open_chosen(self) -> None:
        """Open the site under the cursor."""
        if chosen := self._chosen():
            self.open_path(Path(chosen))

    def open_path(self, path: Path) -> None:
        """Open a site, or say what is wrong with it and what can be done."""
        try:
            self.program.open_site(path)
        except SiteError as error:
            self._offer_repair(path, error)

    def action_forget(self) -> None:
        """Take the site under the cursor out of the list; its directory is not touched."""
        if chosen := self._chosen():
            self._forget(chosen)

    def _forget(self, path: str) -> None:
        self.program.remember(lambda settings: settings.without_recent(path))
        self.refresh_view()
        self.tell(T("start.forgotten", path=short_path(path)))

    def action_preferences(self) -> None:
        """Language, signs, link, colours."""
        self.program.action_preferences()

    @work(exit_on_error=False)
    async def action_open(self) -> None:
        """Open a directory that is not in the list."""
        from screens.start.open_site import OpenSiteDialog

        path = await self.program.ask(OpenSiteDialog())
        if path is not None:
            self.open_path(path)

    @work(exit_on_error=False)
    async def action_new(self) -> None:
        """Make a site and open it."""
        from rbdtui.workbench.site_list import make_site
        from screens.start.new_site import NewSiteDialog

        wanted = await self.program.ask(NewSiteDialog())
        if wanted is None:
            return
        try:
            site = make_site(wanted.path, name=wanted.name, profile=wanted.profile)
        except SiteError as error:
            self.tell(error.text, bad=True)
        else:
            self.open_path(site.path)

    @work(exit_on_error=False)
    async def _offer_repair(self, path: Path, error: SiteError) -> None:
        """Say what is wrong with a site, and do what the operator chooses."""
        from rbdtui.workbench.site_list import Repair, repair
        from screens.start.damaged import DamagedDialog

        chosen = await self.program.ask(DamagedDialog(path, error))
        if chosen is Repair.FORGET:
            self._forget(str(path))
        elif chosen is Repair.EDIT:
            self.program.edit_file(path / "cluster.yaml")
            self.open_path(path)
        elif chosen is not None:
            try:
                repair(path, chosen)
            except SiteError as failed:
                self.tell(failed.text, bad=True)
            else:
                self.open_path(path)


def _glances(paths: Iterable[str]) -> list[SiteSummary]:
    from rbdtui.workbench.site_list import summary_of_site

    return [summary_of_site(Path(path)) for path in paths]


def _column(text: str, cells: int, cut: str) -> str:
    """Text cut or filled to a column, with a blank behind it; a path keeps its end."""
    if cell_len(text) >= cells and text.startswith(("/", "~")):
        while cell_len(text) > cells - 2:
            text = text[1:]
        text = f"{cut}{text}"
    elif cell_len(text) >= cells:
        text = f"{set_cell_size(text, cells - 2)}{cut}"
    return set_cell_size(text, cells)
