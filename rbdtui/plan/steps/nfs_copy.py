"""A copy of the made NFS server's directory on another server: rsync's daemon takes it, the source gives it.

It is a backup: nobody changes over to it by itself. A mark in both directories says which is which; without the right
ones nothing is copied, so that neither a disk that is not mounted nor a copy that was made the source is overwritten.
Why a daemon: docs/decisions/0007-nfs-copy.md. Sources: rsync(1), rsyncd.conf(5) of rsync 3.2.7; inotifywait(1) of
inotify-tools 3.22; inotify(7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.plan.content import Content, SecretRef, fill, fill_asset, plain
from rbdtui.plan.resources.base import STATE_DIR, Resource
from rbdtui.plan.resources.files import ManagedFile, header
from rbdtui.plan.resources.kernel import KernelParameters
from rbdtui.plan.resources.nfs_copy import CopiedOnce, StillMarked, TakenDirectory
from rbdtui.plan.resources.selinux import SelinuxBoolean
from rbdtui.plan.resources.units import RunningUnit, StoppedUnits, digest_of
from rbdtui.plan.step import StepContext, StepError
from rbdtui.plan.steps.base import ResourceStep
from rbdtui.spec import nfs_copy
from rbdtui.spec.model import ClusterSpec, Node

SCRIPT: Final = "/usr/local/sbin/rbdtui-nfs-copy"
CONFIG_FILE: Final = "/etc/rbdtui-rsyncd.conf"
SECRETS_FILE: Final = "/etc/rbdtui-rsyncd.secrets"
PASSWORD_FILE: Final = "/etc/rbdtui-rsync.password"  # noqa: S105 - where it lies
PARAMETERS_FILE: Final = "/etc/sysctl.d/90-rbdtui-nfs.conf"
_PUSH: Final = f"{nfs_copy.PUSH_UNIT}.service"
_COPY: Final = f"{nfs_copy.COPY_UNIT}.service"
_UNITS: Final = "/etc/systemd/system"
_BOOLEAN: Final = "rsync_full_access"
"""Without it SELinux keeps rsync's daemon from writing files of other kinds."""


def pair_of(spec: ClusterSpec) -> tuple[Node, Node]:
    """The NFS server and the one with its copy; raises `StepError` where the plan has none."""
    source, copy = spec.nfs_node, spec.nfs_copy_node
    if source is None or copy is None:
        raise StepError("nfs_no_copy")
    return source, copy


def _values(spec: ClusterSpec, other: Node) -> dict[str, str | SecretRef]:
    """What the templates are filled with on a server, of which the other one is the other."""
    return {
        "header": header(spec.name),
        "site": spec.name,
        "path": spec.storage.path or "",
        "address": str(other.cluster_address),
        "mark": nfs_copy.MARK,
        "home": f"{STATE_DIR}/nfs-copy",
        "push_unit": nfs_copy.PUSH_UNIT,
        "copy_unit": nfs_copy.COPY_UNIT,
        "password": PASSWORD_FILE,
        "user": nfs_copy.USER,
        "module": nfs_copy.MODULE,
        "script": SCRIPT,
    }


def _mark(spec: ClusterSpec, role: str) -> ManagedFile:
    return ManagedFile(f"{spec.storage.path}/{nfs_copy.MARK}", plain(f"{header(spec.name)}\nrole {role}\n"))


@dataclass(frozen=True, slots=True)
class NfsCopyServer(ResourceStep):
    """The copy's server takes what the NFS server sends, and nothing from anybody else."""

    name: ClassVar[str] = "nfs-copy-server"

    def resources(self, context: StepContext) -> Sequence[Resource]:
        """The directory with its mark, then rsync's daemon with a configuration of its own."""
        spec = context.spec
        source, copy = pair_of(spec)
        values = _values(spec, source)
        program = fill_asset("nfs-copy.sh", values, context.secret)
        unit = fill_asset("nfs-copy.service", values | {"config": CONFIG_FILE}, context.secret)
        config = fill_asset(
            "rsyncd.conf",
            values
            | {
                "address": str(copy.cluster_address),
                "source": str(source.cluster_address),
                "port": str(nfs_copy.PORT),
                "secrets": SECRETS_FILE,
            },
            context.secret,
        )
        secrets = _filled("$header\n$user:$secret\n", values, context)
        return (
            TakenDirectory(spec.storage.path or "", spec.name),
            _mark(spec, "copy"),
            StoppedUnits((_PUSH,)),
            SelinuxBoolean(_BOOLEAN),
            ManagedFile(SCRIPT, program, mode=0o700),
            ManagedFile(SECRETS_FILE, secrets, mode=0o600),
            ManagedFile(CONFIG_FILE, config),
            ManagedFile(f"{_UNITS}/{_COPY}", unit),
            RunningUnit(_COPY, digest_of([program, secrets, config, unit]), restarts=True),
        )


@dataclass(frozen=True, slots=True)
class NfsCopy(ResourceStep):
    """The NFS server sends what changes in its directory to the copy."""

    name: ClassVar[str] = "nfs-copy"

    def resources(self, context: StepContext) -> Sequence[Resource]:
        """The mark, the watched directories' number, the service; last, that it was copied once."""
        spec = context.spec
        source, copy = pair_of(spec)
        values = _values(spec, copy)
        program = fill_asset("nfs-copy.sh", values, context.secret)
        unit = fill_asset("nfs-push.service", values, context.secret)
        # Of this file rsync reads the first line alone.
        password = _filled("$secret\n$header\n", values, context)
        watches = {"fs.inotify.max_user_watches": spec.profile.limits.inotify_watches}
        parameters = KernelParameters(PARAMETERS_FILE, header(spec.name), at_least=watches)
        return (
            StillMarked(spec.storage.path or ""),
            _mark(spec, "source"),
            StoppedUnits((_COPY,)),
            # On a node of Kubernetes they are set for it anyway.
            *((parameters,) if source.is_outside else ()),
            ManagedFile(SCRIPT, program, mode=0o700),
            ManagedFile(PASSWORD_FILE, password, mode=0o600),
            ManagedFile(f"{_UNITS}/{_PUSH}", unit),
            RunningUnit(_PUSH, digest_of([program, password, unit]), restarts=True),
            CopiedOnce(copy.name),
        )


def _filled(template: str, values: dict[str, str | SecretRef], context: StepContext) -> Content:
    return fill(template, values | {"secret": SecretRef(nfs_copy.SECRET)}, context.secret)
