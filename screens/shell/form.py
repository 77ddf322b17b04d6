"""The screen of a section that is a form: its section and its fields, and nothing else unless it has ways of its own.

    class MysqlScreen(FormScreen):
        SECTION = sections.MYSQL
        FIELDS = (Mode("mysql.mode"), Line("mysql.host"), Number("mysql.port"), …)

What a form does beyond that, such as offering values, is a `DeclaredForm` of its own in ``FORM``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from textual import events
from textual.binding import BindingType
from textual.widget import Widget

from rbdtui.words import T, Text
from rbdtui.workbench.draft.operations import put
from rbdtui.workbench.sections import section_named
from screens.shell.base import Words, css, key
from screens.shell.edit import UNDO_KEYS, EditScreen
from screens.widgets.declared_form import DeclaredForm
from screens.widgets.field import TextLine
from screens.widgets.form_fields import Declared

AGED_EVERY_S: Final = 20.0
"""How often it is looked whether an answer has become a minute older."""


class FormScreen(EditScreen):
    """Fields that rest until they are typed on.

    A field that the cursor was brought to takes letters and digits, so that an address is typed at once; one that is
    done, and the first when a section is shown, leaves them to the keys of the screen.
    """

    FIELDS: ClassVar[Sequence[Declared]] = ()
    FORM: ClassVar[type[DeclaredForm]] = DeclaredForm
    CSS_PATH = css("form")
    BINDINGS: ClassVar[list[BindingType]] = [
        key("up", "previous_field", "move"),
        key("down", "next_field", "move"),
        key("shift+tab", "previous_field", "move", show=False),
        key("tab", "next_field", "move", show=False),
        *UNDO_KEYS,
        key("d", "delete_section", "delete_section"),
        key("pagedown", "page(1)", "further"),
        key("pageup", "page(-1)", "further", show=False),
    ]

    def body(self) -> Iterable[Widget]:
        """The form, and what stands in its place where the profile has no use for it."""
        yield self.FORM(self.FIELDS, self.SECTION, id="form")
        yield Words(id="unused")

    def on_mount(self) -> None:
        """Whether there is something further down decides about a key; what was answered grows old."""
        self.watch(self.form, "show_vertical_scrollbar", self.refresh_bindings, init=False)
        self.set_interval(AGED_EVERY_S, self._grow_old)

    def _grow_old(self) -> None:
        if self.is_current and self.form.display:
            self.form.draw()

    @property
    def form(self) -> DeclaredForm:
        """The fields."""
        return self.query_one(DeclaredForm)

    def refresh_view(self) -> None:
        """Show the draft, and what the servers say."""
        data, entry = self.workbench.draft.data, section_named(self.SECTION)
        used = entry.is_used_in(data)
        unused = self.query_one("#unused", Words)
        if not used:
            reason = Text(f"unused.{self.SECTION}", {"profile": str(data.get("profile"))})  # words: unused.*
            waits = any(part in self.workbench.draft.aside for part in entry.parts)
            unused.text = T("form.unused_waits", reason=reason) if waits else reason
        unused.display = not used
        if self.form.display != used:
            self.form.display, self.form.disabled = used, not used
            self.set_focus(self.form.nearest("") if used else None)
            self.refresh_bindings()
        if used:
            self.form.draw()

    def jump(self, field: str) -> None:
        """Put the cursor into the field, or into the nearest one."""
        self.enter_field(self.form.nearest(field))

    # --- keys ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What does nothing now is not there."""
        if action == "undo":
            return self.workbench.draft.can_undo
        if action in ("next_field", "previous_field"):
            return self.is_mounted and self.form.display
        if action == "page":
            return self.is_mounted and self.form.display and self.form.show_vertical_scrollbar
        if action == "delete_section":
            return self._leftover() is not None
        return super().check_action(action, parameters)

    def _leftover(self) -> str | None:
        """The section of cluster.yaml that is written although the profile has no use for it."""
        return section_named(self.SECTION).leftover(self.workbench.draft.data)

    def action_delete_section(self) -> None:
        """Take out of the draft what its profile has no use for."""
        if (part := self._leftover()) is not None:
            self.workbench.change(lambda data: put(data, part, ""))

    def action_page(self, by: int) -> None:
        """See what stands further down, or up again; the cursor stays where it is."""
        self.form.scroll_relative(y=by * max(1, self.form.size.height - 2), animate=False)

    def action_next_field(self) -> None:
        """Go to the next field."""
        self._make_ready(self.focus_next())

    def action_previous_field(self) -> None:
        """Go to the field before."""
        self._make_ready(self.focus_previous())

    def enter_field(self, widget: Widget | None) -> None:
        """Put the cursor on a field and have it take what is typed."""
        if widget is not None:
            self.set_focus(widget)
            self._make_ready(widget)

    def _make_ready(self, widget: Widget | None) -> None:
        self._leave_fields()
        if isinstance(widget, TextLine):
            widget.ready = True

    def _leave_fields(self) -> None:
        for line in self.query(TextLine):
            line.ready = False

    def on_text_line_editing_changed(self, event: TextLine.EditingChanged) -> None:
        """Half an address is another machine's: nobody logs in there while it is being typed."""
        part = next(iter(section_named(self.SECTION).parts), "") if event.editing else ""
        self.workbench.typing_into(part)

    def on_screen_suspend(self, _: events.ScreenSuspend) -> None:
        """Whoever comes back has the keys of the screen first."""
        self._leave_fields()
        if self.program.workbench is not None:
            self.workbench.typing_into("")
