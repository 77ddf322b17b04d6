"""Changes to the plain data of a draft, as an operator means them; whatever stands in the data, none of them raises.

Each is meant for `Workbench.change`, which judges the result and makes it one step of undo.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, cast

from rbdtui.profiles import USUAL, profile_named
from rbdtui.roles import OUTSIDE
from rbdtui.spec.fields import steps_of
from rbdtui.spec.model import Distribution, GatewayMode, Role, made_sections
from rbdtui.spec.section_at import default_at, is_used, modes_at
from rbdtui.spec.sections.mysql import MysqlMode
from rbdtui.spec.values import MAX_NODES, is_ipv4
from rbdtui.workbench.draft.draft import Data

LEAST_FOR_QUORUM: Final = 3

Value = str | int | bool
NodeData = dict[str, object]


# --- fields ----------------------------------------------------------------------------------------------------


def value_at(data: Data, path: str) -> object:
    """The value of a field; None when there is none."""
    current: object = data
    for step in steps_of(path):
        if isinstance(current, dict) and isinstance(step, str):
            current = current.get(step)
        elif isinstance(current, list) and isinstance(step, int) and step < len(current):
            current = current[step]
        else:
            return None
    return current


def text_at(data: Data, path: str) -> str:
    """The value of a field as a form shows it; empty for none, a section or a list."""
    value = value_at(data, path)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None or isinstance(value, dict | list) else str(value)


def put(data: Data, path: str, value: Value | list[str] | list[dict[str, str]] | dict[str, object]) -> None:
    """Give a field a value and make the sections on the way; an empty text takes it out, with emptied sections."""
    *sections, last = steps_of(path)
    parents: list[tuple[object, str | int]] = []
    current: object = data
    for step in sections:
        below = _below(current, step)
        if not isinstance(below, dict | list):
            if value == "" or not isinstance(current, dict):
                return
            below = current[step] = {}
        parents.append((current, step))
        current = below
    if not isinstance(current, dict):
        return
    if value != "":
        current[last] = value
        return
    current.pop(last, None)
    for parent, step in reversed(parents):
        if isinstance(parent, dict) and parent.get(step) == {}:
            del parent[step]


def _below(current: object, step: str | int) -> object:
    if isinstance(current, dict):
        return current.get(step)
    if isinstance(current, list) and isinstance(step, int) and step < len(current):
        return current[step]
    return None


def number_or_text(text: str) -> str | int:
    """What was typed into a field that wants a number: kept as text when it is none, so that it can be judged."""
    text = text.strip()
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) else text


# --- nodes -----------------------------------------------------------------------------------------------------


def nodes_in(data: Data) -> list[tuple[int, NodeData]]:
    """The nodes with their places in the list; what is no section is left out."""
    listed = data.get("nodes")
    return [
        (index, node) for index, node in enumerate(listed if isinstance(listed, list) else []) if isinstance(node, dict)
    ]


def _list(data: Data) -> list[object]:
    """The list of nodes to be changed."""
    if not isinstance(data.get("nodes"), list):
        data["nodes"] = []
    return cast("list[object]", data["nodes"])


def room_for_nodes(data: Data) -> int:
    """How many nodes can still be added."""
    listed = data.get("nodes")
    return max(0, MAX_NODES - (len(listed) if isinstance(listed, list) else 0))


def field_of(node: Mapping[str, object], name: str) -> str:
    """A field of a node as it is shown: ``name``, ``address``, ``ssh.user``…"""
    current: object = node
    for step in name.split("."):
        current = current.get(step) if isinstance(current, Mapping) else None
    return "" if current is None or isinstance(current, dict | list) else str(current)


def names_in(data: Data) -> set[str]:
    """Names that are taken."""
    return {name for _, node in nodes_in(data) if (name := field_of(node, "name"))}


_LAST_NUMBER: Final = re.compile(r"[0-9]{1,9}\Z")


def following_name(taken: Iterable[str], like: str = "") -> str:
    """A free name that goes on counting where ``like`` stands, by default at node1."""
    used = set(taken)
    match = _LAST_NUMBER.search(like)
    digits = match[0] if match is not None else ""
    stem = like.removesuffix(digits) if digits else like or "node"
    number = int(digits) + 1 if digits else 1 if not like else 2
    while (name := f"{stem}{number:0{len(digits)}d}") in used:
        number += 1
    return name


def add_node(data: Data) -> None:
    """Add a node behind the last one, still to be given an address."""
    known = [field_of(node, "name") for _, node in nodes_in(data)]
    append_node(data, {"name": following_name(known, known[-1] if known else "")})


def append_node(data: Data, node: NodeData) -> None:
    """Add a node behind the last one, with the usual roles unless it brings its own."""
    listed = _list(data)
    node.setdefault("roles", usual_roles(data, len(listed)))
    listed.append({key: node[key] for key in _KEYS if key in node})


def usual_roles(data: Data, position: int) -> list[str]:
    """What a node at this place of the list does unless it is told otherwise: three servers, then workers."""
    if position >= LEAST_FOR_QUORUM:
        return [Role.WORKER.value]
    return [role.value for role in Role if role not in OUTSIDE and (role is not Role.BUILD or uses_builds(data))]


def uses_balancers(data: Data) -> bool:
    """Whether HAProxy on servers of its own is to stand in front of the cluster."""
    return text_at(data, "gateway.mode") == GatewayMode.HAPROXY.value


def uses_services(data: Data) -> bool:
    """Whether the plan makes a service on a server."""
    return any(text_at(data, f"{name}.mode") in kind.MADE_ON for name, kind in made_sections().items())


def uses_builds(data: Data) -> bool:
    """Whether the profile has something to do for build nodes."""
    profile = profile_named(data.get("profile", USUAL.name))
    return profile is not None and profile.has_builds


def duplicate_node(data: Data, index: int) -> None:
    """Add a node like another behind it, with a name of its own and no address yet."""
    known = value_at(data, f"nodes[{index}]")
    if not isinstance(known, dict):
        return
    node: NodeData = copy.deepcopy(known)
    node["name"] = following_name(names_in(data), field_of(node, "name"))
    for own in ("address", "internal_address", "external_address"):
        node.pop(own, None)
    _list(data).insert(index + 1, node)


def remove_nodes(data: Data, indexes: Iterable[int]) -> None:
    """Take nodes out."""
    listed, gone = _list(data), set(indexes)
    listed[:] = [node for index, node in enumerate(listed) if index not in gone]


# --- addresses as they are typed -------------------------------------------------------------------------------

_WHERE: Final = re.compile(
    r"(?:(?P<user>[^@\s]{1,64})@)?(?P<address>[^@:\s]{1,64})(?::(?P<port>[0-9]{1,5}))?$", re.ASCII
)


@dataclass(frozen=True, slots=True)
class HostSpec:
    """What an operator types to say where a server is: ``[user@]address[:port]``."""

    address: str
    user: str = ""
    port: int | None = None


def where(text: str) -> HostSpec:
    """Taken apart; what does not look like it is an address as a whole, to be judged as such."""
    match = _WHERE.match(text.strip())
    if match is None:
        return HostSpec(text.strip())
    return HostSpec(match["address"], match["user"] or "", int(match["port"]) if match["port"] else None)


_ADDRESS_BEGUN: Final = re.compile(r"(?:[^@\s]{1,64}@)?[0-9]{1,3}\.[0-9.]{0,12}(?:[-:][0-9.]{0,15})?\Z", re.ASCII)


def is_address_begun(text: str) -> bool:
    """Whether a text can only be meant as an address, whole or in part: a name of a server has no dots."""
    return _ADDRESS_BEGUN.match(text.strip()) is not None


def put_where(data: Data, index: int, text: str) -> None:
    """Say where a node is; user and port are its own when they are named."""
    said = where(text)
    put_in_node(data, index, "address", said.address)
    if said.user:
        put(data, f"nodes[{index}].ssh.user", said.user)
    if said.port is not None:
        put(data, f"nodes[{index}].ssh.port", said.port)


def put_in_node(data: Data, index: int, name: str, value: str) -> None:
    """Give a node a name or an address; its keys stand in their usual order."""
    put(data, f"nodes[{index}].{name}", value)
    if isinstance(node := value_at(data, f"nodes[{index}]"), dict):
        for key in [key for key in _KEYS if key in node] + [key for key in node if key not in _KEYS]:
            node[key] = node.pop(key)


_KEYS: Final = ("name", "address", "roles", "internal_address", "external_address", "labels", "taints", "ssh")


def completed_address(data: Data, index: int, text: str) -> str:
    """A number alone is the last part of an address in the network of the node before (``14``, ``.14``)."""
    last = text.strip().removeprefix(".")
    before = _neighbour(data, index)
    if before is None or not re.fullmatch(r"[0-9]{1,3}", last, re.ASCII) or int(last) > 255:
        return text
    return f"{before.rpartition('.')[0]}.{int(last)}"


def following_address(data: Data, index: int) -> str:
    """The address after that of the node before, for a hint; empty when there is none."""
    before = _neighbour(data, index)
    if before is None:
        return ""
    taken = {field_of(node, "address") for _, node in nodes_in(data)}
    network, _, last = before.rpartition(".")
    free = (f"{network}.{number}" for number in range(int(last) + 1, 255))
    return next((address for address in free if address not in taken), "")


def _neighbour(data: Data, index: int) -> str | None:
    """The address of the nearest node above that has a valid one, else of any."""
    rows = nodes_in(data)
    above = [field_of(node, "address") for place, node in rows if place < index]
    below = [field_of(node, "address") for place, node in rows if place > index]
    return next((address for address in (*reversed(above), *below) if is_ipv4(address)), None)


class BastionMode(StrEnum):
    """How the way to a node goes."""

    SITE = "site"
    """As that to every other one."""
    OWN = "own"
    """Through a host in between of its own."""
    DIRECT = "direct"
    """Through none, although the site has one."""


def way_of(data: Data, index: int) -> BastionMode:
    """How the way to a node goes."""
    bastion = value_at(data, f"nodes[{index}].ssh.bastion")
    if bastion is None:
        return BastionMode.SITE
    return BastionMode.DIRECT if bastion == [] else BastionMode.OWN


def set_bastion_way(data: Data, index: int, way: BastionMode, aside: dict[str, object]) -> None:
    """Choose the way to a node; a host in between of its own is laid aside and comes back."""
    node = value_at(data, f"nodes[{index}]")
    if not isinstance(node, dict):
        return
    ssh = node.get("ssh")
    ssh = ssh if isinstance(ssh, dict) else {}
    if way_of(data, index) is BastionMode.OWN:
        aside["bastion"] = ssh["bastion"]
    ssh.pop("bastion", None)
    if way is not BastionMode.SITE:
        ssh["bastion"] = aside.get("bastion", {"address": ""}) if way is BastionMode.OWN else []
    node.pop("ssh", None)
    if ssh:
        node["ssh"] = ssh


# --- modes -----------------------------------------------------------------------------------------------------

Stash = dict[str, object]
"""Values that a mode has no use for, by mode and path, so that they come back with the mode."""


def mode_in(data: Data, section: str) -> str:
    """The mode of a section, as it is written or by default."""
    return text_at(data, f"{section}.mode") or default_at(f"{section}.mode")


def is_existing(data: Data) -> bool:
    """Whether the cluster of a draft is there already, so that nobody logs in to its servers."""
    return text_at(data, "kubernetes.distribution") == Distribution.EXISTING.value


def has_rainbond(data: Data) -> bool:
    """Whether the profile has Rainbond."""
    profile = profile_named(data.get("profile", USUAL.name))
    return profile is not None and profile.installs_rainbond


def has_mysql_pair(data: Data) -> bool:
    """Whether a draft makes a source and a replica of MySQL."""
    return text_at(data, "mysql.mode") == MysqlMode.PAIR.value


def set_mode(data: Data, section: str, mode: str, aside: Stash) -> None:
    """Choose a mode; fields that it does not use are laid aside, those laid aside for it come back.

    A field that every mode uses keeps its value, and so does one that means the same in both modes.
    """
    model = modes_at(section)
    if model is None:
        return
    before = mode_in(data, section)
    put(data, f"{section}.mode", mode)
    for name in dict.fromkeys(name for keys in model.MODES.values() for name in (*keys.needed, *keys.optional)):
        if all(name in keys for keys in model.MODES.values()):
            continue
        path, is_alike = f"{section}.{name}", name in model.ALIKE
        value = value_at(data, path)
        if value is not None and is_alike and is_used(path, mode):
            continue
        if value is not None:
            aside[path if is_alike else f"{before} {path}"] = value
            put(data, path, "")
        if is_used(path, mode) and (kept := aside.get(path if is_alike else f"{mode} {path}")) is not None:
            put(data, path, cast("Value | list[str]", kept))
