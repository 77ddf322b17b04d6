"""An Ansible inventory, whichever way it is written: hosts, groups, variables, and what they mean for a site.

KubeSphere's and kubespray's inventories are such, with groups of their own names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from rbdtui.importers.ansible_settings import setting_of, why_not
from rbdtui.importers.hosts_of import bastion_at, node_at
from rbdtui.importers.imported import MOST_SERVERS, ImportedBastion, ImportedNode, LineError, Notes, Setting
from rbdtui.importers.lists.ranges import port_of
from rbdtui.roles import Role
from rbdtui.spec.values import is_ipv4
from rbdtui.terminal_text import clean_line
from rbdtui.words import T

ROLE_GROUPS: Final[Mapping[str, Role]] = {
    "kube-control-plane": Role.CONTROL_PLANE, "kube-master": Role.CONTROL_PLANE, "control-plane": Role.CONTROL_PLANE,
    "kube-masters": Role.CONTROL_PLANE, "k8s-control-plane": Role.CONTROL_PLANE, "k8s-master": Role.CONTROL_PLANE,
    "k8s-masters": Role.CONTROL_PLANE, "master": Role.CONTROL_PLANE, "masters": Role.CONTROL_PLANE,
    "controller": Role.CONTROL_PLANE, "controllers": Role.CONTROL_PLANE, "server": Role.CONTROL_PLANE,
    "servers": Role.CONTROL_PLANE, "rke2-servers": Role.CONTROL_PLANE, "k3s-server": Role.CONTROL_PLANE,
    "etcd": Role.ETCD,
    "kube-node": Role.WORKER, "kube-nodes": Role.WORKER, "kube-worker": Role.WORKER, "k8s-node": Role.WORKER,
    "k8s-nodes": Role.WORKER, "k8s-worker": Role.WORKER, "k8s-workers": Role.WORKER, "worker": Role.WORKER,
    "workers": Role.WORKER, "node": Role.WORKER, "nodes": Role.WORKER, "agent": Role.WORKER, "agents": Role.WORKER,
    "rke2-agents": Role.WORKER,
    "gateway": Role.GATEWAY, "gateways": Role.GATEWAY, "rbd-gateway": Role.GATEWAY,
    "build": Role.BUILD, "builder": Role.BUILD, "builders": Role.BUILD, "rbd-chaos": Role.BUILD, "chaos": Role.BUILD,
    "balancer": Role.BALANCER, "balancers": Role.BALANCER, "rbd-balancer": Role.BALANCER,
    "service": Role.SERVICE, "services": Role.SERVICE, "rbd-service": Role.SERVICE,
}  # fmt: skip
"""What the members of a group do, by its name with hyphens: in kubespray, KubeSphere, and roles for RKE2 and k3s."""
BASTION: Final = "bastion"
"""kubespray's group of the host in front of all others."""
_WITHOUT_MEANING: Final = frozenset({"all", "ungrouped", "k8s-cluster", "calico-rr", "cluster", "kubernetes", "k8s"})
_ADDRESS: Final = ("ansible_host", "ansible_ssh_host")
_INTERNAL: Final = ("ip", "access_ip")
_USER: Final = ("ansible_user", "ansible_ssh_user")
_PORT: Final = ("ansible_port", "ansible_ssh_port")
_PASSWORD: Final = ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password")
SUDO_PASSWORD: Final = (
    "ansible_become_password", "ansible_become_pass", "ansible_sudo_pass", "ansible_sudo_password",
)  # fmt: skip
_KEY: Final = ("ansible_ssh_private_key_file", "ansible_private_key_file")
_OF_A_HOST: Final = frozenset({*_ADDRESS, *_INTERNAL, *_USER, *_PORT, *_PASSWORD, *SUDO_PASSWORD, *_KEY})
_SILENT: Final = frozenset(
    {"ansible_become", "ansible_become_method", "ansible_become_user", "ansible_python_interpreter",
     "ansible_connection", "etcd_member_name", "ansible_sudo", "ansible_shell_type"}
)  # fmt: skip
"""Variables that say nothing which a site must know: sudo is used wherever the user is not root."""
_TEMPLATE: Final = re.compile(r"\{\{|\{%")
_ROOM_FOR_SHOWN: Final = 60
_DEEPEST: Final = 50
_LABELS: Final = "node_labels."


@dataclass(frozen=True, slots=True)
class Value:
    """A variable and where it stands."""

    text: str
    line: int


