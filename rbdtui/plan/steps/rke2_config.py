"""RKE2's configuration on a node: config.yaml, and registries.yaml where the profile needs one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from rbdtui.checks.hosts.canal import pods_interface
from rbdtui.plan.cluster import (
    AGENT_TOKEN_SECRET,
    CONFIG_FILE,
    REGISTRIES_FILE,
    TOKEN_SECRET,
    rke2_settings,
    yaml_of,
    yaml_scalar,
)
from rbdtui.plan.content import Content, SecretRef, plain
from rbdtui.plan.identity import Joining, joining_of
from rbdtui.plan.registries import CA_FILE, registries_yaml, registry_ca
from rbdtui.plan.resources.base import Looked, Resource, Target, look_at
from rbdtui.plan.resources.files import ManagedFile, header
from rbdtui.plan.step import Pending, StepContext, StepError
from rbdtui.plan.steps.base import StepOfResources
from rbdtui.spec.model import ClusterSpec

CANAL_FILE: Final = "/var/lib/rancher/rke2/server/manifests/rbdtui-canal.yaml"
"""What lies in this directory of a server RKE2 applies by itself."""


def config_yaml(context: StepContext, node_name: str, joining: Joining) -> Content:
    """``/etc/rancher/rke2/config.yaml`` of a node; while there is no cluster to join, it only looks like it will.

    Agents get a token of their own, which makes nobody a server. Whoever joins gets the full form, which names the
    cluster's CA; the first server cannot, because RKE2 makes the CA at its first start.
    """
    spec = context.spec
    node = spec.node(node_name)
    facts = context.facts.get(node_name)
    enforces_selinux = facts is not None and facts.selinux == "enforcing"
    tokens = {"token": _Token.of(node.is_server, joining)}
    if node.is_server:
        tokens["agent-token"] = _Token(AGENT_TOKEN_SECRET)
    settings = yaml_of(rke2_settings(spec, node, begins=joining.begins, selinux=enforces_selinux))
    shown = "".join(f"{key}: {token}\n" for key, token in tokens.items())
    actual = "".join(f"{key}: {yaml_scalar(token.value(context))}\n" for key, token in tokens.items())
    first_line = header(spec.name)
    return Content(f"{first_line}\n{shown}{settings}", f"{first_line}\n{actual}{settings}".encode(), has_secret=True)


@dataclass(frozen=True, slots=True)
class _Token:
    """A token as it stands in a configuration."""

    secret: str
    """Name of its password in the vault."""
    user: str = ""
    """Of the full form; empty for the short one."""
    ca: str = ""

    @classmethod
    def of(cls, is_server: bool, joining: Joining) -> _Token:
        """What a node joins with."""
        if joining.begins:
            return cls(TOKEN_SECRET)
        return cls(TOKEN_SECRET, "server", joining.ca) if is_server else cls(AGENT_TOKEN_SECRET, "node", joining.ca)

    def value(self, context: StepContext) -> str:
        """What RKE2 reads."""
        password = context.secret(self.secret)
        return f"K10{self.ca}::{self.user}:{password}" if self.user else password

    def __str__(self) -> str:
        return f"K10…::{self.user}:{SecretRef(self.secret)}" if self.user else str(SecretRef(self.secret))


def canal_yaml(spec: ClusterSpec, interface: str) -> Content:
    """What tells RKE2's own chart of canal which card carries the pods' network, as a HelmChartConfig."""
    return plain(
        f"{header(spec.name)}\napiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\n"
        "metadata:\n  name: rke2-canal\n  namespace: kube-system\n"
        f"spec:\n  valuesContent: |-\n    flannel:\n      iface: {yaml_scalar(interface)}\n"
    )


@dataclass(frozen=True, slots=True)
class ConfigureRke2(StepOfResources):
    """Write RKE2's configuration; of a node that joins, once there is a cluster."""

    name: ClassVar[str] = "rke2-config"

    async def pending(self, context: StepContext) -> Pending[tuple[Looked, ...]]:
        """The files, and the cluster to join while no server can say which CA it has."""
        joining = await joining_of(context, self.node)
        pending = await look_at(Target.of(context, self.node), self._files(context, joining))
        if joining.begins or joining.ca or pending.is_done:
            return pending
        return replace(pending, waits=StepError("no_cluster_ca", node=self.node, retryable=True))

    async def apply(self, context: StepContext, pending: Pending[tuple[Looked, ...]]) -> None:
        """Write them; raises `StepError` when there is no cluster to join yet."""
        if pending.waits is not None:
            raise pending.waits
        await StepOfResources.apply(self, context, pending)

    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """One to four files; the two that hold a password are root's alone."""
        return self._files(context, await joining_of(context, self.node))

    def _files(self, context: StepContext, joining: Joining) -> list[ManagedFile]:
        files = [ManagedFile(CONFIG_FILE, config_yaml(context, self.node, joining), mode=0o600)]
        if authority := registry_ca(context.spec, context.site_dir):
            files.append(ManagedFile(CA_FILE, authority))
        if registries := registries_yaml(context.spec, context.secret):
            files.append(ManagedFile(REGISTRIES_FILE, registries, mode=0o600))
        interface = pods_interface(context.spec, context.facts)
        if interface and context.spec.node(self.node).is_server:
            files.append(ManagedFile(CANAL_FILE, canal_yaml(context.spec, interface), mode=0o600))
        return files
