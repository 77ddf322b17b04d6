"""Asks what a new site is to be: where, under which name, and what is to be installed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from rbdtui.profiles import PROFILES, profile_named, proposed
from rbdtui.spec.values import label_like
from rbdtui.words import T, Text
from screens.shell.base import Dialog, key
from screens.start.open_site import PathLine, expanded
from screens.widgets.field import Choice, ChoiceLine, Field


@dataclass(frozen=True, slots=True)
class NewSite:
    """What is wanted."""

    path: Path
    name: str
    profile: str


class NewSiteDialog(Dialog[NewSite]):
    """Answers what the site is to be."""

    BINDINGS: ClassVar[list[BindingType]] = [key("enter", "make", "make")]
    AUTO_FOCUS = "#name TextLine"

    def __init__(self) -> None:
        super().__init__()
        self._path_typed = False
        """Whether the directory has been chosen by hand, so that it does not follow the name any more."""

    def title_text(self) -> Text:
        """That a site is made."""
        return T("start.new.title")

    def body(self) -> Iterable[Widget]:
        """The form."""
        yield Field(T("start.new.name"), hint=T("start.new.name_hint"), id="name")
        yield Field(T("start.new.path"), hint=T("start.new.path_hint"), id="path", line=PathLine())
        yield Choice(T("start.new.profile"), [profile.name for profile in PROFILES], id="profile")

    def on_mount(self) -> None:
        """Propose something."""
        self.query_one("#profile", Choice).show(proposed().name)
        self.query_one("#name", Field).show("site-a")
        self._follow_name("site-a")

    def on_field_changed(self, event: Field.Changed) -> None:
        """Let the directory follow the name until it is chosen by hand."""
        if event.field.id == "path":
            self._path_typed = True
        elif not self._path_typed:
            self._follow_name(event.value)

    def on_choice_line_changed(self, event: ChoiceLine.Changed) -> None:
        """Say of a profile what this version does not install of it yet."""
        profile = profile_named(event.value)
        advice = None
        if profile is not None and not profile.is_complete:
            advice = T("audit.offered") if profile.audit_only else T("start.new.not_yet")
        self.query_one("#profile", Choice).advise(advice)

    def _follow_name(self, name: str) -> None:
        self.query_one("#path", Field).show(f"~/rbdtui/{label_like(name) or 'site-a'}")

    def on_input_submitted(self) -> None:
        """Enter in a field."""
        self.action_make()

    def action_make(self) -> None:
        """Dismiss with name and directory; say what is wrong with them where something is."""
        name = self.query_one("#name", Field).value.strip()
        path = self.query_one("#path", Field).value.strip()
        if not name or label_like(name) != name:
            self.tell(T("start.new.bad_name", suggestion=label_like(name) or "site-a"), bad=True)
        elif not path:
            self.tell(T("start.open.empty"), bad=True)
        else:
            self.dismiss(NewSite(expanded(path), name, self.query_one("#profile", Choice).line.value))
