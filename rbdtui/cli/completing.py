"""Completion at the shell's prompt, from files alone: no server is asked, no passphrase, and no error is shown.

What each command takes stands in ``completion.json``, made of the commands themselves by `rbdtui.cli.completion_table`:
importing them would take longer than a key may.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from rbdtui.paths import asset

_READ_BYTES: Final = 1024 * 1024
"""Of any file; what stands behind that is not offered."""
_MOST_ENTRIES: Final = 2000
_SPLITTING: Final = "@"
"""Where bash splits words which is part of names of ours."""
_NODES: Final = re.compile(r"^nodes:(.*?)(?=^[^\s#-]|\Z)", re.MULTILINE | re.DOTALL)
_NODE_NAME: Final = re.compile(
    r"(?:^[ \t]*-[ \t]+(?:\{[ \t]*)?|[{,][ \t]*|^[ \t]+)name:[ \t]*[\"']?([a-z0-9][a-z0-9.-]*)", re.MULTILINE
)
_SEALED: Final = ".sealed"
_SECRET: Final = re.compile(r"\bsecret:([a-z0-9][a-z0-9._-]*)")
_CODE: Final = re.compile(r"^\[finding\.(RBD-[A-Z0-9-]+)\]", re.MULTILINE)
_STEP: Final = re.compile(r'"id":\s?"([a-z0-9-]+(?:@[a-z0-9.-]+)?)"')
_RUN: Final = re.compile(r"[0-9][0-9a-f-]*")
_PLAIN: Final = re.compile(r"[\w./~+@%-]+")
"""Words that mean the same to every shell."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A word, or with ``kind`` dir or file that the shell is to complete by itself."""

    value: str
    kind: str = "plain"


@dataclass(slots=True)
class _Line:
    """What stands in front of the word that is completed."""

    command: str = ""
    positional: list[str] = field(default_factory=list)
    awaiting: Any = None
    """What the option in front takes; None when none waits for a value."""


def answer_shell(environment: Mapping[str, str], variable: str) -> str | None:
    """What a completion script reads; None when it is another's to answer, as to print the script itself."""
    shell, _, instruction = environment.get(variable, "").partition("_")
    if instruction != "complete":
        return None
    try:
        from click.shell_completion import CompletionItem, get_completion_class

        kind = get_completion_class(shell)
        if kind is None:
            return ""
        completion = kind(None, {}, "rbdtui", variable)  # type: ignore[arg-type]  # what there is, we know ourselves
        words, incomplete = completion.get_completion_args()
        words, incomplete, cut = _together(words, incomplete) if shell == "bash" else (words, incomplete, 0)
        offers = complete(words, incomplete)
        return "\n".join(completion.format_completion(CompletionItem(o.value[cut:], type=o.kind)) for o in offers)
    except Exception:  # a prompt is no place for an error, whatever a file holds
        return ""


def _together(words: Sequence[str], incomplete: str) -> tuple[list[str], str, int]:
    """Words that bash has split at ``=`` and ``@``, and how much of the last one stands there already."""
    joined: list[str] = []
    for word in [*words, incomplete]:
        last = joined[-1] if joined else ""
        if joined and (word[:1] == _SPLITTING or last[-1:] == _SPLITTING):
            joined[-1] += word
        elif not (word == "=" and last.startswith("--")):
            joined.append(word)
    if incomplete == "=":
        joined.append("")
    last = joined.pop()
    return joined, last, last.rfind(_SPLITTING) + 1


def complete(words: Sequence[str], incomplete: str) -> list[Offer]:
    """What may stand in place of an incomplete word behind others, the program's name left out."""
    table: Mapping[str, Any] = json.loads(asset("completion.json").read_text(encoding="utf-8"))
    groups = {name.partition(" ")[0] for name in table if " " in name}
    line = _read(words, table, groups)
    if incomplete.startswith("--") and "=" in incomplete and line.awaiting is None:
        option, _, value = incomplete.partition("=")
        taken = _options(table, line.command).get(option, "")
        return [Offer(f"{option}={offer.value}") for offer in _values(taken, value, line) if offer.kind == "plain"]
    if line.awaiting is not None:
        return _values(line.awaiting, incomplete, line)
    if line.command not in table:
        return _commands(table, line.command, incomplete)
    if incomplete.startswith("-"):
        shown = [name for name in _options(table, line.command) if name not in table[line.command]["hidden"]]
        return _beginning(shown, incomplete)
    arguments = table[line.command]["arguments"]
    place = len(line.positional)
    return _values(arguments[place], incomplete, line) if place < len(arguments) else []


def _options(table: Mapping[str, Any], command: str) -> Mapping[str, Any]:
    options: Mapping[str, Any] = table.get(command, table["open"])["options"]
    return options


