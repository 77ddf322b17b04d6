"""What a form is declared with: a list of these, each with a path in cluster.yaml; `screens.shell.form` does the rest.

The words of a field are ``form.label.<path>``, ``form.hint.<path>`` (beneath it while it is empty, an example at best)
and ``form.usual.<path>`` (in it while it is empty: what holds then, and whose default that is, with ``{value}``), with
underscores for dots in the path; hint and usual value may be left out. Those of a choice are
``form.option.<path>.<value>``, and ``form.price.<path>.<value>`` for what a choice means, beneath it.

Which modes show a field stands in the ``MODES`` of its section's model, which values a choice has in its type.
"""

from __future__ import annotations

from dataclasses import dataclass

from rbdtui.spec.section_at import values_at
from rbdtui.words import Text, is_said


@dataclass(frozen=True, slots=True)
class Heading:
    """A line between fields: ``form.heading.<name>``."""

    name: str

    @property
    def text(self) -> Text:
        """Its words."""
        return Text(f"form.heading.{self.name}")  # words: form.heading.*


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of cluster.yaml."""

    path: str

    @property
    def label(self) -> Text:
        """What it is called on the screen."""
        return Text(f"form.label.{self._key}")  # words: form.label.*

    @property
    def hint(self) -> Text | None:
        """What is allowed, with an example."""
        return _said(Text(f"form.hint.{self._key}"))  # words: form.hint.*

    @property
    def _key(self) -> str:
        return self.path.replace(".", "_")


@dataclass(frozen=True, slots=True)
class Line(FormField):
    """One line of text."""

    def usual(self, value: str) -> Text | None:
        """What holds while it is empty; ``value`` is the default of the model, or what stands for it.

        Without a value there is something to say only where the words need none.
        """
        key = f"form.usual.{self._key}"  # words: form.usual.*
        if not is_said(key) or (not value and str(Text(key, {"value": "1"})) != str(Text(key, {"value": "2"}))):
            return None
        return Text(key, {"value": value})


@dataclass(frozen=True, slots=True)
class Number(Line):
    """A whole number."""


@dataclass(frozen=True, slots=True)
class Entries(Line):
    """Several texts, with blanks or commas between them."""


@dataclass(frozen=True, slots=True)
class Offered(Line):
    """A text that is also chosen from what the form offers (`DeclaredForm.offers`)."""


@dataclass(frozen=True, slots=True)
class Choice(FormField):
    """One of a few values side by side: those of the field's type, or those that are named here."""

    values: tuple[str, ...] = ()
    named: bool = True
    """Whether the values have words; else they stand there themselves."""

    @property
    def all_values(self) -> tuple[str, ...]:
        """The values in their order."""
        return self.values or values_at(self.path)

    def option(self, value: str) -> Text | str:
        """What a value is called."""
        return Text(f"form.option.{self._key}.{value}") if self.named else value  # words: form.option.*.*

    def price(self, value: str) -> Text | None:
        """What a value means for the operator."""
        return _said(Text(f"form.price.{self._key}.{value}"))  # words: form.price.*.*


@dataclass(frozen=True, slots=True)
class Mode(Choice):
    """The mode of a section: it decides which fields there are, and brings back what was laid aside for it."""


@dataclass(frozen=True, slots=True)
class Secret(FormField):
    """A reference into the vault."""

    name: str = ""
    """What it is called there, unless the field names another one."""


@dataclass(frozen=True, slots=True)
class Block(FormField):
    """More than a line of text, edited in a dialog of its own: a mapping as YAML text, unless its form has another."""


Declared = Heading | FormField


def _said(text: Text) -> Text | None:
    return text if is_said(text.key) else None