@dataclass(slots=True)
class Group:
    """A group of hosts and of other groups."""

    hosts: dict[str, int] = field(default_factory=dict)
    """Names in their order, each with its line."""
    children: dict[str, int] = field(default_factory=dict)
    variables: dict[str, Value] = field(default_factory=dict)


@dataclass(slots=True)
class Inventory:
    """All of it."""

    notes: Notes
    hosts: dict[str, dict[str, Value]] = field(default_factory=dict)
    """Variables by host, in the order in which the hosts are met first."""
    lines: dict[str, int] = field(default_factory=dict)
    """Where each host is met first."""
    groups: dict[str, Group] = field(default_factory=dict)

    def add_host(self, group: str, name: str, line: int, variables: Mapping[str, Value]) -> None:
        """A host in a group; what is said of it later counts, and that it was said otherwise before is noted."""
        if name not in self.hosts and self.is_full:
            self.notes.refuse_more(line, 1)
            return
        self.lines.setdefault(name, line)
        self._set(self.hosts.setdefault(name, {}), variables, name)
        self.group(group).hosts.setdefault(name, line)

    def set_of_group(self, name: str, variables: Mapping[str, Value]) -> None:
        """Variables of a group, as those of a host."""
        self._set(self.group(name).variables, variables, name)

    def _set(self, known: dict[str, Value], variables: Mapping[str, Value], owner: str) -> None:
        """Merge as Ansible does; two servers that were given one name by mistake would become one without a word."""
        for key, value in variables.items():
            before = known.get(key)
            if before is not None and before.text != value.text:
                where, shown = clean_line(owner, _ROOM_FOR_SHOWN), clean_line(key, _ROOM_FOR_SHOWN)
                self.notes.remark(value.line, where, T("import.twice", key=shown, line=before.line))
            known[key] = value

    @property
    def is_full(self) -> bool:
        """Whether no further host is taken."""
        return len(self.hosts) >= MOST_SERVERS

    def group(self, name: str) -> Group:
        """The group of that name, made where it is new."""
        return self.groups.setdefault(name, Group())

    def members(self, name: str, _above: frozenset[str] = frozenset()) -> Iterator[str]:
        """The hosts of a group and of those below it; a group that holds itself ends there."""
        group = self.groups.get(name)
        if group is None or name in _above or len(_above) > _DEEPEST:
            return
        yield from group.hosts
        for child in group.children:
            yield from self.members(child, _above | {name})

    def read(self) -> tuple[list[ImportedNode], dict[str, Setting]]:
        """The servers and the settings; everything else becomes notes."""
        membership = {name: dict.fromkeys(self.members(name)) for name in self.groups}
        variables = self._variables(membership)
        bastions = self._bastions(membership, variables)
        roles = self._roles(membership)
        outside = set(membership.get(BASTION, ())) - {host for hosts in roles.values() for host in hosts}
        nodes = [
            node
            for name in self.hosts
            if name not in outside
            and (node := self._node(name, variables[name], bastions, self._roles_of(name, roles))) is not None
        ]
        return nodes, self._settings()

    def _variables(self, membership: Mapping[str, Mapping[str, None]]) -> dict[str, dict[str, Value]]:
        """What holds for each host: of all, then of its groups, the smaller the stronger, then its own."""
        ordered = sorted(self.groups, key=lambda name: (name != "all", -len(membership[name])))
        found: dict[str, dict[str, Value]] = {name: {} for name in self.hosts}
        for group in ordered:
            values = self.groups[group].variables
            for host in self.hosts if group == "all" and values else membership[group] if values else ():
                found[host].update(values)
        for host, values in self.hosts.items():
            found[host].update(values)
        return found

    def _roles(self, membership: Mapping[str, Mapping[str, None]]) -> dict[Role, dict[str, None]]:
        """Who has each role; servers hold etcd where no group says who does."""
        roles: dict[Role, dict[str, None]] = {}
        for group, hosts in membership.items():
            name = group.lower().replace("_", "-")
            role = ROLE_GROUPS.get(name)
            if role is not None:
                roles.setdefault(role, {}).update(hosts)
            elif hosts and name != BASTION and name not in _WITHOUT_MEANING and not self._is_parent(group):
                line = min(self.groups[group].hosts.values(), default=0)
                self.notes.remark(line, clean_line(group, _ROOM_FOR_SHOWN), T("import.unknown_group"))
        if Role.CONTROL_PLANE in roles and Role.ETCD not in roles:
            roles[Role.ETCD] = roles[Role.CONTROL_PLANE]
        return roles

    def _is_parent(self, group: str) -> bool:
        """Whether a group only brings others together."""
        return bool(self.groups[group].children) and not self.groups[group].hosts

    def _roles_of(self, name: str, roles: Mapping[Role, Mapping[str, None]]) -> tuple[str, ...]:
        own = tuple(role.value for role in Role if name in roles.get(role, {}))
        if not own and roles:
            self.notes.remark(self.lines[name], clean_line(name, _ROOM_FOR_SHOWN), T("import.in_no_group"))
            return (Role.WORKER.value,)
        return own

    def _bastions(
        self, membership: Mapping[str, Mapping[str, None]], variables: Mapping[str, Mapping[str, Value]]
    ) -> tuple[ImportedBastion, ...]:
        for name in membership.get(BASTION, ()):
            values = variables[name]
            address = _text(values, _ADDRESS) or name
            return bastion_at(
                self.notes, self.lines[name], address=address, user=_text(values, _USER),
                port=self._port(name, values), key=_text(values, _KEY), password=_text(values, _PASSWORD),
            )  # fmt: skip
        return ()

    def _node(
        self, name: str, values: Mapping[str, Value], bastions: tuple[ImportedBastion, ...], roles: tuple[str, ...]
    ) -> ImportedNode | None:
        line, shown = self.lines[name], clean_line(name, _ROOM_FOR_SHOWN)
        self._tell_of_host(name, shown)
        usable = {key: value for key, value in values.items() if not _TEMPLATE.search(value.text)}
        for key in _OF_A_HOST & (values.keys() - usable.keys()):
            self.notes.remark(values[key].line, f"{shown}: {key}", T("import.template"))
        outer, inner = _text(usable, _ADDRESS), _text(usable, _INTERNAL)
        local = usable.get("ansible_connection", Value("", 0)).text == "local"
        if local:
            outer = inner if is_ipv4(inner) else outer
            self.notes.remark(line, shown, T("import.local"))
        address = (
            outer if outer and (is_ipv4(outer) or not is_ipv4(inner)) else inner or (name if is_ipv4(name) else "")
        )
        return node_at(
            self.notes, line, name="" if name == address else name, address=address, internal=inner,
            user=_text(usable, _USER), port=self._port(name, usable), key=_text(usable, _KEY),
            password=_text(usable, _PASSWORD), sudo_password=_text(usable, SUDO_PASSWORD), bastions=bastions,
            roles=roles, labels=_labels(usable),
        )  # fmt: skip

    def _port(self, name: str, values: Mapping[str, Value]) -> int | None:
        value = next((values[key] for key in _PORT if key in values), None)
        try:
            return port_of(value.text) if value is not None and value.text else None
        except LineError as error:
            assert value is not None
            self.notes.remark(value.line, clean_line(name, _ROOM_FOR_SHOWN), error.why)
            return None

    def _tell_of_host(self, name: str, shown: str) -> None:
        """Say which variables of a host mean nothing here."""
        for key, value in self.hosts[name].items():
            if key not in _OF_A_HOST and key not in _SILENT and not key.startswith(_LABELS):
                self.notes.remark(value.line, f"{shown}: {clean_line(key, _ROOM_FOR_SHOWN)}", T("import.no_place"))

    def _settings(self) -> dict[str, Setting]:
        """What variables of groups say of the whole site."""
        settings: dict[str, Setting] = {}
        for group in self.groups.values():
            for key, value in group.variables.items():
                if key in _OF_A_HOST or key in _SILENT or key.startswith(_LABELS):
                    continue
                found = setting_of(key, value.text)
                if found is None or _TEMPLATE.search(value.text):
                    self.notes.remark(value.line, clean_line(key, _ROOM_FOR_SHOWN), why_not(key))
                else:
                    settings.update(found)
        return settings


def _labels(values: Mapping[str, Value]) -> list[tuple[str, str]]:
    """kubespray's ``node_labels``."""
    return [(key.removeprefix(_LABELS), value.text) for key, value in values.items() if key.startswith(_LABELS)]


def _text(values: Mapping[str, Value], keys: tuple[str, ...]) -> str:
    """The first of several variables that is there."""
    return next((values[key].text for key in keys if key in values and values[key].text), "")
