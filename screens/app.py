"""The program on the screen: which screen is seen, what leads where, and how it comes and goes."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual import events, work
from textual.app import App, SuspendNotSupported
from textual.binding import BindingType
from textual.css.query import NoMatches
from textual.dom import DOMNode
from textual.geometry import Size
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import Worker, WorkerState

from rbdtui.findings import Place
from rbdtui.site import SiteError
from rbdtui.words import T, Text, current_language, switch_language
from rbdtui.workbench.errors import sentence_of
from rbdtui.workbench.sections import NODES, RUN, section_of
from screens.base import LEAST_COLUMNS, LEAST_ROWS, Dialog, OurScreen, SectionScreen, css, key
from screens.keys import key_words
from screens.messages import Changed
from screens.sections import SECTION_SCREENS, entry_of
from screens.settings import Settings, load_settings, save_settings, settings_file
from screens.theme import DARK, LIGHT, Glyphs, rich_colour
from screens.widgets.frame import MessageLine, Rail

if TYPE_CHECKING:
    from rbdtui.session import PassphraseSource
    from rbdtui.workbench.workbench import Workbench

MOST_COLUMNS: Final = 400
MOST_ROWS: Final = 200
"""A terminal that says it is larger is not believed: a picture of that size would take seconds to draw."""
OPENING: Final = "opening"
START: Final = "start"
FAILED: Final = 3
"""Exit status when what was to be shown could not be."""
KEEP_EVERY_S: Final = 0.5
"""How often a changed draft is put on the disk."""


@dataclass(frozen=True, slots=True)
class Start:
    """How the program is started."""

    site: Path | None = None
    """The site to open; None: the start screen."""
    opener: Callable[[], Workbench] | None = None
    """Opens a site in a thread of its own, as in the demo; in place of ``site``."""
    opening: Text | None = None
    """What is said while the opener is at work."""
    workbench: Workbench | None = None
    """A site that is open already."""
    passphrase_source: PassphraseSource | None = None
    """Where the vault's passphrase comes from before anybody is asked."""
    settings: Settings | None = None
    """Settings of this start, those of the command line included; None: those that are kept."""
    kept: Settings | None = None
    """Settings as they are kept; None: those of this start."""
    settings_file: Path = field(default_factory=settings_file)
    watch_terminal: bool = False
    """Whether to leave when the terminal goes away."""


