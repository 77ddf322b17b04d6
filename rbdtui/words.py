"""Every sentence that an operator can see, in every language, from one catalogue.

The catalogue is ``assets/words/<language>/*.toml``: nested tables make dotted keys, values are templates with
``{name}`` places. ``{count:server|servers}`` is the word for one or for several, of which the first is taken where
``count`` is 1; the number itself is a place of its own, in front: ``{count} {count:server|servers}``.

``{@gateway.vip}`` names a field of cluster.yaml, and ``{@gateway.mode=none}`` a value of one: by its key, or by the
label of its form where the sentence is said on one (`ON_FORM`); behind ``$`` stands the parameter that holds a path or
a value, as in ``{@gateway.mode=$mode}``.

Code carries a `Text` (key and parameters), never a sentence; it becomes words where it is shown, so that a journal
written in one language can be read in another.
"""

from __future__ import annotations

import os
import re
import string
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from rbdtui.log_words import log_messages
from rbdtui.paths import assets_dir
from rbdtui.terminal_text import sanitize_line

LANGUAGES: Final = ("en", "zh")
"""Languages of the catalogue, the first is the fallback."""


@dataclass(slots=True)
class _LanguageState:
    """The language of a context and of all that were copied from it, as those of tasks are."""

    language: str = LANGUAGES[0]


ON_FORM: Final = "on form"
"""A parameter of a sentence that is said on a form: its fields are named by their labels, whatever its value."""


_tongue: ContextVar[_LanguageState] = ContextVar("tongue")


def _current() -> _LanguageState:
    return _tongue.get(None) or _LanguageState()


_site: ContextVar[str] = ContextVar("site", default="SITE")


