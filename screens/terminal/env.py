"""What Textual reads from the environment at import; so this runs before Textual is imported for the first time."""

from __future__ import annotations

import os
from collections.abc import MutableMapping


def prepare(*, slow_link: bool, color: bool, environment: MutableMapping[str, str] = os.environ) -> None:
    """Set up Textual for a terminal behind SSH; what the operator has set stays as it is.

    Reporting every key (kitty protocol) breaks Chinese input methods in some terminals, and a short wait for the
    rest of an escape sequence splits arrow keys on a slow line.
    """
    wanted = {"TEXTUAL_DISABLE_KITTY_KEY": "1", "TEXTUAL_ANIMATIONS": "none", "ESCDELAY": "200"}
    if slow_link:
        wanted |= {
            "TEXTUAL_FPS": "8",
            "TEXTUAL_SMOOTH_SCROLL": "0",
            "TEXTUAL_COLOR_SYSTEM": "standard",
            "ESCDELAY": "400",
        }
    if not color:
        wanted |= {"NO_COLOR": "1"}
    for name, value in wanted.items():
        environment.setdefault(name, value)
