"""A form of what `screens.widgets.form_fields` declares: it shows the draft and takes what is typed and chosen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from textual import work
from textual.app import ComposeResult
from textual.widget import Widget

from rbdtui.findings import Finding
from rbdtui.spec.section_at import default_at, is_used
from rbdtui.words import T
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.operations import (
    Stash,
    Value,
    mode_in,
    number_or_text,
    put,
    set_mode,
    value_at,
)
from rbdtui.workbench.live.service_words import Advice, look_at, words_of
from rbdtui.workbench.sections import findings_in
from screens.shell.base import BaseScreen, Words
from screens.widgets import field as shown
from screens.widgets.block_field import BlockField, BlockLine
from screens.widgets.findings_below import FindingsBelow
from screens.widgets.form_fields import (
    Block,
    Choice,
    Declared,
    Entries,
    FormField,
    Heading,
    Line,
    Mode,
    Number,
    Offered,
    Secret,
)
from screens.widgets.offered import OfferLine
from screens.widgets.secret_field import SecretField, SecretLine, answer_wish

if TYPE_CHECKING:
    from rbdtui.workbench.workbench import Workbench
    from screens.shell.program import Program

_BETWEEN: Final = re.compile(r"[\s,;，、；]+")
"""What stands between several texts in one line."""

Whole = dict[str, object] | list[dict[str, str]]
"""A value that is no line of text."""
Part = shown.Field | shown.Choice | SecretField | BlockField


class DeclaredForm(shown.Form):
    """The fields of a section; a form with ways of its own overrides what is asked here about a field."""

    RESTING = True
    """Whether fields leave keys to the screen until they are typed on; not so in dialogs."""
    SAID_ELSEWHERE: tuple[str, ...] = ()
    """Codes of findings that the form says in another way."""

    def __init__(
        self,
        fields: Sequence[Declared],
        section: str = "",
        *,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        super().__init__(id=id)
        self._fields, self._section = fields, section
        self._parts: list[tuple[FormField, Part]] = []
        self._aside: Stash = {}
        """Values that a mode has no use for, so that they come back with it."""
        self._typed: dict[str, str] = {}
        """What was typed last into fields that hold several texts."""

    # --- what is asked about a field -------------------------------------------------------------------------

    def paths(self, path: str) -> Sequence[str]:
        """The fields of cluster.yaml that one of the form stands for."""
        return (path,)

    def value(self, path: str) -> str | None:
        """What stands in a field; None when those that it stands for differ."""
        values = {_text(value_at(self.data, each)) for each in self.paths(path)}
        return values.pop() if len(values) == 1 else None

    def put(self, data: Data, path: str, value: Value | list[str]) -> None:
        """Give a field a value."""
        for each in self.paths(path):
            put(data, each, value)

    def choose(self, data: Data, declared: Choice, value: str) -> None:
        """Take over what is chosen."""
        if isinstance(declared, Mode):
            set_mode(data, declared.path.rpartition(".")[0], value, self._aside)
        else:
            self.put(data, declared.path, value == "true" if set(declared.all_values) == {"true", "false"} else value)

    def finished(self, path: str, typed: str) -> None:
        """Enter was pressed in a field."""

    def is_shown(self, declared: FormField) -> bool:
        """Whether there is a field now: its mode uses it, or something stands in it that has to go."""
        section = declared.path.rpartition(".")[0]
        return is_used(declared.path, mode_in(self.data, section)) or any(
            value_at(self.data, path) is not None for path in self.paths(declared.path)
        )

    def is_locked(self, declared: FormField) -> bool:
        """Whether what stands there cannot be shown in a field, and is left alone."""
        return False

    def usual_value(self, path: str) -> str:
        """What holds while a field is empty."""
        return default_at(path)

    def offers(self, path: str) -> tuple[str, ...]:
        """What can be chosen in a field that is otherwise typed."""
        return ()

    def secret_name(self, declared: Secret) -> str:
        """What a secret is called in the vault, unless its field names another one."""
        return declared.name

    def advice(self, declared: FormField) -> Advice | None:
        """What is said beneath a field with which nothing is wrong."""
        look = look_at(declared.path, self.workbench.live)
        said = words_of(look) if look is not None else None
        if said is not None:
            return said
        value = self.value(declared.path)
        if isinstance(declared, Choice):
            price = declared.price(value or default_at(declared.path))
            return Advice(price) if price is not None else None
        return Advice(declared.hint) if declared.hint is not None and value == "" else None

    def names_within(self, path: str) -> Sequence[str]:
        """What is said of a value that is no line of text: the keys of a mapping."""
        value = value_at(self.data, path)
        return tuple(map(str, value)) if isinstance(value, dict) else ()

    async def edited(self, declared: FormField) -> Whole | None:
        """Such a value after it was edited in a dialog; None when it was left alone."""
        from screens.dialogs.yaml_text import YamlDialog

        return await self.program.ask(YamlDialog(declared.label, value_at(self.data, declared.path)))

    def foot(self) -> Iterable[Widget]:
        """What stands below the fields."""
        return ()

    def draw_foot(self) -> None:
        """Draw what stands there."""

    # --- drawing ---------------------------------------------------------------------------------------------

    @property
    def program(self) -> Program:
        """The program, as screens know it."""
        return cast("Program", self.app)

    @property
    def workbench(self) -> Workbench:
        """The site."""
        workbench = self.program.workbench
        assert workbench is not None, "a form is shown only while a site is open"
        return workbench

    @property
    def data(self) -> Data:
        """The draft."""
        return self.workbench.draft.data

    def compose(self) -> ComposeResult:
        """The fields, findings that belong to none of them, and what stands below."""
        for declared in self._fields:
            if isinstance(declared, Heading):
                yield Words(declared.text, classes="heading")
            else:
                part = self._part(declared)
                self._parts.append((declared, part))
                yield part
        yield FindingsBelow()
        yield from self.foot()

    def _part(self, declared: FormField) -> Part:
        label, path = declared.label, declared.path
        match declared:
            case Choice():
                return shown.Choice(label, declared.all_values, declared.option, path=path)
            case Secret():
                return SecretField(label, path, self.secret_name(declared))
            case Block():
                return BlockField(label, path)
            case Offered():
                return shown.Field(label, path=path, line=OfferLine())
            case _:
                return shown.Field(label, path=path, resting=self.RESTING)

    def draw(self) -> None:
        """Show the draft, and what the servers say."""
        found = [finding for finding in self.workbench.findings if finding.code not in self.SAID_ELSEWHERE]
        for declared, part in self._parts:
            if part.display != (here := self.is_shown(declared)):
                part.display = here
        owners = [(finding, self._owner(finding)) for finding in found]
        for declared, part in self._parts:
            mine = [self._spoken(finding, declared) for finding, owner in owners if owner is declared]
            self._draw_part(declared, part, mine)
        rest = {id(finding) for finding, owner in owners if owner is None}
        below = [each.on_form() for each in findings_in(found, self._section) if id(each) in rest]
        self.query_one(FindingsBelow).show(below)
        self.draw_foot()

    def _owner(self, finding: Finding) -> FormField | None:
        """The field at which a finding is told: the one that it blames, else the nearest around that."""
        place = finding.place.field
        around = [
            (len(path), declared)
            for declared, part in self._parts if part.display
            for path in self.paths(declared.path) if place == path or place.startswith((f"{path}.", f"{path}["))
        ]  # fmt: skip
        return max(around, key=lambda each: each[0])[1] if around else None

    def _draw_part(self, declared: FormField, part: Part, findings: Sequence[Finding]) -> None:
        value, path = self.value(declared.path), declared.path
        if isinstance(part, SecretField):
            part.show(self.workbench, self.paths(path), findings)
        elif isinstance(part, BlockField):
            part.show(self.names_within(path), findings)
        elif isinstance(part, shown.Choice):
            part.show(value or self.usual_value(path) if value is not None else "", findings)
        else:
            part.show(self._as_typed(path, value or ""), findings)
            part.line.placeholder = self._placeholder(declared, differs=value is None)
            if isinstance(part.line, OfferLine):
                part.line.offers = self.offers(path)
            part.disabled = self.is_locked(declared)
        advice = self.advice(declared)
        part.advise(advice.text if advice is not None else None, good=advice is not None and advice.good)

    def _placeholder(self, declared: FormField, *, differs: bool) -> str:
        if differs:
            return str(T("login.differs"))
        value = self.usual_value(declared.path)
        usual = declared.usual(value) if isinstance(declared, Line) else None
        return str(usual) if usual is not None else value

    def _as_typed(self, path: str, value: str) -> str:
        """Several texts as they were typed, as long as they are the same: a comma that was just typed stays."""
        typed = self._typed.get(path)
        return typed if typed is not None and ", ".join(_entries(typed)) == value else value

    def _spoken(self, finding: Finding, declared: FormField) -> Finding:
        """The finding with what the screen calls the field and its mode, in place of the keys of the file."""
        finding = finding.on_form()
        params, place = dict(finding.params), finding.place.field
        if params.get("field") != place:
            return finding
        number = re.search(r"\[(\d+)\]\Z", place)
        if number is None or place in self.paths(declared.path):
            params["field"] = declared.label
        else:
            params["field"] = T("form.entry", field=declared.label, number=int(number[1]) + 1)
        section, mode = declared.path.rpartition(".")[0], params.get("mode")
        for other in self._fields:
            if isinstance(other, Mode) and other.path == f"{section}.mode" and mode in other.all_values:
                params["mode"] = other.option(str(mode))
        return replace(finding, params=params)

    def nearest(self, field: str) -> Widget | None:
        """What takes the cursor for a field of cluster.yaml, for an empty one the first; None for one elsewhere."""
        there = [(declared, part) for declared, part in self._parts if part.display and not part.disabled]
        for declared, part in there:
            path = declared.path
            if not field or field == path or field.startswith((f"{path}.", f"{path}[")) or path.startswith(f"{field}."):
                return next(child for child in part.walk_children(Widget) if child.focusable)
        return None

    # --- what is typed and chosen ----------------------------------------------------------------------------

    def _declared(self, path: str) -> FormField:
        return next(declared for declared, _ in self._parts if declared.path == path)

    def on_field_changed(self, event: shown.Field.Changed) -> None:
        """Take over what is typed, letter by letter."""
        event.stop()
        path, typed = event.field.path, event.value
        value: Value | list[str] = typed.strip()
        match self._declared(path):
            case Number():
                value = number_or_text(typed)
            case Entries():
                self._typed[path] = typed
                value = _entries(typed) or ""
        self.workbench.change(lambda data: self.put(data, path, value), merge=" ".join(self.paths(path)))

    def on_field_submitted(self, event: shown.Field.Submitted) -> None:
        """Complete what was typed."""
        self.finished(event.field.path, event.value)

    def on_choice_line_changed(self, event: shown.ChoiceLine.Changed) -> None:
        """Take over what is chosen; a mode brings its own fields back."""
        event.stop()
        declared, value = self._declared(event.choice.path), event.value
        assert isinstance(declared, Choice)
        self.workbench.change(lambda data: self.choose(data, declared, value))
        self.draw()

    @work(group="dialog", exit_on_error=False)
    async def on_secret_line_wanted(self, event: SecretLine.Wanted) -> None:
        """Store a secret, or drop the reference."""
        field = next(field for field in self.query(SecretField) if field.path == event.path)
        await answer_wish(self._screen_here, field, store=event.store, paths=lambda: self.paths(field.path))

    @work(group="dialog", exit_on_error=False)
    async def on_block_line_wanted(self, event: BlockLine.Wanted) -> None:
        """Edit what is no line of text."""
        path = event.path
        answer = await self.edited(self._declared(path))
        if answer is not None:
            self.workbench.change(lambda data: put(data, path, answer or ""))

    @property
    def _screen_here(self) -> BaseScreen[object]:
        return cast("BaseScreen[object]", self.screen)


def _entries(typed: str) -> list[str]:
    return [text for text in _BETWEEN.split(typed) if text]


def _text(value: object) -> str:
    """A value as a form shows it: texts of a list one after the other; nothing for a section."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and not any(isinstance(each, dict | list) for each in value):
        return ", ".join(map(str, value))
    return "" if value is None or isinstance(value, dict | list) else str(value)
