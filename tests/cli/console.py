"""The command line as an operator uses it: a command in, words and an exit status out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from rbdtui.cli.app import run_command_line
from rbdtui.words import LANGUAGES, use_language
from tests.cli.warm import LOCALE, WarmProcess
from tests.waiting import LIMIT_S

DEFECT = {"en": "defect in rbdtui", "zh": "自身的缺陷"}
"""How a message begins that no operator should ever see."""
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_ACTS_ON_A_TERMINAL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Said:
    """What a command left."""

    status: int
    out: str
    err: str
    language: str

    @property
    def words(self) -> str:
        """All that the operator sees."""
        return self.out + self.err

    def about(self, code: str, place: str = "") -> str:
        """The lines of the one finding with this code whose first line has the place as a word."""
        found = [block for block in self.findings() if block.split()[2:3] == [code] and _names(block, place)]
        assert len(found) == 1, f"{code} {place}: {len(found)} findings in\n{self.words}"
        return found[0]

    def findings(self) -> list[str]:
        """Each finding with its evidence and remedy, as text."""
        return re.findall(r"^[x!-] .*\n(?:    .*\n)+", self.out, re.MULTILINE)

    def _sentences(self) -> str:
        """Without the lines that repeat what was in a file or came from a host."""
        lines = [line for line in self.words.splitlines() if not line.startswith("    | ")]
        return "\n".join(line.partition(" RBD-")[0] for line in lines)

    def check(self, status: int) -> Said:
        """Fail unless it ended so, with words of its language and no traceback."""
        assert self.status == status, f"{self.status}, not {status}:\n{self.words}"
        assert "Traceback" not in self.words, self.words
        assert DEFECT[self.language] not in self.words, self.words
        assert bool(_CHINESE.search(self._sentences())) == (self.language == "zh"), self.words
        assert _ACTS_ON_A_TERMINAL.search(self.words) is None, ascii(self.words)
        return self


def _names(block: str, place: str) -> bool:
    return not place or place in block.splitlines()[0].split()


def say(capsys: pytest.CaptureFixture[str], language: str, *words: str | Path) -> Said:
    """Run a command in this process."""
    use_language(language)
    try:
        status = run_command_line(["--lang", language, *(str(word) for word in words)])
    finally:
        use_language(LANGUAGES[0])
    captured = capsys.readouterr()
    return Said(status, captured.out, captured.err, language)


Process = WarmProcess | subprocess.Popen[bytes]


def start(language: str, *words: str | Path, environment: Mapping[str, str] | None = None) -> Process:
    """Start a command as a process of its own, in a language where one is given; `finish` waits for it.

    With an environment, which may matter to Python itself, it is started from nothing.
    """
    spoken = ["--lang", language] if language else []
    arguments = [*spoken, *(str(word) for word in words)]
    if environment is None:
        return WarmProcess(arguments)
    return subprocess.Popen(
        [sys.executable, "-m", "rbdtui", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "LC_ALL": LOCALE, **environment},
    )  # fmt: skip


def finish(process: Process, language: str, *, stdin: str = "", limit_s: float = LIMIT_S) -> Said:
    """What a started command left; killed when it takes too long."""
    try:
        out, err = process.communicate(stdin.encode(), timeout=limit_s)
    finally:
        process.kill()
    status = process.returncode
    assert status is not None
    return Said(status, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"), language)


def run(
    language: str,
    *words: str | Path,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    limit_s: float = LIMIT_S,
) -> Said:
    """Run a command as a process of its own, with what it reads."""
    return finish(start(language, *words, environment=environment), language, stdin=stdin, limit_s=limit_s)


def contents(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of every file of a directory, to see that nothing was changed."""
    files = [file for file in sorted(directory.rglob("*")) if file.is_file()]
    return {str(file.relative_to(directory)): (file.stat().st_mode, file.read_bytes()) for file in files}
