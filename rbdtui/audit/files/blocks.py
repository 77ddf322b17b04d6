"""Files of words and blocks in braces: nginx's and keepalived's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from rbdtui.audit.files.problem import Problem
from rbdtui.words import T

_WORD: Final = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[{};]|[^\s{};\"']+|[\"']", re.DOTALL)
_DEEPEST: Final = 50


@dataclass(slots=True)
class Block:
    """A directive with its words, and what stands in its braces."""

    words: tuple[str, ...]
    line: int
    inside: list[Block] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its first word."""
        return self.words[0] if self.words else ""

    @property
    def value(self) -> str:
        """Its second word; empty when there is none."""
        return self.words[1] if len(self.words) > 1 else ""

    def all(self, name: str) -> list[Block]:
        """The directives of a name that stand in it."""
        return [block for block in self.inside if block.name == name]

    def first(self, name: str) -> Block | None:
        """The first of them."""
        return next(iter(self.all(name)), None)


@dataclass(frozen=True, slots=True)
class BlockFile:
    """A whole file, as a block without words."""

    root: Block
    problems: tuple[Problem, ...] = ()


def read_nginx(text: str) -> BlockFile:
    """Read nginx's form: a directive ends with a semicolon or has braces."""
    return _read(_words(text, "#"), ends_with_line=False)


def read_keepalived(text: str) -> BlockFile:
    """Read keepalived's form: a directive ends with its line or has braces; ``!`` and ``#`` begin comments."""
    return _read(_words(text, "#!"), ends_with_line=True)


def _words(text: str, comments: str) -> Iterator[tuple[int, str]]:
    """Words with their lines; an empty one ends each line."""
    for number, line in enumerate(text.split("\n"), 1):
        for found in _WORD.finditer(line):
            if found[0][0] in comments:
                break
            yield number, found[0]
        yield number, ""


def _read(read: Iterator[tuple[int, str]], *, ends_with_line: bool) -> BlockFile:
    root = Block((), 0)
    open_blocks, words, began = [root], list[str](), 0
    problems: list[Problem] = []

    def end() -> None:
        if words:
            open_blocks[-1].inside.append(Block(tuple(words), began))
            words.clear()

    for line, word in read:
        if word in ("", ";"):
            if word == ";" or ends_with_line:
                end()
        elif word == "{":
            if len(open_blocks) > _DEEPEST:
                return BlockFile(root, (Problem(line, T("audit.problem.deep")),))
            block = Block(tuple(words), began if words else line)
            _adopt(open_blocks[-1], block, bare=not words and ends_with_line)
            words.clear()
            open_blocks.append(block)
        elif word == "}":
            end()
            if len(open_blocks) == 1:
                problems.append(Problem(line, T("audit.problem.closed")))
            else:
                open_blocks.pop()
        else:
            began = began if words else line
            words.append(word.strip("\"'"))
    end()
    problems += [Problem(block.line, T("audit.problem.open", name=block.name[:60])) for block in open_blocks[1:]]
    return BlockFile(root, tuple(problems))


def _adopt(parent: Block, block: Block, *, bare: bool) -> None:
    """Put a block into another; in keepalived's form a brace may stand on the line after its words."""
    if bare and parent.inside and not parent.inside[-1].inside:
        before = parent.inside.pop()
        block.words, block.line = before.words, before.line
    parent.inside.append(block)
