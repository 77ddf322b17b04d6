"""Files of docker-compose, format 2.1: services with their images, commands and the lines they stand on."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import yaml

from rbdtui.audit.files.problem import Problem
from rbdtui.words import T

_LOADER: Final = yaml.SafeLoader


@dataclass(frozen=True, slots=True)
class Option:
    """One word of a service's command."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Service:
    """One container."""

    name: str
    line: int
    image: str = ""
    command: tuple[Option, ...] = ()
    volumes: tuple[str, ...] = ()

    def option(self, name: str) -> Option | None:
        """The value of ``--name=value`` in the command, with its line; None when it is not there."""
        head = f"--{name}="
        for word in self.command:
            if word.text.startswith(head):
                return Option(word.text.removeprefix(head).strip("\"'"), word.line)
        return None


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """What a file says, as far as it could be read."""

    services: Mapping[str, Service] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def read_compose(text: str) -> ComposeFile:
    """Read a file; one that is no YAML, or none of docker-compose, has problems and no services."""
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return _broken(mark.line + 1 if mark is not None else 0, "yaml")
    except (yaml.YAMLError, RecursionError, ValueError):
        return _broken(0, "yaml")
    if root is None:
        return _broken(0, "empty")
    if not isinstance(root, yaml.MappingNode):
        return _broken(_line(root), "mapping")
    problems = list(_twice(root))
    services_node = _value(root, "services")
    if services_node is None:
        return ComposeFile(problems=(*problems, Problem(_line(root), T("audit.problem.no_services"))))
    if not isinstance(services_node, yaml.MappingNode):
        return _broken(_line(services_node), "mapping")
    problems += _twice(services_node)
    services: dict[str, Service] = {}
    for key, value in services_node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        if not isinstance(value, yaml.MappingNode):
            problems.append(Problem(_line(key), T("audit.problem.mapping")))
            continue
        problems += _twice(value)
        try:
            services[key.value] = _service(key.value, value, _line(key))
        except ValueError:
            problems.append(Problem(_line(key), T("audit.problem.quotes")))
    return ComposeFile(services, tuple(problems))


def _broken(line: int, why: str) -> ComposeFile:
    return ComposeFile(problems=(Problem(line, T(f"audit.problem.{why}")),))  # words: audit.problem.*


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1 if node.start_mark is not None else 0


def _twice(mapping: yaml.MappingNode) -> Iterator[Problem]:
    """docker-compose takes the last of two equal keys and says nothing."""
    seen: set[str] = set()
    for key, _ in mapping.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                yield Problem(_line(key), T("audit.problem.twice", key=key.value))
            seen.add(key.value)


def _value(mapping: yaml.MappingNode, name: str) -> yaml.Node | None:
    found = None
    for key, value in mapping.value:
        if isinstance(key, yaml.ScalarNode) and key.value == name:
            found = value
    return found


def _service(name: str, node: yaml.MappingNode, line: int) -> Service:
    image = _value(node, "image")
    return Service(
        name=name,
        line=line,
        image=image.value if isinstance(image, yaml.ScalarNode) else "",
        command=tuple(_words(_value(node, "command"))),
        volumes=tuple(option.text for option in _listed(_value(node, "volumes"))),
    )


def _words(node: yaml.Node | None) -> Iterator[Option]:
    """A command as a list, or as one text that a shell would split; raises `ValueError` on open quotes."""
    if isinstance(node, yaml.ScalarNode):
        for word in shlex.split(node.value):
            yield Option(word, _line(node))
    else:
        yield from _listed(node)


def _listed(node: yaml.Node | None) -> Iterator[Option]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            if isinstance(item, yaml.ScalarNode):
                yield Option(item.value.strip(), _line(item))
