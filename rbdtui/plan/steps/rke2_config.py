"""RKE2's configuration on a node: config.yaml, and registries.yaml where the profile needs one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.plan.cluster import CONFIG_FILE, REGISTRIES_FILE, TOKEN_SECRET, rke2_settings, yaml_of, yaml_scalar
from rbdtui.plan.content import Content, SecretRef, fill, fill_asset
from rbdtui.plan.resources.base import Resource
from rbdtui.plan.resources.files import ManagedFile, header
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.base import ResourceStep
from rbdtui.spec.model import Profile


def config_yaml(context: StepContext, node_name: str) -> Content:
    """``/etc/rancher/rke2/config.yaml`` of a node."""
    spec = context.spec
    settings = yaml_of(rke2_settings(spec, spec.node(node_name))).replace("$", "$$")
    template = f"{header(spec.name)}\ntoken: $token\n{settings}"
    return fill(template, {"token": SecretRef(TOKEN_SECRET)}, lambda name: yaml_scalar(context.secret(name)))


def registries_yaml(context: StepContext) -> Content | None:
    """``/etc/rancher/rke2/registries.yaml``, or None for a profile that has no registry of its own.

    Name, user and password are the constants of Rainbond 6's built-in registry (goodrain/rainbond-console,
    script/install-cluster.sh).
    """
    if context.spec.profile is not Profile.RAINBOND_6:
        return None
    return fill_asset("registries.yaml", {"header": header(context.spec.name)}, context.secret)


@dataclass(frozen=True, slots=True)
class ConfigureRke2(ResourceStep):
    """Write RKE2's configuration."""

    name: ClassVar[str] = "rke2-config"

    def resources(self, context: StepContext) -> Sequence[Resource]:
        """One or two files, root's alone: both hold a password."""
        files = [ManagedFile(CONFIG_FILE, config_yaml(context, self.node), mode=0o600)]
        if registries := registries_yaml(context):
            files.append(ManagedFile(REGISTRIES_FILE, registries, mode=0o600))
        return files
