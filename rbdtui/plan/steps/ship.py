"""What comes from the offline bundle: host packages, RKE2's archives, and RKE2 unpacked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.facts.model import NodeFacts
from rbdtui.host_programs import (
    HAPROXY,
    INOTIFY,
    KEEPALIVED,
    MYSQL_DUMP,
    MYSQL_SERVER,
    NFS_SERVER,
    PACKAGES,
    RSYNC,
    host_programs,
)
from rbdtui.plan.resources.base import STATE_DIR, Resource, Target
from rbdtui.plan.resources.images import IMAGES_DIR as IMAGES_DIR
from rbdtui.plan.resources.images import ImageArchives, remembers_imports
from rbdtui.plan.resources.uploads import HostPackages, UploadedFiles
from rbdtui.plan.step import BundleFile, Change, ChangeKind, Pending, StepClass, StepContext, StepError
from rbdtui.plan.steps.base import ResourceStep
from rbdtui.rainbond import provisioner
from rbdtui.spec.sections.registry import RegistryMode
from rbdtui.transport.base import Host
from rbdtui.transport.scripts import script
from rbdtui.words import T

ARCHIVE_DIR: Final = f"{STATE_DIR}/bundle"
_BRINGS: Final = {
    KEEPALIVED: (KEEPALIVED,),
    HAPROXY: (HAPROXY,),
    provisioner.CLIENT: ("nfs-", "rpcbind"),
    NFS_SERVER: ("nfs-kernel-server", "nfs-", "rpcbind"),
    MYSQL_SERVER: ("mysql-server", "mysql-community-"),
    MYSQL_DUMP: PACKAGES[MYSQL_DUMP],
    RSYNC: PACKAGES[RSYNC],
    INOTIFY: ("inotify-tools", "libinotifytools"),
}
"""How names of packages begin that bring a program, and services that nobody else needs."""
_HELD_UNITS: Final = (
    *("keepalived.service", "haproxy.service", "nfs-server.service"),
    *("mysql.service", "mysqld.service"),
)
"""They would start with the configuration of the package, or with one that was there before."""
_UNINSTALL_BYTES: Final = 8 * 1024 * 1024
"""RKE2's own script tells every command, and every mount that it takes away."""


def facts_of(context: StepContext, node: str) -> NodeFacts:
    """The facts of a node; raises `StepError` when nobody has asked it yet."""
    facts = context.facts.get(node)
    if facts is None or not facts.arch:
        raise StepError("no_facts", node=node)
    return facts


def rke2_archive(context: StepContext, node: str) -> BundleFile:
    """RKE2's program archive for a node's architecture."""
    return context.bundle.file("rke2", facts_of(context, node).arch)


def rainbond_archives(context: StepContext, node: str) -> list[BundleFile]:
    """The archives that bring Rainbond's images to a node; none where it pulls them from an external registry."""
    spec = context.spec
    if not spec.installs_rainbond or spec.registry.mode is RegistryMode.EXTERNAL:
        return []
    return context.bundle.rainbond_images(spec, facts_of(context, node).arch)


def kubesphere_archives(context: StepContext, node: str) -> list[BundleFile]:
    """The archives that bring KubeSphere's images to a node; none where a registry has them."""
    if not context.spec.installs_kubesphere:
        return []
    return context.bundle.kubesphere_images(context.spec, facts_of(context, node).arch)


def rook_archives(context: StepContext, node: str) -> list[BundleFile]:
    """The archives that bring Rook's and Ceph's images to a node, whichever registry the plan has."""
    return context.bundle.rook_images(facts_of(context, node).arch) if context.spec.ceph_disks else []


@dataclass(frozen=True, slots=True)
class InstallHostPackages(ResourceStep):
    """Give a node keepalived, HAProxy, and the programs of NFS where it needs them, from the bundle."""

    name: ClassVar[str] = "host-packages"
    time_limit_s: ClassVar[float] = 1200.0

    def resources(self, context: StepContext) -> Sequence[Resource]:
        """One set of packages; those of the bundle that bring what this host is not to have stay away."""
        spec = context.spec
        wanted = host_programs(spec, spec.node(self.node))
        facts = facts_of(context, self.node)
        system = f"{facts.os.id}-{facts.os.version_id}-{facts.arch}"
        files = context.bundle.packages(facts.os.id, facts.os.version_id, facts.arch)
        files = [file for file in files if _is_for(file.path.name, wanted)]
        return (HostPackages(tuple(wanted), tuple(files), system, held_units=_HELD_UNITS),)


