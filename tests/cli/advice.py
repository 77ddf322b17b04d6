"""Following what a refusal advises, word for word: the commands that stand in it are the ones that are run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.cli import console

LIMIT_S = 120.0


def advised(words: str, verb: str) -> list[str]:
    """The words of the one command with this verb that stands in what was told."""
    found = {command for command in re.findall(r"`(rbdtui [^`]*)`", words) if command.split()[1] == verb}
    assert len(found) == 1, f"`rbdtui {verb}` should be advised once in\n{words}"
    return shlex.split(found.pop())[1:]


def follow(words: str, verb: str, site: Path, *more: str | Path) -> console.Said:
    """Do what was advised, in the site's directory where the command names none."""
    command = advised(words, verb)
    place = [] if str(site) in command else [site]
    return console.run("en", *command, *place, *more, limit_s=LIMIT_S)
