"""Help pages: their own words from the catalogue, lines that fit whatever the letters are as wide as."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import click
from rich.cells import cell_len

from rbdtui.words import T

_WIDE = "\u2e80-\u9fff\uff00-\uffef"
_CLOSING = "，。；：、！？）”"
_PIECES = re.compile(
    rf"\s+|`[^`]*`[{_CLOSING}.,;:)]*|[（“]*[{_WIDE}][{_CLOSING}]*|[（“]*[^\s`{_WIDE}]+[{_CLOSING}]*|[^\s]"
)
_LEAST_COLUMNS = 10


def wrap_cells(text: str, room: int) -> list[str]:
    """A sentence as lines of so many cells: broken at blanks and between Chinese signs, never inside a command."""
    lines = [""]
    for piece in _fitting(_PIECES.findall(text), room):
        if piece.isspace():
            lines[-1] += " " if lines[-1] else ""
        elif cell_len(lines[-1] + piece) <= room or not lines[-1]:
            lines[-1] += piece
        else:
            lines[-1] = lines[-1].rstrip()
            lines.append(piece)
    return [line.rstrip() for line in lines]


def _fitting(pieces: Iterable[str], room: int) -> Iterator[str]:
    """A command that is longer than a line is broken at its blanks all the same."""
    for piece in pieces:
        yield from re.findall(r"\s+|\S+", piece) if cell_len(piece) > room else [piece]


class OurFormatter(click.HelpFormatter):
    """Help pages whose own words are from the catalogue; what click calls them is known here alone."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """The first lines: options, and a group's command, are named in our words."""
        ours = {
            "[OPTIONS]": T("cli.help.any_options"),
            "COMMAND": T("cli.help.any_command"),
            "[ARGS]...": T("cli.help.any_arguments"),
        }
        words = " ".join(str(ours.get(word, word)) for word in args.split(" "))
        super().write_usage(prog, words, f"{T('cli.help.usage')} " if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        """A heading with the colon of its language."""
        ours = {"Options": T("cli.help.options"), "Commands": T("cli.help.commands")}
        self.write(f"{'':>{self.current_indent}}{ours[heading]}\n")

    def write_text(self, text: str) -> None:
        """A paragraph."""
        for line in wrap_cells(text, self.width - self.current_indent):
            self.write(f"{'':>{self.current_indent}}{line}\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Terms and what they mean, in two columns."""
        listed = list(rows)
        first = min(max((cell_len(term) for term, _ in listed), default=0), col_max) + col_spacing
        margin = " " * (self.current_indent + first)
        for term, meaning in listed:
            fits = cell_len(term) <= first - col_spacing
            head = " " * self.current_indent + term
            lines = wrap_cells(meaning, max(self.width - len(margin), _LEAST_COLUMNS))
            start = head + " " * (first - cell_len(term)) if fits else f"{head}\n{margin}"
            self.write(start + f"\n{margin}".join(lines) + "\n")
