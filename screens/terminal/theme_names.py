"""Names of the themes, for what runs before Textual may be imported (`screens.terminal.env`)."""

from __future__ import annotations

from typing import Final

DARK: Final = "rbdtui-dark"
LIGHT: Final = "rbdtui-light"
SIXTEEN: Final = "rbdtui-16"
"""The terminal's own colours."""
THEME_NAMES: Final = (DARK, LIGHT, SIXTEEN)
