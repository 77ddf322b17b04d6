"""What was understood goes into the draft."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rbdtui.importers.imported import Hidden, ImportedBastion, ImportedNode, Setting
from rbdtui.profiles import USUAL, profile_named
from rbdtui.spec.fields import join
from rbdtui.spec.model import ApiMode, GatewayMode, Role
from rbdtui.spec.values import SECRET_PREFIX
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.operations import (
    NodeData,
    append_node,
    field_of,
    nodes_in,
    put,
    put_in_node,
    room_for_nodes,
    value_at,
)
from rbdtui.workbench.pasting.reading import read_pasted
from rbdtui.workbench.pasting.taken import Pasted
from rbdtui.workbench.roles import roles_of

SecretNames = Mapping[Hidden, str]
"""The name in the vault of each secret that was found."""
_SSH_KEYS: Final = ("user", "port", "key", "password", "sudo_password", "bastion")


def add_pasted(data: Data, pasted: Pasted, secrets: SecretNames | None = None) -> None:
    """Put what was understood into the draft; secrets without a name are left out."""
    forget_example(data, pasted)
    logins = [_login(node, secrets or {}) for node in pasted.nodes]
    if pasted.updating:
        _hoist_what_all_share(data, pasted, logins)
    places = {field_of(node, "name"): index for index, node in nodes_in(data)}
    for node, login in zip(pasted.nodes, logins, strict=True):
        place = places.get(pasted.updated.get(node.name, node.name if node.name in pasted.filled else ""))
        if place is not None:
            _update(data, place, node, login)
        elif room_for_nodes(data):
            append_node(data, _as_data(node, login))
    for path, value in pasted.settings.items():
        _put_setting(data, path, value, secrets or {})
    if pasted.replaces_example or "kubernetes.api.mode" in pasted.settings:
        _drop_needless_vip(data)


def _drop_needless_vip(data: Data) -> None:
    """Without a gateway among the nodes nobody could hold a VIP, and a balancer before the API needs none.

    It stays where applications come in through gateways: then who holds it is still to be said.
    """
    profile = profile_named(data.get("profile")) or USUAL
    nodes = [node for _, node in nodes_in(data)]
    held = any(Role.GATEWAY in roles_of(node) for node in nodes)
    by_vip = value_at(data, "gateway.mode") in (None, "", GatewayMode.KEEPALIVED)
    by_balancer = value_at(data, "kubernetes.api.mode") == ApiMode.EXTERNAL
    if nodes and by_balancer and by_vip and not (held or profile.has_gateway):
        data["gateway"] = {"mode": GatewayMode.NONE.value}


def put_addresses(data: Data, index: int, addresses: Sequence[str]) -> None:
    """Give a node the first of several addresses, and add nodes for the others."""
    put_in_node(data, index, "address", addresses[0])
    add_pasted(data, read_pasted("\n".join(addresses[1:]), data))


def forget_example(data: Data, pasted: Pasted) -> None:
    """Where an example makes room: take its nodes out, and its way to log in if the import brings another one."""
    if not pasted.replaces_example:
        return
    data["nodes"] = []
    if any(node.password for node in pasted.nodes) and not any(node.key for node in pasted.nodes):
        put(data, "ssh.key", "")
    if any(node.user or node.password or node.sudo_password for node in pasted.nodes):
        put(data, "ssh.sudo_password", "")
        put(data, "ssh.user", "")


def references_in(value: object) -> Iterator[str]:
    """The names of secrets that a site speaks of."""
    if isinstance(value, str) and value.startswith(SECRET_PREFIX):
        yield value.removeprefix(SECRET_PREFIX)
    elif isinstance(value, dict | list):
        for below in value.values() if isinstance(value, dict) else value:
            yield from references_in(below)


def _login(node: ImportedNode, secrets: SecretNames) -> NodeData:
    """The node's section ``ssh``."""
    login: NodeData = {
        "user": node.user,
        "port": node.port,
        "key": node.key,
        "password": _reference(node.password, secrets),
        "sudo_password": _reference(node.sudo_password, secrets),
        "bastion": _bastions(node.bastions, secrets),
    }
    return {key: value for key, value in login.items() if value}


def _reference(secret: Hidden | None, secrets: SecretNames) -> str:
    return f"{SECRET_PREFIX}{secrets[secret]}" if secret is not None and secret in secrets else ""