class RbdTuiApp(App[int]):
    """The terminal UI; its result is the exit status."""

    CSS_PATH = css("app")
    TITLE = "rbdtui"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            key(entry.key, f"section('{entry.section}')", f"section_{entry.section}", show=False)
            for entry in SECTION_SCREENS
        ),
        key("ctrl+p", "palette", "palette", show=False),
        key("ctrl+y", "copy", "copy_text", show=False),
        key("ctrl+s", "save", "save", show=False),
        key("f", "faults", "faults"),
        key("q", "leave", "leave"),
        key("ctrl+q", "leave", "leave", show=False),
        key("ctrl+c", "leave", "interrupt", show=False),
        key("question_mark,f1", "help", "help"),
    ]

    def __init__(self, start: Start | None = None) -> None:
        self._on_screen = False
        self.start = start or Start()
        self.settings = self.start.settings or load_settings(self.start.settings_file)
        self._kept = self.start.kept or self.settings
        self.glyphs = Glyphs(ascii_only=self.settings.ascii_only)
        self.workbench: Workbench | None = None
        self.farewell: list[Text] = []
        """What is said on the terminal after the screen is gone."""
        self._damage: tuple[Path, SiteError] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._drawn_at = 0.0
        self._draw_timer: Timer | None = None
        switch_language(self.settings.language or current_language())
        self.DEFAULT_MODE = self._first_mode()  # type: ignore[misc]  # the first screen, so that nothing is drawn twice
        super().__init__()
        self.add_mode(OPENING, self._opening_screen)
        self.add_mode(START, self._start_screen)
        self._add_sections()
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = self.settings.theme or DARK.name

    # --- coming ----------------------------------------------------------------------------------------------

    def _first_mode(self) -> str:
        """The screen to be seen first; one that takes long to make comes behind one that does not."""
        if self.start.workbench is not None:
            return self._take_over(self.start.workbench)
        return OPENING if self.start.site is not None or self.start.opener is not None else START

    def _opening_screen(self) -> Screen[Any]:
        from screens.opening import OpeningScreen

        name = str(self.start.site.absolute()) if self.start.site is not None else "rbdtui"
        return OpeningScreen(self.start.opening or T("shell.opening", path=name))

    def _start_screen(self) -> Screen[Any]:
        from screens.start import StartScreen

        damage, self._damage = self._damage, None
        return StartScreen(*damage) if damage is not None else StartScreen()

    def _add_sections(self) -> None:
        for entry in SECTION_SCREENS:
            self.add_mode(entry.section, entry.make)

    def on_mount(self) -> None:
        """Begin to keep the draft and to listen for the end of the terminal."""
        self._on_screen = True
        self.set_interval(KEEP_EVERY_S, self._keep)
        if self.workbench is not None:
            self._begin(self.workbench)
        if self.start.watch_terminal:
            from screens.terminal import watch_terminal

            watch_terminal(self)

    @work(exit_on_error=False)
    async def open_first(self) -> None:
        """Open what the program was started for; the first picture is on the screen by now."""
        site = self.start.site
        opener = self.start.opener or partial(self._open, site or Path())
        try:
            self._show(await asyncio.to_thread(opener))
        except SiteError as error:
            if site is None:
                self._give_up(error.text)
                return
            self._damage = (site.absolute(), error)
            self.switch_mode(START)
        except Exception as error:  # the demo's servers could not start: nothing is left to be shown
            self._give_up(self.sentence(error))

    def _give_up(self, reason: Text) -> None:
        self.farewell.append(reason)
        self.exit(FAILED)

    def _open(self, path: Path) -> Workbench:
        from rbdtui.workbench.passphrase import HeldPassphrase
        from rbdtui.workbench.workbench import Workbench

        return Workbench.open(path, HeldPassphrase(self.start.passphrase_source))

    def open_site(self, path: Path) -> None:
        """Open a site and show it; raises `SiteError`."""
        self._show(self._open(path))

    def _show(self, workbench: Workbench) -> None:
        section = self._take_over(workbench)
        self.switch_mode(section)
        self._begin(workbench)

    def _take_over(self, workbench: Workbench) -> str:
        """Have a site open from now on; the section to be seen first."""
        self.workbench = workbench
        self._unsubscribe = workbench.subscribe(self._changed_somewhere)
        if not workbench.simulated:
            self.remember(lambda settings: settings.with_recent(workbench.site.path))
        wanted = RUN if workbench.active_run is not None else NODES
        return wanted if entry_of(wanted) is not None else SECTION_SCREENS[0].section

    def _begin(self, workbench: Workbench) -> None:
        workbench.start()
        self._unlock_if_needed()

    async def close_site(self) -> None:
        """Let go of the site and show the start screen; a run goes on."""
        if self.workbench is None:
            return
        await self.switch_mode(START)
        self._let_go()
        for entry in SECTION_SCREENS:
            await self.remove_mode(entry.section)
        self._add_sections()

    def _let_go(self) -> None:
        self._unsubscribe()
        if self.workbench is not None:
            self.workbench.close()
            self.workbench = None

    # --- going -----------------------------------------------------------------------------------------------

    @work
    async def action_leave(self) -> None:
        """Leave; with a run under way say first that it goes on, and how to come back."""
        workbench = self.workbench
        if workbench is not None and workbench.active_run is not None and not self.too_small:
            from screens.dialogs.leave import LeaveDialog

            if isinstance(self.screen, LeaveDialog) or not await self.push_screen_wait(LeaveDialog()):
                return
        self.leave(0)

    def leave(self, status: int) -> None:
        """Leave at once; draft and run stay."""
        workbench = self.workbench
        if workbench is not None:
            site = str(workbench.site.path)
            if workbench.active_run is not None:
                self.farewell.append(T("shell.farewell.run", run=workbench.active_run.run_id, site=site))
            elif workbench.draft.dirty and not workbench.simulated:
                self.farewell.append(T("shell.farewell.draft", site=site))
            workbench.keep_now()
        self.exit(status)

    def on_unmount(self) -> None:
        """Let go of the site when the program ends, however it does."""
        self._let_go()

    # --- sections --------------------------------------------------------------------------------------------

    def show_section(self, section: str, field: str = "") -> None:
        """Show a section, with the cursor on a field where one is named."""
        if self.workbench is None or entry_of(section) is None:
            return
        if section != self.current_mode:
            self.switch_mode(section)
        screen = self.screen
        if field and isinstance(screen, SectionScreen):
            screen.call_after_refresh(screen.jump, field)

    def show_place(self, place: Place) -> None:
        """Show where what a finding blames can be put right."""
        self.show_section(section_of(place), place.field or place.node)

    def action_section(self, section: str) -> None:
        """Show a section."""
        self.show_section(section)

    def on_rail_chosen(self, message: Rail.Chosen) -> None:
        """Show the section that was clicked."""
        self.show_section(message.section)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Sections are there only while a site is open, faults only in the demo."""
        if action == "faults":
            return self.workbench is not None and self.workbench.faults is not None
        if action == "save":
            return self.workbench is not None
        return action != "section" or (self.workbench is not None and isinstance(self.screen, SectionScreen))

    # --- what changes ----------------------------------------------------------------------------------------

    def _changed_somewhere(self) -> None:
        """Called from any thread."""
        if self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._changed)

    def _changed(self) -> None:
        """Have the screens that are seen drawn, now or a moment later, never too often."""
        if self._draw_timer is not None or not self.is_running:
            return
        wait_s = self._drawn_at + 1 / self.settings.refresh_hz - time.monotonic()
        if wait_s <= 0:
            self._draw()
        else:
            self._draw_timer = self.set_timer(wait_s, self._draw)

    def _draw(self) -> None:
        self._draw_timer, self._drawn_at = None, time.monotonic()
        for screen in self.screen_stack:
            if isinstance(screen, OurScreen):
                screen.post_message(Changed())

    def _keep(self) -> None:
        if self.workbench is not None:
            self.workbench.keep()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """An error of a worker is a sentence."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.tell(self.sentence(event.worker.error), bad=True)

    def sentence(self, error: BaseException) -> Text:
        """An error in words."""
        return sentence_of(error)

    # --- words, signs, colours -------------------------------------------------------------------------------

    def colour(self, name: str) -> str:
        """A colour of the theme for rich."""
        return rich_colour(self, name)

    def remember(self, change: Callable[[Settings], Settings]) -> None:
        """Change the settings that hold and those that are kept; what only this start was told is not kept."""
        self.settings, self._kept = change(self.settings), change(self._kept)
        problem = save_settings(self.start.settings_file, self._kept)
        if problem and self._on_screen:
            self.tell(T("shell.settings_not_kept", file=str(self.start.settings_file), reason=problem), bad=True)

    def apply(self, change: Callable[[Settings], Settings]) -> None:
        """Change settings, keep them, and show them at work."""
        before = self.settings
        self.remember(change)
        settings = self.settings
        if settings.language is not None:
            switch_language(settings.language)
        self.glyphs = Glyphs(ascii_only=settings.ascii_only)
        self.theme = settings.theme or DARK.name
        if (before.language, before.ascii_only) != (settings.language, settings.ascii_only):
            self.say_anew()

    def say_anew(self) -> None:
        """Draw every screen that is seen again; those out of sight see to it themselves when they come back."""
        for screen in self.screen_stack:
            if isinstance(screen, OurScreen) and screen.is_mounted:
                screen.say_anew()

    def tell(self, text: Text | str, *, bad: bool = False) -> None:
        """Say a sentence above the keys of the screen that is seen, until the next key."""
        try:
            line = self.screen.query_one(MessageLine)
        except NoMatches:
            return
        line.bad, line.said = bad, text

    def _fall_silent(self) -> None:
        for line in self.screen.query(MessageLine):
            line.said, line.bad = "", False

    # --- the frame -------------------------------------------------------------------------------------------

    def key_words(self, screen: Screen[Any], *, everything: bool = False) -> tuple[tuple[str, str], ...]:
        """The keys that do something on a screen now, with their words; see `screens.keys`."""
        return key_words(screen, ascii_only=self.settings.ascii_only, everything=everything)

    # --- keys for everywhere ---------------------------------------------------------------------------------

    def action_help(self) -> None:
        """The page on this screen."""
        from screens.help import HelpScreen

        if isinstance(self.screen, OurScreen) and not isinstance(self.screen, Dialog):
            self.push_screen(HelpScreen(self.screen))

    @work(exit_on_error=False)
    async def action_palette(self) -> None:
        """Everything that can be done, to be found by typing."""
        from screens.dialogs.palette import PaletteDialog

        if isinstance(self.screen, OurScreen) and not isinstance(self.screen, Dialog):
            command = await self.push_screen_wait(PaletteDialog(self.screen))
            if command is not None:
                command.run()

    def do(self, action: str, node: DOMNode) -> None:
        """Do what a key does."""
        self.call_later(self.run_action, action, node)

    def further_commands(self) -> list[tuple[Text, Callable[[], object]]]:
        """What the palette offers although no key does it everywhere."""
        commands: list[tuple[Text, Callable[[], object]]] = [(T("palette.preferences"), self.action_preferences)]
        workbench = self.workbench
        if workbench is None:
            return commands
        if not workbench.unlocked:
            commands.append((T("palette.unlock"), self.action_unlock))
        if workbench.draft.dirty:
            commands.append((T("palette.discard"), workbench.discard))
        if not workbench.simulated:
            commands.append((T("palette.other_site"), self.close_site))
        return commands

    def action_preferences(self) -> None:
        """Language, signs, link, colours."""
        from screens.dialogs.preferences import PreferencesDialog

        self.push_screen(PreferencesDialog())

    def action_faults(self) -> None:
        """Faults of simulated servers; only the demo has them."""
        from screens.dialogs.faults import FaultsDialog

        if self.workbench is not None and self.workbench.faults is not None:
            self.push_screen(FaultsDialog(self.workbench.faults))

    def action_save(self) -> None:
        """Write the draft into cluster.yaml."""
        if self.workbench is None:
            return
        try:
            diff = self.workbench.save()
        except Exception as error:  # whatever keeps the file from being written, it has its sentence
            self.tell(self.sentence(error), bad=True)
        else:
            changed = sum(line.startswith(("+", "-")) for line in diff.splitlines()[2:])
            self.tell(T("shell.saved", lines=changed) if diff else T("shell.nothing_to_save"))

    @work(exit_on_error=False)
    async def action_unlock(self) -> None:
        """Ask for the vault's passphrase."""
        await self.ensure_unlocked(T("passphrase.why"))

    async def ensure_unlocked(self, why: Text) -> bool:
        """Whether the vault is open, after having asked for its passphrase where needed; for workers only."""
        from screens.dialogs.passphrase import PassphraseDialog

        workbench = self.workbench
        if workbench is None:
            return False
        if workbench.unlocked:
            return True
        if workbench.passphrases.ready:
            try:
                await asyncio.wrap_future(workbench.unlock())
            except Exception as error:  # a file that is no good: ask the operator instead
                self.tell(self.sentence(error), bad=True)
            else:
                return True
        opened: bool | None = await self.push_screen_wait(PassphraseDialog(why))
        return opened is True

    @work(exit_on_error=False)
    async def _unlock_if_needed(self) -> None:
        """Ask for the passphrase when servers cannot be logged in to without secrets."""
        workbench = self.workbench
        if workbench is not None and workbench.needs_secrets and workbench.has_vault:
            await self.ensure_unlocked(T("passphrase.why_logins"))

    def edit_file(self, file: Path) -> None:
        """Open a file in the operator's editor, in place of the screen."""
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        try:
            with self.suspend():
                status = subprocess.call([*shlex.split(editor), str(file)])
        except (OSError, ValueError, SuspendNotSupported) as error:
            self.tell(T("shell.no_editor", editor=editor, reason=str(error)), bad=True)
        else:
            if status != 0:
                self.tell(T("shell.editor_failed", editor=editor, status=status), bad=True)

    def action_copy(self) -> None:
        """Copy what the screen offers: to the terminal's clipboard, and into a file."""
        if isinstance(self.screen, OurScreen):
            self.copy_out(self.screen.copy_text())

    def copy_out(self, text: str) -> None:
        """Put a text into the terminal's clipboard (OSC 52) and into a file, because few terminals take it."""
        self.copy_to_clipboard(text)
        place = self.workbench.site.path if self.workbench is not None else self.start.settings_file.parent
        file = place / "copied.txt"
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            self.tell(T("shell.copied_only", reason=error.strerror or ""), bad=True)
        else:
            self.tell(T("shell.copied", lines=text.count("\n") + 1, file=str(file)))

    def text_on_screen(self) -> str:
        """The screen as plain text."""
        lines = ["".join(segment.text for segment in strip) for strip in self.screen._compositor.render_strips()]
        return "\n".join(line.rstrip() for line in lines)

    # --- the terminal ----------------------------------------------------------------------------------------

    @property
    def too_small(self) -> bool:
        """Whether there is no room to work."""
        return self.size.width < LEAST_COLUMNS or self.size.height < LEAST_ROWS

    async def on_event(self, event: events.Event) -> None:
        """Disbelieve impossible sizes, and let no key act on what cannot be seen."""
        if isinstance(event, events.Resize):
            event = _believable(event)
        elif isinstance(event, events.Key) and not event.is_forwarded:
            if self.too_small and event.key not in ("q", "ctrl+c", "ctrl+q"):
                return
            self._fall_silent()
        elif isinstance(event, events.Paste) and self.too_small:
            return
        await super().on_event(event)


def _believable(event: events.Resize) -> events.Resize:
    width, height = min(event.size.width, MOST_COLUMNS), min(event.size.height, MOST_ROWS)
    if (width, height) == tuple(event.size):
        return event
    size = Size(width, height)
    return events.Resize(size, size, event.container_size, event.pixel_size)
