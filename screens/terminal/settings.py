"""What an operator has chosen once and finds again: language, signs, link, colours, and the sites of late."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from rbdtui.atomic import write_atomic
from rbdtui.words import LANGUAGES
from screens.terminal.theme_names import THEME_NAMES

RECENT_KEPT: Final = 12
_MAX_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that lasts from one start to the next."""

    language: str | None = None
    """None: as the environment asks for."""
    ascii_only: bool = False
    slow_link: bool = False
    bell: bool = True
    """Whether the terminal rings when a run asks or ends."""
    mouse: bool = False
    """Whether the program takes the mouse; the terminal's own select-and-copy is then not available."""
    theme: str | None = None
    """None: what suits the terminal."""
    recent: tuple[str, ...] = ()
    """Directories of sites, the latest first."""

    def with_recent(self, site: Path) -> Settings:
        """The same with a site in front."""
        others = [path for path in self.recent if path != str(site)]
        return replace(self, recent=(str(site), *others)[:RECENT_KEPT])

    def without_recent(self, site: str) -> Settings:
        """The same without a site."""
        return replace(self, recent=tuple(path for path in self.recent if path != site))

    @property
    def refresh_hz(self) -> float:
        """How often a picture is drawn anew at most."""
        return 2.0 if self.slow_link else 5.0


def settings_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the settings are (XDG Base Directory Specification)."""
    base = environment.get("XDG_CONFIG_HOME") or ""
    directory = Path(base) if base.startswith("/") else Path(environment.get("HOME") or "/") / ".config"
    return directory / "rbdtui" / "settings.json"


def load_settings(file: Path) -> Settings:
    """What the file holds; whatever in it cannot be used is as if it were not there."""
    try:
        with file.open("rb") as stream:
            content = json.loads(stream.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return Settings()
    if not isinstance(content, dict):
        return Settings()
    language, theme, recent = content.get("language"), content.get("theme"), content.get("recent")
    listed = recent if isinstance(recent, list) else []
    return Settings(
        language=language if language in LANGUAGES else None,
        ascii_only=content.get("ascii_only") is True,
        slow_link=content.get("slow_link") is True,
        bell=content.get("bell") is not False,
        mouse=content.get("mouse") is True,
        theme=theme if theme in THEME_NAMES else None,
        recent=tuple(path for path in listed if isinstance(path, str) and path.startswith("/"))[:RECENT_KEPT],
    )


def save_settings(file: Path, settings: Settings) -> str:
    """Keep the settings; why that failed, empty when it did not."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(file, json.dumps(asdict(settings), ensure_ascii=False, indent=2).encode())
    except OSError as error:
        return error.strerror or str(error)
    return ""
