"""What the commands take, as a table for completion; ``python -m rbdtui.cli.completion_table`` writes it anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import click

from rbdtui.cli.app import program
from rbdtui.paths import asset
from rbdtui.plan.repairs import REPAIRS

_KINDS: Final = {"NODE": "node", "STEP": "step", "RUN": "run", "FILE": "file", "CODE,…": "codes"}
"""What is offered for a value, by how the help names it."""


def table() -> dict[str, Any]:
    """Of each command its arguments, its options with what they take, and the options that its help does not show."""
    return dict(_commands(program, click.Context(program), ""))


def _commands(group: click.Group, context: click.Context, before: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, click.Context(command), f"{name} ")
        elif command is not None:
            yield before + name, _entry(command)


def _entry(command: click.Command) -> dict[str, Any]:
    options = [param for param in command.params if isinstance(param, click.Option)]
    return {
        "arguments": [_argument(command, param) for param in command.params if isinstance(param, click.Argument)],
        "options": {name: _value(option) for option in options for name in option.opts},
        "hidden": [name for option in options if option.hidden for name in option.opts],
    }


def _argument(command: click.Command, param: click.Argument) -> str | list[str]:
    if command.name == "init":
        return "dir"
    if isinstance(param.type, click.Choice):
        return list(param.type.choices)
    if command.name == "repair" and param.name == "codes":
        return sorted(code for kind in REPAIRS for code in kind.codes)
    kinds = {"site": "site", "name": "secret", "file": "file", "node": "node", "snapshot": "snapshot"}
    return kinds[str(param.name)]


def _value(option: click.Option) -> Any:
    """Empty for one that takes no value."""
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return list(option.type.choices)
    metavar = option.metavar or ""
    if "," in metavar and metavar not in _KINDS:
        return {"listed": metavar.split(",")}
    return _KINDS.get(metavar, "text")


def text() -> str:
    """The table as it is kept."""
    lines = (f"  {json.dumps(name)}: {json.dumps(entry, ensure_ascii=False)}" for name, entry in table().items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    asset("completion.json").write_text(text(), encoding="utf-8")