def use_site(typed: str) -> None:
    """Set what stands for ``{site}`` in sentences said from now on in this context that were not told of a site.

    ``typed`` is the site as it is typed in a shell; without one a sentence says ``SITE``.
    """
    _site.set(typed)


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence that is not yet in any language: a key of the catalogue and its parameters."""

    key: str
    params: Mapping[str, str | int | float | Text] = field(default_factory=dict)

    def __str__(self) -> str:
        return say(self)

    def to_json(self) -> dict[str, object]:
        """The form kept in journals: ``{"key": …, "params": {…}}``, nested texts likewise."""
        params = {name: value.to_json() if isinstance(value, Text) else value for name, value in self.params.items()}
        return {"key": self.key, "params": params}

    @staticmethod
    def from_json(data: Mapping[str, object]) -> Text:
        """Read what `to_json` wrote; raises `ValueError` on any other shape."""
        key, params = data.get("key"), data.get("params", {})
        if not isinstance(key, str) or not isinstance(params, Mapping):
            raise ValueError("not a text: a key and parameters are needed")
        return Text(key, {str(name): _param_from_json(value) for name, value in params.items()})


def _param_from_json(value: object) -> str | int | float | Text:
    if isinstance(value, Mapping):
        return Text.from_json(value)
    if isinstance(value, str | int | float):
        return value
    raise ValueError("not a text parameter")


def T(key: str, /, **params: str | int | float | Text) -> Text:  # noqa: N802 - reads as a mark in front of a key
    """Name a sentence of the catalogue; a test finds keys that are missing or unused by these calls."""
    return Text(key, params)


def say(text: Text, language: str | None = None) -> str:
    """The sentence in the given (default: the current) language.

    Parameters may be words of a server or a file: each is one line in which nothing acts on a terminal, and of a line
    of a log what it says. A sentence in a sentence does not begin with the name that the outer one says already. A key
    that the catalogue lacks (a journal from a newer version) is shown as key and parameters.
    """
    wanted = language or current_language()
    template = catalogue(wanted).get(text.key) or catalogue(LANGUAGES[0]).get(text.key)
    params = {name: _said(value, wanted) for name, value in text.params.items()}
    if template is None:
        return sanitize_line(" ".join([text.key, *(f"{name}={value}" for name, value in params.items())]))
    inner = [name for name, value in text.params.items() if isinstance(value, Text)]
    names = [str(params[name]) for name in params.keys() - set(inner) if f"{{{name}}}" in template]
    params |= {name: _unnamed(str(params[name]), names) for name in inner}
    return _Formatter(wanted if ON_FORM in params else None).vformat(template, (), params)


def _unnamed(sentence: str, names: Iterable[str]) -> str:
    """A sentence without the name that it begins with, where that is one of these."""
    marks = (f"{name}{colon}" for name in names if name for colon in (": ", "："))
    mark = next((mark for mark in marks if sentence.startswith(mark)), "")
    return sentence.removeprefix(mark)


def is_said(key: str) -> bool:
    """Whether the catalogue has a sentence of that key."""
    return key in catalogue(LANGUAGES[0])


def _said(value: str | int | float | Text, language: str) -> str | int | float:
    if isinstance(value, Text):
        return say(value, language)
    return sanitize_line(log_messages(value)) if isinstance(value, str) else value


_CHOICE: Final = re.compile(r"\{\w+:[^{}|]*\|([^{}]*)\}")


_OF_A_NODE: Final = re.compile(r"\Anodes\[\d+\]\.")
_AS_WRITTEN: Final = "{field}: {value}"
_FIELD: Final = re.compile(r"\{(@[^{}]+)\}")


def as_listed(template: str) -> str:
    """A template as it is shown by itself: with the words for several, fields of cluster.yaml by their keys."""
    plain = _CHOICE.sub(r"\1", template)
    return _FIELD.sub(lambda match: _field_words(match[1], {}, None), plain)


def _field_words(place: str, params: Mapping[str, object], language: str | None) -> str:
    """How a field is called, with the value that is named: on a form in that language, else as in cluster.yaml."""
    path, _, value = (_given(part, params) for part in place.removeprefix("@").partition("="))
    if language is not None:
        words, path = catalogue(language), _OF_A_NODE.sub("", path)
        key = path.replace(".", "_")
        value = words.get(f"form.option.{key}.{value}", value)  # words: form.option.*.*
        path = words.get(f"form.label.{key}", path)  # words: form.label.*
        chosen = words["form.chosen"]  # words: form.chosen
    else:
        chosen = _AS_WRITTEN
    return f"`{chosen.format(field=path, value=value)}`" if value else f"`{path}`"


def _given(part: str, params: Mapping[str, object]) -> str:
    """A path or a value, or what the parameter holds that stands for it."""
    name = part.removeprefix("$")
    return part if name == part else str(params.get(name, f"{{{name}}}"))


class _Formatter(string.Formatter):
    """Fills templates; a parameter that is not there, or of another kind, stays visible instead of raising.

    ``form_language`` is the language of the form that the sentence is said on.
    """

    def __init__(self, form_language: str | None) -> None:
        self._form_language = form_language

    def get_field(self, field_name: str, args: Sequence[object], kwargs: Mapping[str, object]) -> tuple[object, str]:
        if field_name.startswith("@"):
            return _field_words(field_name, kwargs, self._form_language), field_name
        return self.get_value(field_name, args, kwargs), field_name

    def get_value(self, key: int | str, args: object, kwargs: Mapping[str, object]) -> object:
        return kwargs.get(str(key), _site.get() if key == "site" else "{" + str(key) + "}")

    def format_field(self, value: object, format_spec: str) -> str:
        one, or_, several = format_spec.partition("|")
        if or_:
            return one if str(value) == "1" else several
        try:
            return format(value, format_spec)
        except (TypeError, ValueError):
            return str(value)


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All templates of one language by dotted key."""
    templates: dict[str, str] = {}
    for file in sorted((assets_dir() / "words" / language).glob("*.toml")):
        for key, template in _flatten(tomllib.loads(file.read_text(encoding="utf-8")), ""):
            if key in templates:
                raise ValueError(f"{file.name}: {key} stands in the catalogue twice")
            templates[key] = template
    return templates


def _flatten(table: Mapping[str, object], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        elif isinstance(value, str):
            yield prefix + name, value
        else:
            raise ValueError(f"{prefix}{name} is not a string")


def use_language(language: str) -> None:
    """Set the language of everything said from now on in this context; raises `ValueError` on an unknown one."""
    if language not in LANGUAGES:
        raise ValueError(language)
    _tongue.set(_LanguageState(language))


def switch_language(language: str) -> None:
    """As `use_language`, but also for what runs already: every task that this context's `use_language` reached."""
    if language not in LANGUAGES:
        raise ValueError(language)
    if (tongue := _tongue.get(None)) is None:
        use_language(language)
    else:
        tongue.language = language


def current_language() -> str:
    """The language in use."""
    return _current().language


def language_of_environment(environment: Mapping[str, str] = os.environ) -> str:
    """The language that ``RBDTUI_LANG`` or the locale asks for; English when neither names one of ours."""
    for variable in ("RBDTUI_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        wanted = environment.get(variable, "")[:2].lower()
        if wanted in LANGUAGES:
            return wanted
        if wanted and variable != "RBDTUI_LANG":
            break
    return LANGUAGES[0]