def _read(words: Sequence[str], table: Mapping[str, Any], groups: Iterable[str]) -> _Line:
    line = _Line()
    for word in words:
        if line.awaiting is not None:
            line.awaiting = None
        elif word.startswith("-"):
            line.awaiting = _options(table, line.command).get(word, "") or None
        elif line.command in table:
            line.positional.append(word)
        elif not line.command and word not in table and word not in groups:
            line.command = "open"
            line.positional.append(word)
        else:
            line.command = f"{line.command} {word}".strip()
    return line


def _commands(table: Mapping[str, Any], group: str, incomplete: str) -> list[Offer]:
    """Commands, and in the first place sites, which open the screen."""
    begin = f"{group} " if group else ""
    names = [name.removeprefix(begin).partition(" ")[0] for name in table if name.startswith(begin)]
    if incomplete.startswith("-"):
        names = ["--version", *(name for name in table["open"]["options"] if name not in table["open"]["hidden"])]
    offers = _beginning(dict.fromkeys(names), incomplete)
    if group:
        return offers
    return offers + [site for site in _sites(incomplete) if site.kind == "plain" or not offers]


def _values(taken: Any, incomplete: str, line: _Line) -> list[Offer]:
    """What may stand where a value of this kind does."""
    if isinstance(taken, list):
        return _beginning(taken, incomplete)
    if isinstance(taken, dict):
        return _listed(taken["listed"], incomplete)
    if taken == "site":
        return _sites(incomplete)
    if taken in ("file", "dir"):
        return [Offer("", taken)]
    if taken == "codes":
        return _listed(_codes(), incomplete)
    site = Path(line.positional[0] if line.positional else ".").expanduser()
    sources = {"node": _nodes, "secret": _secrets, "step": _steps, "run": _runs, "snapshot": _snapshots}
    return _beginning(sources[taken](site), incomplete) if taken in sources else []


def _beginning(words: Iterable[str], incomplete: str) -> list[Offer]:
    return [Offer(word) for word in dict.fromkeys(words) if word.startswith(incomplete)]


def _listed(words: Iterable[str], incomplete: str) -> list[Offer]:
    """The last word of a list with commas; those that stand there already are not offered again."""
    before, comma, last = incomplete.rpartition(",")
    there = before.split(",")
    return [Offer(before + comma + word) for word in words if word.startswith(last) and word not in there]


def _sites(incomplete: str) -> list[Offer]:
    """Directories with a cluster.yaml; where there is none, or one that must be quoted, the shell's own directories."""
    before, slash, name = incomplete.rpartition("/")
    parent = Path(before + slash).expanduser() if slash else Path()
    found = [
        before + slash + entry
        for entry in _entries(parent)
        if entry.startswith(name) and (name or entry[0] != ".") and Path(parent, entry, "cluster.yaml").is_file()
    ]
    if not found or not all(map(_PLAIN.fullmatch, found)):
        return [Offer("", "dir")]
    return [Offer(path) for path in sorted(found)]


def _entries(directory: Path) -> list[str]:
    """Names in a directory; none of one that cannot be read."""
    try:
        with os.scandir(directory) as entries:
            return [entry.name for entry in islice(entries, _MOST_ENTRIES)]
    except OSError:
        return []


def _text(file: Path) -> str:
    """The beginning of a plain file; nothing of one that cannot be read."""
    try:
        if not file.is_file():
            return ""
        with file.open("rb") as stream:
            return stream.read(_READ_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _nodes(site: Path) -> list[str]:
    section = _NODES.search(_text(site / "cluster.yaml"))
    return _NODE_NAME.findall(section[1]) if section else []


def _secrets(site: Path) -> list[str]:
    """The secrets that cluster.yaml names; those of the vault are behind a passphrase."""
    lines = (line for line in _text(site / "cluster.yaml").splitlines() if not line.lstrip().startswith("#"))
    return [name for line in lines for name in _SECRET.findall(line)]


def _snapshots(site: Path) -> list[str]:
    """Those that have a copy in the site, the newest first: they end with their time."""
    names = [name.removesuffix(_SEALED) for name in _entries(site / "snapshots") if name.endswith(_SEALED)]
    return sorted(filter(_PLAIN.fullmatch, names), key=lambda name: name.rpartition("-")[2], reverse=True)


def _codes() -> list[str]:
    files = sorted(asset("words", "en").glob("*.toml"))
    return sorted(code for file in files for code in _CODE.findall(file.read_text(encoding="utf-8")))


def _run_ids(site: Path) -> list[str]:
    """The names of all runs, the newest first: they begin with their time."""
    return sorted(filter(_RUN.fullmatch, _entries(site / "runs")), reverse=True)


def _runs(site: Path) -> list[str]:
    """Names of runs, and their ends, which will do."""
    ids = _run_ids(site)
    return [*ids, *(name.rpartition("-")[2] for name in ids)]


def _steps(site: Path) -> list[str]:
    """Steps of the newest run that has any, kinds first."""
    for name in _run_ids(site):
        created = _text(site / "runs" / name / "events.jsonl").partition("\n")[0]
        if steps := _STEP.findall(created):
            return [*dict.fromkeys(step.partition("@")[0] for step in steps), *steps]
    return []