def _bastions(bastions: Sequence[ImportedBastion], secrets: SecretNames) -> object:
    """One as a section, several as a list, as cluster.yaml has them."""
    sections: list[NodeData] = []
    for bastion in bastions:
        section: NodeData = {
            "address": bastion.address, "port": bastion.port, "user": bastion.user, "key": bastion.key,
            "password": _reference(bastion.password, secrets),
        }  # fmt: skip
        sections.append({key: value for key, value in section.items() if value})
    return sections[0] if len(sections) == 1 else sections


def _hoist_what_all_share(data: Data, pasted: Pasted, logins: Sequence[NodeData]) -> None:
    """Say once for the site what is the same for all nodes; of what the site says already no node speaks again."""
    there = {field_of(node, "name") for _, node in nodes_in(data)}
    alone = bool(logins) and there <= {*pasted.updated.values(), *pasted.filled}
    for key in _SSH_KEYS:
        values = [login.get(key) for login in logins]
        if alone and values[0] and all(value == values[0] for value in values):
            _site_ssh(data)[key] = values[0]
        for login in logins:
            if key in login and login[key] == value_at(data, join("ssh", key)):
                del login[key]


def _site_ssh(data: Data) -> dict[str, object]:
    if not isinstance(data.get("ssh"), dict):
        data["ssh"] = {}
    return data["ssh"]  # type: ignore[no-any-return]


def _update(data: Data, place: int, node: ImportedNode, login: NodeData) -> None:
    """Give a node that is there what the text says; what it does not say stays."""
    for key, value in (("name", node.name), ("address", node.address)):
        if value:
            put_in_node(data, place, key, value)
    there = value_at(data, f"nodes[{place}]")
    if not isinstance(there, dict):
        return
    if node.roles:
        there["roles"] = list(node.roles)
    there.update(_of_kubernetes(node))
    if login:
        ssh = there.get("ssh")
        there["ssh"] = {**(ssh if isinstance(ssh, dict) else {}), **login}


def _as_data(node: ImportedNode, login: NodeData) -> NodeData:
    made: NodeData = {"name": node.name}
    if node.address:
        made["address"] = node.address
    if node.roles:
        made["roles"] = list(node.roles)
    made |= _of_kubernetes(node)
    return {**made, "ssh": login} if login else made


def _of_kubernetes(node: ImportedNode) -> NodeData:
    """What Kubernetes is told of the node."""
    said: NodeData = {
        "internal_address": node.internal_address, "external_address": node.external_address,
        "labels": dict(node.labels), "taints": list(node.taints),
    }  # fmt: skip
    return {key: value for key, value in said.items() if value}


def _put_setting(data: Data, path: str, value: Setting, secrets: SecretNames) -> None:
    if isinstance(value, Hidden):
        value = _reference(value, secrets)
    if value not in ("", ()):
        put(data, path, list(value) if isinstance(value, tuple) else value)


def secrets_of(pasted: Pasted) -> Iterator[tuple[str, str, Hidden]]:
    """Every secret that was found: what it is for, whose it is, and itself."""
    for node in pasted.nodes:
        if node.password is not None:
            yield "ssh", node.name, node.password
        if node.sudo_password is not None:
            yield "sudo", node.name, node.sudo_password
        for bastion in node.bastions:
            if bastion.password is not None:
                yield "bastion", bastion.address, bastion.password
    for path, value in pasted.settings.items():
        if isinstance(value, Hidden):
            use = "sudo" if path.endswith(".sudo_password") else path.removesuffix(".password").rpartition(".")[2]
            yield use, path, value


def name_secrets(pasted: Pasted, vault: Mapping[str, str], data: Data) -> dict[Hidden, str]:
    """A name in the vault for each secret: one that holds it already, else a free one after its use and owner.

    A name that the site speaks of and the vault lacks is not free: it is another secret that is still to come.
    """
    names: dict[Hidden, str] = {}
    taken: dict[str, str | None] = {**dict.fromkeys(references_in(data)), **vault}
    for use, owner, secret in secrets_of(pasted):
        if secret in names:
            continue
        wanted = [use, _secret_name(f"{use}-{owner}")]
        numbered = (f"{use}-{number}" for number in range(2, len(taken) + 3))
        name = next(name for name in (*wanted, *numbered) if taken.get(name, secret.value) == secret.value)
        names[secret], taken[name] = name, secret.value
    return names


def _secret_name(text: str) -> str:
    """As a name in the vault may be."""
    return re.sub(r"[^a-z0-9.-]+", "-", text.lower())[:63]
