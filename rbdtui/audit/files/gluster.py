"""What GlusterFS's own program prints as XML: peers, volumes with their bricks, and what is left to heal.

gluster/glusterfs@devel 595745f8e4, cli/src/cli-xml-output.c and heal/src/glfs-heal.c.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

CONNECTED = "Connected"


@dataclass(frozen=True, slots=True)
class Peer:
    """Another server of the pool."""

    names: tuple[str, ...]
    connected: bool
    state: str = ""


@dataclass(frozen=True, slots=True)
class Brick:
    """A directory that a volume is made of."""

    name: str
    """``host:/path``."""
    is_arbiter: bool = False


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume as it was made."""

    name: str
    status: str
    replicas: int = 0
    arbiters: int = 0
    bricks: tuple[Brick, ...] = ()


@dataclass(frozen=True, slots=True)
class Healing:
    """What one brick has left to heal."""

    brick: str
    status: str
    entries: int | None = None
    """None where the program could not count."""


@dataclass(frozen=True, slots=True)
class Gluster:
    """All of it, from one server; what could not be had is None."""

    version: str = ""
    peers: tuple[Peer, ...] | None = None
    volumes: tuple[Volume, ...] | None = None
    online: dict[str, bool] | None = None
    """Whether the process of a brick runs, by the brick's name."""
    healing: tuple[Healing, ...] | None = None
    words: dict[str, str] = field(default_factory=dict)
    """What the program said where it could not answer, by question."""


def parse_xml(text: str) -> Element:
    """The answer as a tree; raises `ValueError` on anything else, and on a definition of entities."""
    if "<!" in text:
        raise ValueError("a definition in the XML")
    try:
        root = ElementTree.fromstring(text.strip())  # noqa: S314 - no definitions, so nothing expands
    except ElementTree.ParseError as error:
        raise ValueError(f"no XML: {error}") from error
    if root.tag != "cliOutput":
        raise ValueError(f"not of gluster: {root.tag[:40]}")
    if _text(root, "opRet", "0") != "0":
        raise ValueError(_text(root, "opErrstr") or f"opRet {_text(root, 'opRet')}")
    return root


def peers_of(root: Element) -> tuple[Peer, ...]:
    """Answer of ``peer status``."""
    return tuple(
        Peer(
            tuple(dict.fromkeys(each.text or "" for each in peer.iter("hostname"))),
            _text(peer, "connected") == "1",
            _text(peer, "stateStr"),
        )
        for peer in root.iter("peer")
    )


def volumes_of(root: Element) -> tuple[Volume, ...]:
    """Answer of ``volume info``."""
    return tuple(
        Volume(
            _text(volume, "name"),
            _text(volume, "statusStr"),
            _count(_text(volume, "replicaCount")),
            _count(_text(volume, "arbiterCount")),
            tuple(
                Brick(_text(brick, "name") or (brick.text or "").strip(), _text(brick, "isArbiter") == "1")
                for brick in volume.findall("bricks/brick")
            ),
        )
        for volume in root.iter("volume")
    )


def online_of(root: Element) -> dict[str, bool]:
    """Answer of ``volume status``: the bricks, without the daemons that have no path of their own."""
    return {
        f"{_text(node, 'hostname')}:{_text(node, 'path')}": _text(node, "status") == "1"
        for node in root.iter("node")
        if _text(node, "path").startswith("/")
    }


def healing_of(root: Element) -> tuple[Healing, ...]:
    """Answer of ``volume heal NAME info``."""
    return tuple(
        Healing(_text(brick, "name"), _text(brick, "status"), _entries(_text(brick, "numberOfEntries", "-")))
        for brick in root.iter("brick")
    )


def _entries(text: str) -> int | None:
    return _count(text) if text.isascii() and text.isdigit() else None


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0


def _text(element: Element, name: str, absent: str = "") -> str:
    found = element.find(name)
    return (found.text or "").strip() if found is not None else absent
