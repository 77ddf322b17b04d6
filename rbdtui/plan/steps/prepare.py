"""What every node needs beforehand: names, kernel, a resolver file, a NetworkManager that keeps its hands off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.paths import asset
from rbdtui.plan.cluster import JOIN_NAME, etcd_nodes
from rbdtui.plan.content import plain
from rbdtui.plan.resources.base import Resource
from rbdtui.plan.resources.files import ManagedBlock, ManagedFile, header
from rbdtui.plan.resources.kernel import KernelModules, KernelParameters
from rbdtui.plan.resources.units import RunningUnit, StoppedUnits, WhereActive, digest_of
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.base import ResourceStep
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.rke2_keys import words_of

REQUIRED_MODULES: Final = ("overlay", "br_netfilter")
HELPFUL_MODULES: Final = ("vxlan",)
"""Canal's; the kernel also loads it by itself when the interface is made."""
EXACT_PARAMETERS: Final = {
    "net.ipv4.ip_forward": "1",
    "net.bridge.bridge-nf-call-iptables": "1",
}
HARDENED_PARAMETERS: Final = {
    "vm.overcommit_memory": "1",
    "vm.panic_on_oom": "0",
    "kernel.panic": "10",
    "kernel.panic_on_oops": "1",
}
"""What RKE2 with the profile ``cis`` and kubelet with ``protect-kernel-defaults`` do not start without: rancher/rke2,
pkg/cli/cmds/profile_linux.go."""
LEAST_PARAMETERS: Final = {
    "fs.inotify.max_user_instances": 8192,
    "fs.inotify.max_user_watches": 524288,
}


def is_hardened(spec: ClusterSpec) -> bool:
    """Whether RKE2 or kubelet will look at the kernel's parameters and end where they are not as they want them."""
    settings = spec.kubernetes.settings
    return bool(words_of(settings.get("profile"))) or settings.get("protect-kernel-defaults") in (True, "true")


def hosts_lines(spec: ClusterSpec) -> tuple[str, ...]:
    """The lines of our block in ``/etc/hosts``: nodes, names of the API and of those to join, Rainbond's own names.

    The block stands at the top of the file because the first match wins, also over the line that Rainbond's operator
    appends later (goodrain/rainbond-operator, hosts-job).
    """
    lines = [f"{node.cluster_address} {node.name}" for node in spec.nodes]
    if spec.kubernetes.api.domain:
        lines.append(f"{spec.api_address} {spec.kubernetes.api.domain}")
    lines += [f"{node.cluster_address} {JOIN_NAME}" for node in etcd_nodes(spec)]
    if spec.profile.host_names and (address := spec.gateway_address):
        lines.append(f"{address} {' '.join(spec.profile.host_names)}")
    return tuple(lines)


@dataclass(frozen=True, slots=True)
class HostsFile(ResourceStep):
    """Make every node know every node, the API's name and Rainbond's own names."""

    name: ClassVar[str] = "hosts-file"

    def resources(self, context: StepContext) -> Sequence[Resource]:
        """One block in one file."""
        return (ManagedBlock("/etc/hosts", hosts_lines(context.spec)),)


@dataclass(frozen=True, slots=True)
class PrepareSystem(ResourceStep):
    """Modules, kernel parameters, a resolver file where there is none, NetworkManager kept off canal's devices."""

    name: ClassVar[str] = "os-prepare"

    def resources(self, context: StepContext) -> Sequence[Resource]:
        """In this order: the bridge's parameters exist only once its module is loaded."""
        first_line = header(context.spec.name)
        devices = asset("templates", "networkmanager.conf").read_text(encoding="utf-8")
        parameters = {**EXACT_PARAMETERS, **(HARDENED_PARAMETERS if is_hardened(context.spec) else {})}
        network_manager = plain(f"{first_line}\n{devices}")
        return (
            KernelModules("/etc/modules-load.d/rbdtui.conf", first_line, REQUIRED_MODULES, HELPFUL_MODULES),
            KernelParameters("/etc/sysctl.d/90-rbdtui.conf", first_line, parameters, LEAST_PARAMETERS),
            # RKE2 gives its pods a public server where this file is missing or empty; the host's own programs want it.
            ManagedFile("/etc/resolv.conf", plain(f"{first_line}\n"), only_when_missing=True),
            WhereActive(
                "NetworkManager.service",
                (
                    ManagedFile("/etc/NetworkManager/conf.d/rke2-canal.conf", network_manager),
                    RunningUnit("NetworkManager.service", digest_of([network_manager]), is_ours=False),
                ),
            ),
            StoppedUnits(("nm-cloud-setup.timer", "nm-cloud-setup.service")),
        )
