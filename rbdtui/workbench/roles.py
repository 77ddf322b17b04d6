"""Who does what: roles given and taken, ready-made divisions of work, and what is left when a node dies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Final

from rbdtui.findings import Finding, Place
from rbdtui.profiles import USUAL, profile_named
from rbdtui.roles import OUTSIDE
from rbdtui.spec.model import ApiMode, ClusterSpec, GatewayMode, Role, made_sections
from rbdtui.spec.rules import check_rules
from rbdtui.spec.values import NAME_PATTERN
from rbdtui.workbench.draft.draft import Data, Draft
from rbdtui.workbench.draft.operations import field_of, nodes_in, put, uses_builds, value_at
from rbdtui.workbench.sections import ROLES, findings_in


class Preset(StrEnum):
    """Ready-made divisions of work."""

    ALL_IN_ONE = "all-in-one"
    """Three servers that do everything; further nodes are workers."""
    SERVERS_AND_AGENTS = "servers-and-agents"
    """Three servers with the VIP and nothing else; applications run on the rest."""
    SEPARATE_GATEWAYS = "separate-gateways"
    """Three servers, two gateways with the VIP, and workers."""


LEAST_NODES: Final[Mapping[Preset, int]] = {
    Preset.ALL_IN_ONE: 3,
    Preset.SERVERS_AND_AGENTS: 4,
    Preset.SEPARATE_GATEWAYS: 6,
}
_SERVER: Final = (Role.CONTROL_PLANE, Role.ETCD)
COUNT_RULES: Final[Mapping[Role, tuple[str, ...]]] = {
    Role.CONTROL_PLANE: ("RBD-TOPO-001", "RBD-TOPO-006"),
    Role.ETCD: ("RBD-TOPO-002", "RBD-TOPO-003", "RBD-TOPO-004", "RBD-TOPO-005"),
    Role.GATEWAY: ("RBD-GATEWAY-001", "RBD-GATEWAY-002", "RBD-GATEWAY-008"),
    Role.BUILD: ("RBD-TOPO-009",),
    Role.BALANCER: ("RBD-GATEWAY-010", "RBD-GATEWAY-011"),
    Role.SERVICE: ("RBD-MADE-002",),
}
"""Codes of the rules on how many nodes have a role."""
LOSS_RULES: Final = "RBD-LOSS-"
"""How the codes of warnings begin that tell what is lost with a node."""


@dataclass(frozen=True, slots=True)
class RoleChange:
    """What a preset makes of one node."""

    node: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def changes(self) -> bool:
        """Whether it is anything new."""
        return set(self.before) != set(self.after)


def roles_of(node: Mapping[str, object]) -> list[str]:
    """The roles of a node as they stand there."""
    roles = node.get("roles")
    return [str(role) for role in roles] if isinstance(roles, list) else []


def toggle_role(data: Data, index: int, role: str) -> None:
    """Give a node a role or take it away; roles stand in their usual order."""
    node = value_at(data, f"nodes[{index}]")
    if isinstance(node, dict):
        held = roles_of(node)
        node["roles"] = _in_order([each for each in held if each != role] if role in held else [*held, role])


def toggle_roles(data: Data, indexes: Sequence[int], role: str) -> None:
    """Give several nodes a role, or take it from all of them when all have it: afterwards they are the same."""
    nodes = dict(nodes_in(data))
    meant = [index for index in indexes if index in nodes]
    wanted = not all(role in roles_of(nodes[index]) for index in meant)
    for index in meant:
        if (role in roles_of(nodes[index])) is not wanted:
            toggle_role(data, index, role)


def _in_order(roles: Sequence[str]) -> list[str]:
    order = [role.value for role in Role]
    known = [role for role in order if role in roles]
    return [*known, *(role for role in roles if role not in order)]


def preset_changes(data: Data, preset: Preset) -> list[RoleChange]:
    """What a preset would make of every node, in the order of the list."""
    return [
        RoleChange(field_of(node, "name"), tuple(roles_of(node)), tuple(_in_order(roles)))
        for (_, node), roles in zip(nodes_in(data), _preset_roles(data, preset), strict=True)
    ]


def preset_leaves_vip(data: Data, preset: Preset) -> bool:
    """Whether a preset takes the API off the VIP, because the gateways would run no control plane."""
    mode = value_at(data, "kubernetes.api.mode") or ApiMode.VIP.value
    balanced = value_at(data, "gateway.mode") == GatewayMode.HAPROXY.value
    return preset is Preset.SEPARATE_GATEWAYS and mode == ApiMode.VIP.value and not balanced


def apply_preset(data: Data, preset: Preset) -> None:
    """Give every node the roles of a preset; one beside Kubernetes stays what it is."""
    roles = _preset_roles(data, preset)
    if preset_leaves_vip(data, preset):
        put(data, "kubernetes.api.mode", ApiMode.FIRST_SERVER.value)
        put(data, "kubernetes.api.address", "")
    for (_, node), given in zip(nodes_in(data), roles, strict=True):
        node["roles"] = _in_order(given)


def _preset_roles(data: Data, preset: Preset) -> list[list[str]]:
    build = (Role.BUILD,) if uses_builds(data) else ()
    parts: dict[Preset, list[tuple[Role, ...]]] = {
        Preset.ALL_IN_ONE: [(*_SERVER, Role.WORKER, Role.GATEWAY, *build)] * 3,
        Preset.SERVERS_AND_AGENTS: [(*_SERVER, Role.GATEWAY)] * 3 + [(Role.WORKER, *build)] * 2,
        Preset.SEPARATE_GATEWAYS: [_SERVER] * 3 + [(Role.GATEWAY,)] * 2 + [(Role.WORKER, *build)] * 2,
    }
    given, place, roles = parts[preset], 0, []
    for _, node in nodes_in(data):
        if not OUTSIDE.isdisjoint(held := roles_of(node)):
            roles.append(held)
            continue
        roles.append([role.value for role in (given[place] if place < len(given) else (Role.WORKER,))])
        place += 1
    return roles


@dataclass(frozen=True, slots=True)
class Sketch:
    """A spec that has what can be known of roles while names and addresses are still wrong."""

    spec: ClusterSpec
    names: Mapping[int, str]
    """How it calls a node, by its place in the list."""


def sketch(data: Data) -> Sketch | None:
    """The sketch of a draft; None when no node has a role."""
    names: dict[int, str] = {}
    nodes = []
    for place, node in nodes_in(data):
        if roles := [role for role in roles_of(node) if role in set(Role)]:
            own = field_of(node, "name")
            names[place] = own if re.fullmatch(NAME_PATTERN, own) and own not in names.values() else f"no-{place + 1}"
            nodes.append({"name": names[place], "address": str(IPv4Address(place + 1)), "roles": roles})
    if not nodes:
        return None
    spec = {
        "apiVersion": "rbdtui/v1", "name": "sketch", "bundle": "/", "nodes": nodes,
        "profile": profile_named(data.get("profile")) or USUAL,
        "kubernetes": {"api": {"mode": _known(ApiMode, value_at(data, "kubernetes.api.mode"))}},
        "gateway": {"mode": _known(GatewayMode, value_at(data, "gateway.mode"))},
        **_makers(data, {field_of(node, "name"): names[place] for place, node in nodes_in(data) if place in names}),
    }  # fmt: skip
    return Sketch(ClusterSpec.model_validate(spec), names)


def _makers(data: Data, sketched: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The sections that make a service on a node, with the names that the sketch has for it."""
    made = {}
    for name, kind in made_sections().items():
        mode = str(value_at(data, f"{name}.mode"))
        if keys := kind.MADE_ON.get(mode, ()):
            nodes = {key: sketched.get(str(value_at(data, f"{name}.{key}")), "") for key in keys}
            made[name] = {"mode": mode, **{key: node for key, node in nodes.items() if node}}
    return made


def _known(kind: type[StrEnum], value: object) -> str:
    """The value, else the first of its kind, which is the default of all of them."""
    return str(value) if value in set(kind) else next(iter(kind)).value


def role_findings(draft: Draft) -> list[Finding]:
    """What is wrong with who does what, also while names and addresses are."""
    found = findings_in(draft.findings, ROLES)
    known = sketch(draft.data) if draft.spec is None else None
    if known is None:
        return found
    codes = {finding.code for finding in found}
    drawn = findings_in(check_rules(known.spec, Place), ROLES)
    places = list(known.names)
    return [*found, *(_moved(finding, places) for finding in drawn if finding.code not in codes)]


def _moved(finding: Finding, places: Sequence[int]) -> Finding:
    """A finding on a sketch, with the node's place in the draft."""

    def place(match: re.Match[str]) -> str:
        return f"nodes[{places[int(match[1])]}]"

    return replace(finding, place=Place(field=re.sub(r"^nodes\[([0-9]+)\]", place, finding.place.field)))
