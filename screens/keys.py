"""The keys of a screen in words: for the line of keys, the page of help, and the palette."""

from __future__ import annotations

from typing import Any, Final

from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen

from rbdtui.words import T

_KEY_SIGNS: Final = {
    "escape": "Esc", "enter": "Enter", "space": "Space", "question_mark": "?", "slash": "/", "tab": "Tab",
    "up": "↑", "down": "↓", "left": "←", "right": "→", "plus": "+", "minus": "-", "delete": "Del",
    "pageup": "PgUp", "pagedown": "PgDn", "full_stop": ".", "comma": ",",
}  # fmt: skip
_KEY_SIGNS_ASCII: Final = {"up": "Up", "down": "Dn", "left": "Lt", "right": "Rt"}


def key_actions(screen: Screen[Any], *, ascii_only: bool) -> list[tuple[str, str, str, DOMNode]]:
    """Word, key, action and its node of everything that a key does on a screen now."""
    found = []
    for active in screen.active_bindings.values():
        binding = active.binding
        if binding.description == f"key.{binding.id}" and active.enabled and not _leads_to_section(binding):
            word = str(T(f"key.{binding.id}"))  # words: key.*
            found.append((word, key_sign(binding.key, ascii_only=ascii_only), binding.action, active.node))
    return found


def key_words(screen: Screen[Any], *, ascii_only: bool, everything: bool = False) -> tuple[tuple[str, str], ...]:
    """The keys that do something on a screen now, with their words; help is the last.

    With ``everything`` also those that the line of keys does not show, and those that a text field takes.
    """
    typing = not everything and screen.focused is not None and screen.focused.check_consume_key("x", "x")
    signs: dict[str, list[str]] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        named = binding.description == f"key.{binding.id}"
        hidden = not (binding.show or everything) or _leads_to_section(binding)
        if named and active.enabled and not hidden and not (typing and is_typed(binding.key)):
            signs.setdefault(str(T(f"key.{binding.id}")), []).append(
                key_sign(binding.key, ascii_only=ascii_only)
            )  # words: key.*
    help_word = str(T("key.help"))
    help_signs = signs.pop(help_word, [])
    pairs = [(_joined(found, everything=everything), word) for word, found in signs.items()]
    if help_signs:
        pairs.append((_joined(help_signs, everything=everything), help_word))
    return tuple(pairs)


def is_typed(key: str) -> bool:
    """Whether a key puts a letter into a text field."""
    return len(key) == 1 or key in ("question_mark", "slash", "space", "plus", "minus", "full_stop", "comma")


def key_sign(key: str, *, ascii_only: bool) -> str:
    """A key as it is written for a person."""
    if ascii_only and key in _KEY_SIGNS_ASCII:
        return _KEY_SIGNS_ASCII[key]
    if key.startswith("ctrl+"):
        return f"^{key.removeprefix('ctrl+').upper()}"
    return _KEY_SIGNS.get(key, key.upper() if key.startswith("f") and len(key) > 1 else key)


def _leads_to_section(binding: Binding) -> bool:
    """The rail says which keys these are."""
    return str(binding.id).startswith("section_")


def _joined(signs: list[str], *, everything: bool) -> str:
    """Several keys for the same: all of them on the page of help, else single letters and arrows, or the first."""
    if everything:
        return " ".join(signs)
    return "".join(signs) if all(len(sign) == 1 for sign in signs) else signs[0]
