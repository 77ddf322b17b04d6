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
    "exclamation_mark": "!", "asterisk": "*", "pageup": "PgUp", "pagedown": "PgDn", "full_stop": ".", "comma": ",",
    "left_square_bracket": "[", "right_square_bracket": "]", "left_curly_bracket": "{", "right_curly_bracket": "}",
    "home": "Home", "end": "End",
}  # fmt: skip
_KEY_SIGNS_ASCII: Final = {"up": "Up", "down": "Dn", "left": "Lt", "right": "Rt"}

_MANNERS: Final = frozenset({"move", "choose", "close", "stay", "palette", "preferences", "edit", "done", "interrupt"})
"""Keys that make no sense as commands."""


def key_actions(screen: Screen[Any], *, ascii_only: bool) -> list[tuple[str, str, str, DOMNode]]:
    """Word, key, action and its node of everything that a key does on a screen now."""
    found: dict[str, tuple[str, str, str, DOMNode]] = {}
    for binding, node in _named(screen):
        word = str(T(f"key.{binding.id}"))  # words: key.*
        sign = key_sign(binding.key, ascii_only=ascii_only)
        if binding.id not in _MANNERS and (word not in found or len(sign) < len(found[word][1])):
            found[word] = (word, sign, binding.action, node)
    return list(found.values())


def _named(screen: Screen[Any]) -> list[tuple[Binding, DOMNode]]:
    """Keys with words of ours that do something now, the screen's own before the program's, Escape the last but help.

    A list or a text field takes Enter for itself and tells the screen with a message; the screen's word for it counts.
    """
    own = screen._bindings.key_to_bindings
    found: list[tuple[Binding, DOMNode]] = []
    for pressed, active in screen.active_bindings.items():
        named = active.binding if _is_named(active.binding) else next(filter(_is_named, own.get(pressed, ())), None)
        node = active.node if named is active.binding else screen
        if named is None or not active.enabled or str(named.id).startswith("section_"):
            continue
        if node is active.node or screen.app._check_action_state(named.action, screen):
            found.append((named, node))
    return sorted(found, key=lambda pair: (pair[0].id == "help", pair[0].key == "escape"))


def _is_named(binding: Binding) -> bool:
    return binding.description == f"key.{binding.id}"


def key_words(screen: Screen[Any], *, ascii_only: bool, everything: bool = False) -> tuple[tuple[str, str], ...]:
    """The keys that do something on a screen now, with their words; help is the last.

    With ``everything`` also those that the line of keys does not show, and those that a text field takes.
    """
    typing = not everything and screen.focused is not None and screen.focused.check_consume_key("x", "x")
    signs: dict[str, list[str]] = {}
    for binding, _ in _named(screen):
        if (binding.show or everything) and not (typing and is_typed(binding.key)):
            word = str(T(f"key.{binding.id}"))  # words: key.*
            signs.setdefault(word, []).append(key_sign(binding.key, ascii_only=ascii_only))
    return tuple((_joined(found, everything=everything), word) for word, found in signs.items())


_TYPED: Final = frozenset(
    ("question_mark", "slash", "space", "plus", "minus", "full_stop", "comma", "exclamation_mark", "asterisk")
)


def is_typed(key: str) -> bool:
    """Whether a key puts a letter into a text field."""
    return len(key) == 1 or key in _TYPED or key.endswith("_bracket")


def key_sign(key: str, *, ascii_only: bool) -> str:
    """A key as it is written for a person."""
    if ascii_only and key in _KEY_SIGNS_ASCII:
        return _KEY_SIGNS_ASCII[key]
    if key.startswith("ctrl+"):
        return f"^{key.removeprefix('ctrl+').upper()}"
    if key.startswith("shift+"):
        return f"Shift+{key_sign(key.removeprefix('shift+'), ascii_only=ascii_only)}"
    return _KEY_SIGNS.get(key, key.upper() if key.startswith("f") and len(key) > 1 else key)


def _joined(signs: list[str], *, everything: bool) -> str:
    """Several keys for the same: all of them on the page of help, else single letters and arrows, or the first."""
    if everything:
        return " ".join(signs)
    if all(len(sign) == 1 for sign in signs):
        return "".join(signs)
    return "/".join(signs) if set(signs) <= set(_KEY_SIGNS_ASCII.values()) else signs[0]
