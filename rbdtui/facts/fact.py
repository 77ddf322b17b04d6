"""What a fact is: a name, a POSIX shell command that changes nothing, and a parser for what the command prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from rbdtui.transport.answers import UNREADABLE

KIB: Final = 1024

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

TIMED_OUT_STATUSES: Final = frozenset({124, 137})
"""How coreutils' ``timeout`` ends when the limit is reached: by itself, or after it had to kill."""


@dataclass(frozen=True, slots=True)
class Fact(Generic[T_co]):
    """One question to a host."""

    name: str
    """Snake case, unique among the facts."""
    command: str
    """Uses the shell, coreutils, grep and sed; anything else only where the command looks for it first."""
    parse: Callable[[str], T_co]
    """Pure, and of linear cost; raises one of `UNREADABLE` on output that it cannot read."""
    absent: T_co
    """The value while the fact could not be had."""
    limit_s: int = 5
    """After this the host ends the command; the other facts are not touched."""
    limit_bytes: int = 64 * KIB
    """An output that is longer is not read."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a fact's command left on a host."""

    status: int
    text: str
    error: str = ""
    size_bytes: int = 0
    """Of the text as it came, at least."""


class Answers:
    """The outputs of all facts of one host, read with each fact's own parser; why any failed is kept."""

    def __init__(self, outputs: Mapping[str, Output]) -> None:
        self._outputs = outputs
        self.failed: dict[str, str] = {}
        """Facts asked of this object that could not be had: name to raw reason."""

    def value(self, fact: Fact[T]) -> T:
        """The fact's value, or its ``absent`` one with the reason noted in `failed`."""
        output = self._outputs.get(fact.name)
        if output is None:
            return self._fail(fact, "no answer")
        if output.status in TIMED_OUT_STATUSES:
            return self._fail(fact, f"no answer within {fact.limit_s} s")
        if output.size_bytes > fact.limit_bytes:
            return self._fail(fact, f"more than {fact.limit_bytes // KIB} KiB")
        if output.status != 0:
            last_words = (output.error.strip() or output.text.strip()).splitlines()[-1:]
            return self._fail(fact, f"status {output.status} {''.join(last_words)[:200]}".rstrip())
        try:
            return fact.parse(output.text)
        except UNREADABLE as error:
            return self._fail(fact, f"unreadable: {error}"[:200])

    def _fail(self, fact: Fact[T], reason: str) -> T:
        self.failed[fact.name] = reason
        return fact.absent


def sections(text: str) -> dict[str, list[str]]:
    """The lines of an output by the ``== name`` headings that its command printed; those before are under ''."""
    found: dict[str, list[str]] = {"": []}
    current = found[""]
    for line in text.splitlines():
        if line.startswith("== "):
            current = found.setdefault(line[3:].strip(), [])
        else:
            current.append(line)
    return found


def shown(path: str, limit_bytes: int = 64 * KIB) -> str:
    """A command that prints a file, and of one that is longer than a fact may be only enough to notice that."""
    return f"head -c {limit_bytes + 1} {path}"


def words(*names: str) -> str:
    """Names as the words of a shell loop; they are constants of ours and need no quotes."""
    return " ".join(names)
