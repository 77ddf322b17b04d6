"""What can be done everywhere: help, palette, settings, saving, the vault, the demo's faults."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from inspect import isawaitable

from textual import work
from textual.dom import DOMNode

from rbdtui.site import SiteError
from rbdtui.words import LANGUAGES, T, Text, current_language
from screens.shell.base import BaseScreen, Dialog
from screens.shell.manners import TerminalApp
from screens.shell.program import FurtherCommand


class CommandingApp(TerminalApp):
    """A program with the commands that every screen has."""

    _last_fault: tuple[str, str] | None = None
    """The server and the fault that was chosen last in the demo."""

    async def close_site(self) -> None:
        """Let go of the site and show the start screen."""
        raise NotImplementedError

    def action_help(self) -> None:
        """The page on this screen."""
        from screens.shell.help import HelpScreen

        if isinstance(self.screen, BaseScreen) and not isinstance(self.screen, Dialog):
            self.push_screen(HelpScreen(self.screen))

    @work(exit_on_error=False)
    async def action_palette(self) -> None:
        """Everything that can be done, to be found by typing."""
        from screens.dialogs.palette import PaletteDialog

        if isinstance(self.screen, BaseScreen) and not isinstance(self.screen, Dialog):
            command = await self.ask(PaletteDialog(self.screen))
            if command is not None and isawaitable(done := command.run()):
                await done

    def do(self, action: str, node: DOMNode) -> None:
        """Do what a key does."""
        self.call_later(self.run_action, action, node)

    def further_commands(self) -> list[FurtherCommand]:
        """What the palette offers beyond what keys do on the screen."""
        commands: list[FurtherCommand] = [(T("palette.preferences"), "F8", self.action_preferences)]
        workbench = self.workbench
        if workbench is None:
            return commands
        if not workbench.unlocked:
            commands.append((T("palette.unlock"), "", self.action_unlock))
        if workbench.draft.dirty:
            commands.append((T("palette.discard"), "", workbench.discard))
        commands.append((T("palette.read_again"), "", self.action_read_again))
        if workbench.run is not None:
            commands.append((T("palette.report"), "", self.action_report))
        if not workbench.ends_with_screen:
            commands.append((T("palette.other_site"), "", self.close_site))
        return commands

    def action_preferences(self) -> None:
        """Language, signs, link, colours."""
        from screens.dialogs.preferences import PreferencesDialog

        self.push_screen(PreferencesDialog())

    @work(group="dialog", exit_on_error=False)
    async def action_faults(self) -> None:
        """Faults of simulated servers; only the demo has them."""
        from screens.dialogs.faults import FaultsDialog

        if self.workbench is not None and self.workbench.faults is not None:
            happened = await self.ask(FaultsDialog(self.workbench.faults, self._last_fault))
            self._last_fault = happened or self._last_fault

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

    def action_read_again(self) -> None:
        """Take cluster.yaml as it is on the disk now, in place of the draft."""
        if self.workbench is None:
            return
        try:
            self.workbench.read_again()
        except SiteError as error:
            self.tell(error.text, bad=True)
        else:
            self.tell(T("shell.read_again"))

    @work(exit_on_error=False)
    async def action_report(self) -> None:
        """Write the report into the site, with the health that was last seen; nobody is asked for it."""
        if self.workbench is None:
            return
        from rbdtui.report.build import Asked  # brings all writers, which the first picture must not wait for
        from rbdtui.report.writing import write_report

        snapshot = self.workbench.health.snapshot
        asked = Asked(T("report.health.not_watched") if snapshot is None else None, snapshot)
        try:
            files = await asyncio.to_thread(write_report, self.workbench.session, asked)
        except Exception as error:  # whatever keeps it from being written, it has its sentence
            self.tell(self.sentence(error), bad=True)
        else:
            self.tell(T("shell.report_written", file=str(files[0])))

    def action_other_language(self) -> None:
        """Switch between the languages."""
        following = LANGUAGES[(LANGUAGES.index(current_language()) + 1) % len(LANGUAGES)]
        self.apply(lambda settings: replace(settings, language=following))

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
        opened: bool | None = await self.ask(PassphraseDialog(why))
        return opened is True

    @work(exit_on_error=False)
    async def _unlock_if_needed(self) -> None:
        """Ask for the passphrase when servers cannot be logged in to without secrets."""
        workbench = self.workbench
        if workbench is not None and workbench.needs_secrets and workbench.has_vault:
            await self.ensure_unlocked(T("passphrase.why_logins"))
