"""What every exporter is, and what of a site a format cannot hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from rbdtui.roles import Role
from rbdtui.spec.model import Bastion, ClusterSpec, Node
from rbdtui.spec.values import SECRET_PREFIX

DEFAULT_USER: Final = "root"
_OUR_OWN: Final = frozenset({"apiVersion", "bundle", "profile"})
"""Fields that are about rbdtui, of which nobody expects that they are handed over."""


class Exporter(Protocol):
    """One format."""

    @property
    def name(self) -> str:
        """As the command line names it."""
        ...

    @property
    def holds(self) -> tuple[str, ...]:
        """Fields that the format has a place for, as in cluster.yaml with ``nodes[].`` for those of every node.

        A field holds for all below it.
        """
        ...

    @property
    def roles(self) -> frozenset[Role]:
        """Roles that the format knows."""
        ...

    def write(self, spec: ClusterSpec) -> str:
        """The file; without secrets."""
        ...


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a format does not get."""

    fields: tuple[str, ...]
    """Fields without a place, in the order of cluster.yaml."""
    secrets: tuple[str, ...]
    """Fields whose values stay in the vault."""
    roles: Mapping[Role, tuple[str, ...]]
    """Roles without a place, and the nodes that have them."""


def left_out(exporter: Exporter, spec: ClusterSpec) -> LeftOut:
    """All that a site says and the format does not."""
    fields: dict[str, None] = {}
    secrets: dict[str, None] = {}
    for path, value in _leaves(spec.model_dump(mode="json", exclude_defaults=True), ""):
        if isinstance(value, str) and value.startswith(SECRET_PREFIX):
            secrets[path] = None
        elif path not in _OUR_OWN and not _is_held(path, exporter.holds):
            fields[path] = None
    if not _is_held("nodes[].roles", exporter.holds):
        return LeftOut(tuple(fields), tuple(secrets), {})
    lost = {role: tuple(n.name for n in spec.nodes_with(role)) for role in Role if role not in exporter.roles}
    return LeftOut(tuple(fields), tuple(secrets), {role: names for role, names in lost.items() if names})


def _is_held(path: str, holds: tuple[str, ...]) -> bool:
    return any(path == held or path.startswith((f"{held}.", f"{held}[")) for held in holds)


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Every single value with its path; the places in lists are left out of it."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _leaves(below, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for item in value:
            yield from _leaves(item, f"{path}[]")
    elif value not in (None, []):
        yield path, value


@dataclass(frozen=True, slots=True)
class Login:
    """How a node is reached, whether it or the site says so."""

    user: str
    port: int | None
    key: str
    bastions: tuple[Bastion, ...]


def login_of(spec: ClusterSpec, node: Node) -> Login:
    """What the node says counts before what the site says."""
    own, site = node.ssh, spec.ssh
    bastions = site.bastions if own.bastions is None else own.bastions
    return Login(
        own.user or site.user or DEFAULT_USER, own.port or site.port, own.key or site.key or "", tuple(bastions or ())
    )
