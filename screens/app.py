"""The program on the screen: which screen is seen, what leads where, and how it comes and goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from textual import events, work
from textual.app import App
from textual.binding import BindingType
from textual.css.query import NoMatches
from textual.geometry import Size
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import Worker, WorkerState

from rbdtui.findings import Place
from rbdtui.site import SiteError
from rbdtui.words import T, Text, current_language, switch_language
from rbdtui.workbench.errors import sentence_of
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.sections import RUN, section_of
from rbdtui.workbench.workbench import Workbench
from screens.base import LEAST_COLUMNS, LEAST_ROWS, Dialog, OurScreen, SectionScreen, css, key
from screens.messages import Changed
from screens.sections import SECTION_SCREENS, entry_of
from screens.settings import Settings, load_settings, save_settings, settings_file
from screens.theme import DARK, LIGHT, Glyphs, rich_colour
from screens.widgets.frame import MessageLine, Rail, RailEntry

MOST_COLUMNS: Final = 400
MOST_ROWS: Final = 200
"""A terminal that says it is larger is not believed: a picture of that size would take seconds to draw."""
KEEP_EVERY_S: Final = 0.5
"""How often a changed draft is put on the disk."""
_KEY_SIGNS: Final = {
    "escape": "Esc", "enter": "Enter", "space": "Space", "question_mark": "?", "slash": "/", "tab": "Tab",
    "up": "↑", "down": "↓", "left": "←", "right": "→", "plus": "+", "minus": "-", "delete": "Del",
    "pageup": "PgUp", "pagedown": "PgDn", "full_stop": ".", "comma": ",",
}  # fmt: skip
_KEY_SIGNS_ASCII: Final = {"up": "Up", "down": "Dn", "left": "Lt", "right": "Rt"}


@dataclass(frozen=True, slots=True)
class Start:
    """How the program is started."""

    site: Path | None = None
    """The site to open; None: the start screen."""
    workbench: Workbench | None = None
    """A site that is open already, as in the demo."""
    passphrases: HeldPassphrase = field(default_factory=HeldPassphrase)
    settings: Settings | None = None
    """Settings of this start, those of the command line included; None: those that are kept."""
    settings_file: Path = field(default_factory=settings_file)
    watch_terminal: bool = False
    """Whether to leave when the terminal goes away."""


class RbdTuiApp(App[int]):
    """The terminal UI; its result is the exit status."""

    CSS_PATH = css("app")
    TITLE = "rbdtui"
    ENABLE_COMMAND_PALETTE = False
    DEFAULT_MODE = "main"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            key(entry.key, f"section('{entry.section}')", f"section_{entry.section}", show=False)
            for entry in SECTION_SCREENS
        ),
        key("ctrl+p", "palette", "palette", show=False),
        key("ctrl+y", "copy", "copy_text", show=False),
        key("ctrl+q", "leave", "quit", show=False),
        key("ctrl+c", "leave", "interrupt", show=False),
        key("q", "leave", "leave"),
        key("question_mark,f1", "help", "help"),
    ]

    def __init__(self, start: Start | None = None) -> None:
        super().__init__()
        self.start = start or Start()
        self.settings = self.start.settings or load_settings(self.start.settings_file)
        self.glyphs = Glyphs(ascii_only=self.settings.ascii_only)
        self.workbench: Workbench | None = None
        self.farewell: list[Text] = []
        """What is said on the terminal after the screen is gone."""
        self._unsubscribe: Callable[[], None] = lambda: None
        self._drawn_at = 0.0
        self._draw_timer: Timer | None = None
        self._sections: dict[str, SectionScreen] = {}
        self.add_mode("main", self._first_screen)
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = self.settings.theme or DARK.name

    # --- coming ----------------------------------------------------------------------------------------------

    def _first_screen(self) -> Screen[Any]:
        """The screen that is painted first, so that nothing is painted twice."""
        switch_language(self.settings.language or current_language())
        if self.start.workbench is not None:
            return self._take_over(self.start.workbench)
        if self.start.site is not None:
            try:
                return self._take_over(Workbench.open(self.start.site, self.start.passphrases))
            except SiteError as error:
                return self._start_screen(self.start.site, error)
        return self._start_screen()

    def _start_screen(self, path: Path | None = None, error: SiteError | None = None) -> Screen[Any]:
        from screens.start import StartScreen

        return StartScreen(path, error)

    def _take_over(self, workbench: Workbench) -> SectionScreen:
        """Have a site open from now on; its first screen."""
        self.workbench = workbench
        self._unsubscribe = workbench.subscribe(self._changed_somewhere)
        if not workbench.simulated:
            self.keep_settings(self.settings.with_recent(workbench.site.path))
        wanted = RUN if workbench.active_run is not None and entry_of(RUN) is not None else SECTION_SCREENS[0].section
        return self._section_screen(wanted)

    def on_mount(self) -> None:
        """Begin to keep the draft and to listen for the end of the terminal."""
        self.set_interval(KEEP_EVERY_S, self._keep)
        if self.workbench is not None:
            self.workbench.start()
        if self.start.watch_terminal:
            from screens.terminal import watch_terminal

            watch_terminal(self)

    def open_site(self, path: Path) -> None:
        """Open a site and show it; raises `SiteError`."""
        workbench = Workbench.open(path, self.start.passphrases)
        screen = self._take_over(workbench)
        workbench.start()
        self.switch_screen(screen)

    def close_site(self) -> None:
        """Let go of the site and show the start screen; a run goes on."""
        if self.workbench is None:
            return
        self._let_go()
        self.switch_screen(self._start_screen())
        for screen in self._sections.values():
            self.uninstall_screen(screen)
            screen.remove()
        self._sections.clear()

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

    def _section_screen(self, section: str) -> SectionScreen:
        screen = self._sections.get(section)
        if screen is None:
            entry = entry_of(section)
            assert entry is not None, section
            screen = self._sections[section] = entry.make()
            self.install_screen(screen, f"section-{section}")
        return screen

    def show_section(self, section: str, field: str = "") -> None:
        """Show a section, with the cursor on a field where one is named."""
        if self.workbench is None or entry_of(section) is None:
            return
        screen = self._section_screen(section)
        if screen is not self.screen:
            self.switch_screen(screen)
        if field:
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
        """Sections are there only while a site is open."""
        return not (action == "section" and (self.workbench is None or not isinstance(self.screen, SectionScreen)))

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

    def keep_settings(self, settings: Settings) -> None:
        """Take settings over and keep them."""
        self.settings = settings
        problem = save_settings(self.start.settings_file, settings)
        if problem and self.is_running:
            self.tell(T("shell.settings_not_kept", file=str(self.start.settings_file), reason=problem), bad=True)

    def apply_settings(self, settings: Settings) -> None:
        """Take settings over, keep them, and show them at work."""
        before = self.settings
        self.keep_settings(settings)
        if settings.language is not None:
            switch_language(settings.language)
        self.glyphs = Glyphs(ascii_only=settings.ascii_only)
        self.theme = settings.theme or DARK.name
        if (before.language, before.ascii_only) != (settings.language, settings.ascii_only):
            self.say_anew()

    def say_anew(self) -> None:
        """Draw every screen again, those out of sight included."""
        seen = [screen for screen in self.screen_stack if isinstance(screen, OurScreen)]
        for screen in {*seen, *self._sections.values()}:
            if screen.is_mounted:
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

    def rail_entries(self) -> tuple[RailEntry, ...]:
        """The rail as it stands."""
        assert self.workbench is not None
        known = {status.section: status for status in self.workbench.sections()}
        return tuple(
            RailEntry(entry.key, entry.section, known[entry.section].state, known[entry.section].problems)
            for entry in SECTION_SCREENS
        )

    def head_left(self) -> str:
        """Site, profile and size, with two blanks between them."""
        assert self.workbench is not None
        data = self.workbench.draft.data
        nodes = data.get("nodes")
        count = len(nodes) if isinstance(nodes, list) else 0
        parts = [str(data.get("name") or self.workbench.site.path.name), str(data.get("profile") or "")]
        return "  ".join([*parts, str(T("shell.nodes", count=count))])

    def head_mark(self) -> str:
        """What must never be overlooked."""
        return str(T("shell.simulated")) if self.workbench is not None and self.workbench.simulated else ""

    def head_right(self) -> str:
        """The run under way, else whether the draft is saved."""
        assert self.workbench is not None
        run = self.workbench.active_run
        if run is not None:
            return str(T("shell.run_active", run=run.run_id.rpartition("-")[2]))
        if self.workbench.draft.keep_error:
            return str(T("shell.not_kept", reason=self.workbench.draft.keep_error))
        return str(T("shell.not_saved")) if self.workbench.draft.dirty else ""

    def key_words(self, screen: Screen[Any], *, everything: bool = False) -> tuple[tuple[str, str], ...]:
        """The keys that do something on a screen now, with their words; help is the last.

        With ``everything`` also those that the line of keys does not show, and those that a text field takes.
        """
        typing = not everything and screen.focused is not None and screen.focused.check_consume_key("x", "x")
        signs: dict[str, list[str]] = {}
        for active in screen.active_bindings.values():
            binding = active.binding
            named = binding.id is not None and binding.description == f"key.{binding.id}"
            hidden = not (binding.show or everything) or str(binding.id).startswith("section_")
            if named and active.enabled and not hidden and not (typing and self.is_typed(binding.key)):
                signs.setdefault(str(T(f"key.{binding.id}")), []).append(self.key_sign(binding.key))  # words: key.*
        help_word = str(T("key.help"))
        help_signs = signs.pop(help_word, [])
        pairs = [(_joined(found, everything=everything), word) for word, found in signs.items()]
        if help_signs:
            pairs.append((_joined(help_signs, everything=everything), help_word))
        return tuple(pairs)

    @staticmethod
    def is_typed(key: str) -> bool:
        """Whether a key puts a letter into a text field."""
        return len(key) == 1 or key in ("question_mark", "slash", "space", "plus", "minus", "full_stop", "comma")

    def key_sign(self, key: str) -> str:
        """A key as it is written for a person."""
        if self.settings.ascii_only and key in _KEY_SIGNS_ASCII:
            return _KEY_SIGNS_ASCII[key]
        if key.startswith("ctrl+"):
            return f"^{key.removeprefix('ctrl+').upper()}"
        return _KEY_SIGNS.get(key, key.upper() if key.startswith("f") and len(key) > 1 else key)

    # --- keys for everywhere ---------------------------------------------------------------------------------

    def action_help(self) -> None:
        """The page on this screen."""
        from screens.help import HelpScreen

        if isinstance(self.screen, OurScreen) and not isinstance(self.screen, Dialog):
            self.push_screen(HelpScreen(self.screen))

    def action_palette(self) -> None:
        """Everything that can be done, to be found by typing."""
        from screens.dialogs.palette import PaletteDialog

        if isinstance(self.screen, OurScreen) and not isinstance(self.screen, Dialog):
            self.push_screen(PaletteDialog())

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


def _joined(signs: list[str], *, everything: bool) -> str:
    """Several keys for the same: all of them on the page of help, else single letters and arrows, or the first."""
    if everything:
        return " ".join(signs)
    return "".join(signs) if all(len(sign) == 1 for sign in signs) else signs[0]


def _believable(event: events.Resize) -> events.Resize:
    width, height = min(event.size.width, MOST_COLUMNS), min(event.size.height, MOST_ROWS)
    if (width, height) == tuple(event.size):
        return event
    size = Size(width, height)
    return events.Resize(size, size, event.container_size, event.pixel_size)
