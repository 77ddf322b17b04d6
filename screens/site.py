"""The site itself: its name, what is installed, where the packages are, and how to log in to its servers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from textual import work
from textual.binding import BindingType
from textual.widget import Widget

from rbdtui.profiles import PROFILES
from rbdtui.words import T, Text
from rbdtui.workbench import sections
from rbdtui.workbench.operations import number_or_text, put, text_at, value_at
from screens.base import Words, css
from screens.edit import UNDO_KEYS
from screens.form import FORM_KEYS, FormScreen
from screens.widgets.field import Choice, ChoiceLine, Field, Form
from screens.widgets.secret_field import SecretField, SecretLine, answer_wish

_NUMBERS: Final = ("ssh.port", "ssh.bastion.port")
_SECRETS: Final[Mapping[str, str]] = {"ssh.passphrase": "key", "ssh.password": "ssh", "ssh.sudo_password": "sudo"}
"""Fields that refer to the vault, with the names that their secrets get there."""
_BASTION_SECRETS: Final[Mapping[str, str]] = {
    "ssh.bastion.passphrase": "bastion-key",
    "ssh.bastion.password": "bastion",
}


def _label(path: str) -> Text:
    return Text(f"site_form.{path.replace('.', '_')}")  # words: site_form.*


def _hint(path: str) -> Text:
    return Text(f"site_form.{path.replace('.', '_')}_hint")  # words: site_form.*


class SiteScreen(FormScreen):
    """Name, profile, bundle and login."""

    SECTION = sections.SITE
    CSS_PATH = css("site")
    AUTO_FOCUS = "TextLine"
    BINDINGS: ClassVar[list[BindingType]] = [
        *FORM_KEYS,
        *UNDO_KEYS,
    ]

    def body(self) -> Iterable[Widget]:
        """The form."""
        with Form(id="form"):
            yield Field(_label("name"), path="name", hint=_hint("name"), resting=True)
            yield Choice(_label("profile"), [profile.name for profile in PROFILES], path="profile")
            yield Field(_label("bundle"), path="bundle", hint=_hint("bundle"), resting=True)
            yield Words(T("site_form.login"), classes="heading")
            for path in ("ssh.user", "ssh.port", "ssh.key"):
                yield Field(_label(path), path=path, resting=True)
            for path, name in _SECRETS.items():
                yield SecretField(_label(path), path, name)
            yield Words(T("site_form.bastion"), classes="heading")
            for path in ("address", "port", "user", "key"):
                yield Field(_label(f"ssh.bastion.{path}"), path=f"ssh.bastion.{path}", resting=True)
            for path, name in _BASTION_SECRETS.items():
                yield SecretField(_label(path), path, name)

    def refresh_view(self) -> None:
        """Show the draft; several bastions cannot be shown in a form and are left alone."""
        draft = self.workbench.draft
        for field in self.query(Field):
            field.show(text_at(draft.data, field.path), draft.findings_at(field.path))
            field.disabled = field.path.startswith("ssh.bastion") and isinstance(
                value_at(draft.data, "ssh.bastion"), list
            )
        choice = self.query_one(Choice)
        choice.show(text_at(draft.data, "profile"), draft.findings_at("profile"))
        for secret in self.query(SecretField):
            secret.show(self.workbench)

    def jump(self, field: str) -> None:
        """Put the cursor into the field, or into the nearest one."""
        for widget in self.query("Field, Choice, SecretField"):
            path = str(getattr(widget, "path", ""))
            if field == path or field.startswith(f"{path}.") or path.startswith(f"{field}."):
                self.enter_field(next(child for child in widget.walk_children(Widget) if child.focusable))
                return

    def on_field_changed(self, event: Field.Changed) -> None:
        """Take over what is typed, letter by letter."""
        path, typed = event.field.path, event.value
        value = number_or_text(typed) if path in _NUMBERS else typed
        self.workbench.change(lambda data: put(data, path, value), merge=path)

    def on_choice_line_changed(self, event: ChoiceLine.Changed) -> None:
        """Take over what is chosen."""
        self.workbench.change(lambda data: put(data, event.choice.path, event.value))

    @work(group="dialog", exit_on_error=False)
    async def on_secret_line_wanted(self, event: SecretLine.Wanted) -> None:
        """Store a secret, or drop the reference."""
        field = next(field for field in self.query(SecretField) if field.path == event.path)
        await answer_wish(self, field, store=event.store)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Undo is there once there is something to take back."""
        if action == "undo":
            return self.workbench.draft.can_undo
        return super().check_action(action, parameters)
