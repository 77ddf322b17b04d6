"""The program on the screen: which screen is seen, what leads where, and how it comes and goes."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual import work
from textual.binding import BindingType
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import AwaitMount
from textual.worker import Worker, WorkerState

from rbdtui.findings import Finding
from rbdtui.site import SiteError
from rbdtui.words import T, Text
from rbdtui.workbench.sections import section_of
from screens.shell.base import BaseScreen, Dialog, SectionScreen, css, key
from screens.shell.commands import CommandingApp
from screens.shell.key_order import LOOK_EVERY_S
from screens.shell.messages import Changed
from screens.shell.sections import SECTION_SCREENS, entry_of
from screens.shell.settling import messages_handled
from screens.terminal.attention import Attention
from screens.terminal.paths import return_command, short_path
from screens.terminal.settings import Settings, load_settings, settings_file
from screens.terminal.stylesheet import OnceParsed
from screens.widgets.frame import Rail

if TYPE_CHECKING:
    from rbdtui.session import PassphraseSource
    from rbdtui.workbench.workbench import Workbench

OPENING: Final = "opening"
START: Final = "start"
FAILED: Final = 3
"""Exit status when what was to be shown could not be."""
KEEP_EVERY_S: Final = 0.5
"""How often a changed draft is put on the disk."""
DIALOG_S: Final = 2.0
"""How long the question for the passphrase may take to come up."""
SETTLED_S: Final = 1.0
"""After which a new section is complete."""


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
    own_process: bool = False
    """Whether the process is there for the screen alone: it then leaves with its terminal and spares itself work."""


class RbdTuiApp(CommandingApp):
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
        key("s", "save", "save"),
        key("f", "faults", "faults"),
        key("L", "other_language", "other_language", show=False),
        key("q", "leave", "leave"),
        key("f8", "preferences", "preferences"),
        key("ctrl+q", "leave", "leave", show=False),
        key("ctrl+c", "leave", "interrupt", show=False),
        key("question_mark,f1", "help", "help"),
    ]

    def __init__(self, start: Start | None = None) -> None:
        self.start = start or Start()
        settings = self.start.settings or load_settings(self.start.settings_file)
        first = self.start.workbench
        self.DEFAULT_MODE = _first_section(first) if first is not None else self._first_mode()  # type: ignore[misc]
        super().__init__(settings, self.start.kept or settings, self.start.settings_file)
        if self.DEFAULT_MODE == OPENING:
            self.key_order.hold()
        self.stylesheet = OnceParsed(variables=self.get_css_variables())
        self._damage: tuple[Path, SiteError] | None = None
        self._keep_error = ""
        """Why the draft could not be put on the disk when that was last seen to."""
        self._file_change_told = False
        """Whether it was said that cluster.yaml was changed elsewhere while there is a draft."""
        self._unsubscribe: Callable[[], None] = lambda: None
        self._threads_loop: asyncio.AbstractEventLoop | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._drawn_at = 0.0
        self._draw_timer: Timer | None = None
        self._attention = Attention()
        self.add_mode(OPENING, self._opening_screen)
        self.add_mode(START, self._start_screen)
        self._add_sections()
        if first is not None:
            self._take_over(first)

    # --- coming ----------------------------------------------------------------------------------------------

    def _first_mode(self) -> str:
        """The screen to be seen while nothing is open yet."""
        return OPENING if self.start.site is not None or self.start.opener is not None else START

    def _opening_screen(self) -> Screen[Any]:
        from screens.shell.opening import OpeningScreen

        name = str(self.start.site.absolute()) if self.start.site is not None else "rbdtui"
        return OpeningScreen(self.start.opening or T("shell.opening", path=name))

    def _start_screen(self) -> Screen[Any]:
        from screens.start.start import StartScreen

        damage, self._damage = self._damage, None
        return StartScreen(*damage) if damage is not None else StartScreen()

    def _add_sections(self) -> None:
        for entry in SECTION_SCREENS:
            self.add_mode(entry.section, entry.make)

    def on_mount(self) -> None:
        """Begin to keep the draft and to listen for the end of the terminal."""
        self._threads_loop = asyncio.get_running_loop()
        self.set_interval(KEEP_EVERY_S, self._keep)
        if self.workbench is not None:
            self._begin(self.workbench)
        if self.start.own_process:
            from screens.terminal.hangup import watch_terminal

            watch_terminal(self)

    def keep_in_memory(self) -> None:
        """What a new section has brought stays to the end; to look through it for garbage would delay keys."""
        if self.start.own_process:
            self.set_timer(SETTLED_S, gc.freeze)

    @work(exit_on_error=False)
    async def open_first(self) -> None:
        """Open what the program was started for; the first picture is on the screen by now."""
        site = self.start.site
        opener = self.start.opener or partial(self._open, site or Path())
        try:
            await self._show(await asyncio.to_thread(opener))
            await self._release_keys()
        except SiteError as error:
            if site is None:
                self._give_up(error.text)
                return
            self._damage = (site.absolute(), error)
            await self.switch_mode(START)
            self.key_order.release(dropped=True)
        except Exception as error:  # the demo's servers could not start: nothing is left to be shown
            self._give_up(self.sentence(error))

    async def _release_keys(self) -> None:
        """What was typed meanwhile acts now; none of it where the vault is asked for: it may be the passphrase."""
        workbench = self.workbench
        locked = workbench is not None and workbench.needs_secrets and workbench.has_vault
        until = time.monotonic() + DIALOG_S
        while locked and not isinstance(self.screen, Dialog) and time.monotonic() < until:
            await asyncio.sleep(LOOK_EVERY_S)
            locked = self.workbench is not None and not self.workbench.unlocked
        self.key_order.release(dropped=locked)

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

    def _show(self, workbench: Workbench) -> AwaitMount:
        self._take_over(workbench)
        shown = self.switch_mode(_first_section(workbench))
        self._begin(workbench)
        return shown

    def _take_over(self, workbench: Workbench) -> None:
        """Have a site open from now on."""
        self.workbench = workbench
        self._unsubscribe = workbench.subscribe(self._changed_somewhere)
        if not (workbench.simulated or workbench.site.demo_key_file.exists()):
            self.remember(lambda settings: settings.with_recent(workbench.site.path))

    def _begin(self, workbench: Workbench) -> None:
        workbench.start()
        self._file_change_told, self._keep_error = False, ""
        if workbench.draft.recovered:
            self.call_after_refresh(self.tell, T("shell.recovered"))
        elif workbench.open_elsewhere:
            self.call_after_refresh(self.tell, T("shell.open_elsewhere"))
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
        """Leave; with a run in progress say first that it continues, and in the demo that everything goes with it."""
        workbench = self.workbench
        if workbench is not None and _loses_sight(workbench) and not self.too_small:
            from screens.dialogs.leave import LeaveDialog

            if not await self.ask(LeaveDialog()):
                return
        self.leave(0)

    def leave(self, status: int) -> None:
        """Leave once what was typed is in the draft, which is at once; draft and run stay."""
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._leave(status))

    async def _leave(self, status: int) -> None:
        await messages_handled(self)
        workbench = self.workbench
        if workbench is not None:
            back = return_command(workbench.site.path)
            if workbench.active_run is not None:
                self.farewell.append(T("shell.farewell.run", run=workbench.active_run.run_id, back=back))
            elif workbench.draft.dirty and not workbench.ends_with_screen:
                self.farewell.append(T("shell.farewell.draft", back=back))
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

    def show_finding(self, finding: Finding) -> None:
        """Show where what a finding blames can be put right."""
        self.show_section(section_of(finding), finding.place.field or finding.place.node)

    def offer_question(self) -> None:
        """Bring an open question of the run up, unless something is in front already or it was put off."""
        from screens.shell.questions import offered_question

        if (dialog := offered_question(self.screen, self.workbench)) is not None:
            self.push_screen(dialog)

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
            on_section = self.workbench is not None and isinstance(self.screen, SectionScreen)
            return on_section and self.workbench is not None and self.workbench.draft.dirty
        return action != "section" or (self.workbench is not None and isinstance(self.screen, SectionScreen))

    # --- what changes ----------------------------------------------------------------------------------------

    def _changed_somewhere(self) -> None:
        """Called from any thread."""
        if self._threads_loop is not None and self._threads_loop.is_running():
            self.call_later(self._changed)

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
        if self._attention.calls(self.workbench.run if self.workbench is not None else None) and self.settings.bell:
            self.bell()
        for screen in self.screen_stack:
            if isinstance(screen, BaseScreen):
                screen.post_message(Changed())

    def _keep(self) -> None:
        if self.workbench is None:
            return
        self.workbench.keep()
        if not self.reading:
            return
        self._tell_of_keeping(self.workbench.draft.keep_error)
        self.workbench.look_at_file()
        if self.workbench.file_changed:
            self._take_up_file(self.workbench)

    def _tell_of_keeping(self, error: str) -> None:
        """Say at every rest that the draft cannot be put on the disk, as when it is full, and once that it is there."""
        if error == self._keep_error and (not error or self.says_something):
            return
        self._keep_error = error
        self.tell(T("shell.keep_failed", reason=error) if error else T("shell.kept_again"), bad=bool(error))
        self._changed()

    def _take_up_file(self, workbench: Workbench) -> None:
        """cluster.yaml was changed elsewhere: without a draft that is what holds now, a draft stays as it is."""
        if workbench.draft.dirty:
            if not self._file_change_told:
                self.tell(T("shell.file_changed"), bad=True)
            self._file_change_told = True
        elif workbench.take_up_file() is not None:
            self.tell(T("shell.file_taken_up"))
        elif workbench.file_damaged:
            self.tell(T("site.bad_spec", path=short_path(workbench.site.spec_file)), bad=True)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """An error of a worker is a sentence."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.tell(self.sentence(event.worker.error), bad=True)


def _loses_sight(workbench: Workbench) -> bool:
    """Whether somebody who leaves should be told something first: a run continues, or a demo ends with what it made."""
    if workbench.ends_with_screen:
        return workbench.run is not None or workbench.draft.dirty
    return workbench.active_run is not None


def _first_section(workbench: Workbench) -> str:
    from rbdtui.workbench.rail import first_section  # a start without a site needs nothing of it

    return first_section(workbench)
