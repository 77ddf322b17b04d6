"""All facts, and how they make up what is known of a host."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from rbdtui.facts.block_devices import DISKS
from rbdtui.facts.disks import MOUNT_TABLE, PATH_SPACES, TURNING_DISKS, XFS_FTYPE, place_on_mounts
from rbdtui.facts.fact import Answers, Fact
from rbdtui.facts.kernel import APPARMOR, CGROUPS, KERNEL_MODULES, SELINUX, SYSCTL
from rbdtui.facts.later import (
    CLOCK_SYNCHRONISED,
    HOSTS_REWRITTEN,
    IMMUTABLE,
    NETWORKD_KEEPS,
    SELINUX_AT_BOOT,
)
from rbdtui.facts.model import Clock, NodeFacts
from rbdtui.facts.network import INTERFACES, NAMESERVERS, ROUTES
from rbdtui.facts.ports import SOCKET_OWNERS, SOCKETS, join_listeners
from rbdtui.facts.software import (
    CLAIM,
    FILES_FOUND,
    FIREWALL,
    LEFTOVERS,
    PACKAGES_INSTALLED,
    RAINBOND_INSTALLED,
    RKE2_STARTED,
    SYSTEMD_UNITS,
    TOOLS_FOUND,
    USERS_FOUND,
)
from rbdtui.facts.system import (
    CPU_COUNT,
    HOSTNAME,
    HOSTNAME_ADDRESSES,
    HOSTS_FILE,
    MACHINE_ID,
    MEMORY,
    OS_RELEASE,
    PRODUCT_UUID,
    UNAME,
)

FACTS: Final[tuple[Fact[Any], ...]] = (
    OS_RELEASE,
    UNAME,
    HOSTNAME,
    HOSTS_FILE,
    MACHINE_ID,
    PRODUCT_UUID,
    CPU_COUNT,
    MEMORY,
    MOUNT_TABLE,
    INTERFACES,
    ROUTES,
    NAMESERVERS,
    SOCKETS,
    KERNEL_MODULES,
    SYSCTL,
    CGROUPS,
    SELINUX,
    APPARMOR,
    TOOLS_FOUND,
    FILES_FOUND,
    LEFTOVERS,
    CLAIM,
    FIREWALL,
    SELINUX_AT_BOOT,
    HOSTS_REWRITTEN,
    IMMUTABLE,
    NETWORKD_KEEPS,
    USERS_FOUND,
    RKE2_STARTED,
    SYSTEMD_UNITS,
    PACKAGES_INSTALLED,
    SOCKET_OWNERS,
    RAINBOND_INSTALLED,
    PATH_SPACES,
    HOSTNAME_ADDRESSES,
    XFS_FTYPE,
    TURNING_DISKS,
    DISKS,
    CLOCK_SYNCHRONISED,
)
"""In the order in which they are asked: those that can hang come last."""


def assemble(node: str, answers: Answers, *, clock: Clock | None, gathered_at: float) -> NodeFacts:
    """Everything that is known of a host from its answers."""
    value = answers.value
    kernel, arch = value(UNAME)
    mounts, paths = place_on_mounts(value(MOUNT_TABLE), value(PATH_SPACES))
    servers = value(NAMESERVERS)
    system = NodeFacts(
        node=node,
        gathered_at=gathered_at,
        os=value(OS_RELEASE),
        kernel=kernel,
        arch=arch,
        hostname=value(HOSTNAME),
        hostname_addresses=value(HOSTNAME_ADDRESSES),
        hosts_file=value(HOSTS_FILE),
        machine_id=value(MACHINE_ID),
        product_uuid=value(PRODUCT_UUID),
        cpu_count=value(CPU_COUNT),
        memory=value(MEMORY),
        mounts=mounts,
        disks=value(DISKS),
        xfs_ftype=value(XFS_FTYPE),
        turning_disks=value(TURNING_DISKS),
        paths=paths,
        interfaces=value(INTERFACES),
        routes=value(ROUTES),
        nameservers=servers.configured,
        upstream_nameservers=servers.upstream,
        listeners=join_listeners(value(SOCKETS), value(SOCKET_OWNERS)),
        clock=clock,
        clock_synchronised=value(CLOCK_SYNCHRONISED),
        failed=answers.failed,
    )
    return _with_kernel(_with_software(system, answers), answers)


def _with_kernel(system: NodeFacts, answers: Answers) -> NodeFacts:
    """What the kernel holds and lets be done, now and after a boot."""
    value = answers.value
    modules, cgroups = value(KERNEL_MODULES), value(CGROUPS)
    return replace(
        system,
        firewall=value(FIREWALL),
        selinux=value(SELINUX),
        apparmor_enabled=value(APPARMOR),
        cgroup_version=cgroups.version,
        cgroup_controllers=cgroups.controllers,
        cgroup_read_only=cgroups.read_only,
        modules_loaded=modules.loaded,
        modules_available=modules.available,
        modules_knowable=modules.knowable,
        sysctl=value(SYSCTL),
        selinux_at_boot=value(SELINUX_AT_BOOT),
        hosts_rewritten=value(HOSTS_REWRITTEN),
        networkd_keeps=value(NETWORKD_KEEPS),
    )


def _with_software(system: NodeFacts, answers: Answers) -> NodeFacts:
    """What is installed, what runs, and what earlier installations left."""
    value = answers.value
    units = value(SYSTEMD_UNITS)
    return replace(
        system,
        active_units=units.active,
        enabled_units=units.enabled,
        tools=value(TOOLS_FOUND),
        packages=value(PACKAGES_INSTALLED),
        files=value(FILES_FOUND),
        leftovers=value(LEFTOVERS),
        claim=value(CLAIM),
        immutable=value(IMMUTABLE),
        rke2=value(RKE2_STARTED),
        rainbond=value(RAINBOND_INSTALLED),
        users=value(USERS_FOUND),
    )