def _is_for(package: str, wanted: Sequence[str]) -> bool:
    """Whether a package of the bundle is for a host with these programs: the longest beginning that fits decides."""
    begins = [prefix for prefixes in _BRINGS.values() for prefix in prefixes if package.startswith(prefix)]
    longest = max(begins, key=len, default="")
    return not longest or any(longest in _BRINGS[name] for name in wanted)


@dataclass(frozen=True, slots=True)
class ShipBundle(ResourceStep):
    """Bring RKE2's program and image archives to a node."""

    name: ClassVar[str] = "ship-bundle"
    step_class: ClassVar[StepClass] = StepClass.UPLOAD
    time_limit_s: ClassVar[float] = 6 * 3600.0
    stall_s: ClassVar[float] = 120.0

    def resources(self, context: StepContext) -> Sequence[Resource]:
        """The program's archive, and the images of this plan where RKE2 looks for them."""
        program = rke2_archive(context, self.node)
        arch = facts_of(context, self.node).arch
        of_platforms = (rainbond_archives, kubesphere_archives, rook_archives)
        platform = [file for archives in of_platforms for file in archives(context, self.node)]
        archives = [*context.bundle.images(context.spec, arch), *platform]
        images = {file.path.name: file for file in archives}
        return (
            UploadedFiles({f"{ARCHIVE_DIR}/{program.path.name}": program}),
            ImageArchives(images, remembers_imports(context.bundle.rke2_version(arch))),
        )


@dataclass(frozen=True, slots=True)
class Rke2State:
    """What is installed of RKE2 on a host."""

    archive_sha256: str
    """Of the archive that was unpacked last; empty when we unpacked none."""
    prefix: str
    has_program: bool
    has_units: bool


async def rke2_state(host: Host) -> Rke2State:
    """Ask a host what is installed of RKE2."""
    answer = await host.must(script("rke2-state"))
    value = dict(line.split("=", 1) for line in answer.text.splitlines() if "=" in line)
    return Rke2State(
        archive_sha256=value.get("archive", ""),
        prefix=value.get("prefix", ""),
        has_program=value.get("program") == "yes",
        has_units=value.get("units") == "yes",
    )


@dataclass(frozen=True, slots=True)
class UnpackedRke2:
    """RKE2's program archive, unpacked where its own installer would."""

    archive: str
    sha256: str

    async def pending(self, target: Target) -> Pending[None]:
        """The archive, unless exactly this one was unpacked and its files are there."""
        state = await rke2_state(target.host)
        if state.archive_sha256 == self.sha256 and state.has_program and state.has_units:
            return Pending()
        title = T("plan.change.unpack", archive=self.archive)
        return Pending((Change(ChangeKind.COMMAND, title, f"tar -xzf {self.archive}"),))

    async def settle(self, target: Target, pending: Pending[None]) -> None:
        """Unpack it; raises `StepError` when it is damaged."""
        done = await target.host.run(script("rke2-unpack"), self.archive, self.sha256, timeout_s=300.0)
        if done.exit_status == 3:
            raise StepError("archive_damaged", node=target.host.name, path=self.archive, evidence=done.error_text)
        if not done.ok:
            await target.host.must(script("rke2-unpack"), self.archive, self.sha256, timeout_s=300.0)
        target.report.line(done.text.strip())

    async def remove(self, target: Target) -> None:
        """Run RKE2's own uninstall script, which takes the cluster's data with it."""
        await target.host.must(
            script("rke2-uninstall"), timeout_s=600.0, output_limit_bytes=_UNINSTALL_BYTES, on_line=target.report.line
        )


@dataclass(frozen=True, slots=True)
class UnpackRke2(ResourceStep):
    """Unpack RKE2 as its own installer does."""

    name: ClassVar[str] = "rke2-unpack"
    time_limit_s: ClassVar[float] = 900.0

    def resources(self, context: StepContext) -> Sequence[Resource]:
        """One archive."""
        archive = rke2_archive(context, self.node)
        return (UnpackedRke2(f"{ARCHIVE_DIR}/{archive.path.name}", archive.sha256),)
