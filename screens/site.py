"""The site itself: its name, what is installed, where the packages are, and how to log in to its servers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from rich.text import Text as Line
from textual import work
from textual.app import RenderResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from rbdtui.spec.fields import steps_of
from rbdtui.spec.model import Profile
from rbdtui.spec.values import SECRET_PREFIX
from rbdtui.words import T, Text
from rbdtui.workbench import sections
from rbdtui.workbench.clean import clean_line
from rbdtui.workbench.draft import Data
from screens.base import SectionScreen, Words, css, key
from screens.theme import rich_colour
from screens.widgets.field import Choice, ChoiceLine, Field, Label, Verdict

_NUMBERS: Final = ("ssh.port", "ssh.bastion.port")
_SECRETS: Final[Mapping[str, str]] = {"ssh.passphrase": "key", "ssh.password": "ssh", "ssh.sudo_password": "sudo"}
"""Fields that refer to the vault, with the names that their secrets get there."""


def _label(path: str) -> Text:
    return Text(f"site_form.{path.replace('.', '_')}")  # words: site_form.*


def _hint(path: str) -> Text:
    return Text(f"site_form.{path.replace('.', '_')}_hint")  # words: site_form.*


class SecretLine(Widget, can_focus=True):
    """A secret by its name in the vault: Enter stores another value, Delete refers to none any more."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("enter", "store", "store_secret"),
        key("delete,backspace", "forget", "no_secret"),
    ]
    name_in_vault: reactive[str] = reactive("")

    class Wanted(Message):
        """The operator wishes to store a secret, or that none is referred to."""

        def __init__(self, path: str, *, store: bool) -> None:
            super().__init__()
            self.path, self.store = path, store

    def __init__(self, path: str) -> None:
        super().__init__(classes="field-line")
        self.path = path

    def render(self) -> RenderResult:
        """Where it is, never what it is."""
        if not self.name_in_vault:
            return Line(str(T("site_form.no_secret")), style="dim")
        shown = clean_line(self.name_in_vault)
        return Line(str(T("site_form.secret", name=shown)), style=rich_colour(self.app, "foreground"))

    def action_store(self) -> None:
        """Ask for a value."""
        self.post_message(self.Wanted(self.path, store=True))

    def action_forget(self) -> None:
        """Refer to nothing."""
        self.post_message(self.Wanted(self.path, store=False))


class SecretField(Widget):
    """A labelled `SecretLine` with its verdict."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def compose(self) -> Iterable[Widget]:
        """Label, name and verdict."""
        yield Label(_label(self.path))
        yield SecretLine(self.path)
        yield Verdict()


class SiteScreen(SectionScreen):
    """Name, profile, bundle and login."""

    SECTION = sections.SITE
    CSS_PATH = css("site")
    AUTO_FOCUS = "TextLine"
    BINDINGS: ClassVar[list[BindingType]] = [
        key("up", "app.focus_previous", "move"),
        key("down", "app.focus_next", "move"),
        key("u,ctrl+z", "undo", "undo"),
    ]

    def body(self) -> Iterable[Widget]:
        """The form."""
        with VerticalScroll(id="form", can_focus=False):
            yield Field(_label("name"), path="name", hint=_hint("name"), resting=True)
            yield Choice(_label("profile"), [profile.value for profile in Profile], path="profile")
            yield Field(_label("bundle"), path="bundle", hint=_hint("bundle"), resting=True)
            yield Words(T("site_form.login"), classes="heading")
            for path in ("ssh.user", "ssh.port", "ssh.key"):
                yield Field(_label(path), path=path, resting=True)
            for path in _SECRETS:
                yield SecretField(path)
            yield Words(T("site_form.bastion"), classes="heading")
            for path in ("ssh.bastion.address", "ssh.bastion.user"):
                yield Field(_label(path), path=path, resting=True)

    def refresh_view(self) -> None:
        """Show the draft; several bastions cannot be shown in a form and are left alone."""
        draft = self.workbench.draft
        for field in self.query(Field):
            field.show(_shown(value_at(draft.data, field.path)), draft.findings_at(field.path))
            if field.path.startswith("ssh.bastion"):
                ssh = draft.data.get("ssh")
                field.disabled = isinstance(ssh, dict) and isinstance(ssh.get("bastion"), list)
        choice = self.query_one(Choice)
        choice.show(_shown(value_at(draft.data, "profile")), draft.findings_at("profile"))
        for secret in self.query(SecretField):
            reference = _shown(value_at(draft.data, secret.path))
            secret.query_one(SecretLine).name_in_vault = reference.removeprefix(SECRET_PREFIX)
            secret.query_one(Verdict).findings = tuple(draft.findings_at(secret.path))

    def jump(self, field: str) -> None:
        """Put the cursor into the field, or into the nearest one."""
        for widget in self.query("Field, Choice, SecretField"):
            path = str(getattr(widget, "path", ""))
            if field == path or field.startswith(f"{path}.") or path.startswith(f"{field}."):
                line = next(child for child in widget.walk_children(Widget) if child.focusable)
                line.focus()
                return

    def on_field_changed(self, event: Field.Changed) -> None:
        """Take over what is typed, letter by letter."""
        path, typed = event.field.path, event.value
        value: str | int = int(typed) if path in _NUMBERS and typed.isdecimal() else typed
        self.workbench.change(lambda data: put(data, path, value))

    def on_choice_line_changed(self, event: ChoiceLine.Changed) -> None:
        """Take over what is chosen."""
        self.workbench.change(lambda data: put(data, event.choice.path, event.value))

    def on_secret_line_wanted(self, event: SecretLine.Wanted) -> None:
        """Store a secret, or drop the reference."""
        if event.store:
            self._store(event.path)
        else:
            self.workbench.change(lambda data: put(data, event.path, ""))

    @work(exit_on_error=False)
    async def _store(self, path: str) -> None:
        from screens.dialogs.secret import SecretDialog

        if not await self.program.ensure_unlocked(T("passphrase.why_store")):
            return
        reference = _shown(value_at(self.workbench.draft.data, path))
        name = reference.removeprefix(SECRET_PREFIX) or _SECRETS[path]
        value = await self.app.push_screen_wait(SecretDialog(name, _label(path)))
        if value is None:
            return
        if await self.done(self.workbench.set_secret(name, value)):
            self.workbench.change(lambda data: put(data, path, f"{SECRET_PREFIX}{name}"))
            self.tell(T("secret.stored", name=name))

    def action_undo(self) -> None:
        """Take the last change back."""
        if not self.workbench.undo():
            self.tell(T("shell.nothing_to_undo"))


def value_at(data: Data, path: str) -> object:
    """The value of a field of the draft; None when there is none."""
    current: object = data
    for step in steps_of(path):
        if not isinstance(current, dict):
            return None
        current = current.get(step)
    return current


def put(data: Data, path: str, value: str | int) -> None:
    """Give a field of the draft a value; nothing takes it out, with sections that have nothing left."""
    *sections_, last = [str(step) for step in steps_of(path)]
    parents: list[tuple[dict[str, object], str]] = []
    current: dict[str, object] = data
    for step in sections_:
        below = current.get(step)
        if not isinstance(below, dict):
            if value == "":
                return
            below = current[step] = {}
        parents.append((current, step))
        current = below
    if value != "":
        current[last] = value
        return
    current.pop(last, None)
    for parent, step in reversed(parents):
        if not parent[step]:
            del parent[step]


def _shown(value: object) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)
