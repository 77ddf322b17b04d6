"""Checks on file systems: room, fill, rights to write and to execute, and where the paths really are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rbdtui.checks.view import NodeView
from rbdtui.facts.model import Mount
from rbdtui.findings import Finding, Severity
from rbdtui.profiles.limits import GIB
from rbdtui.roles import Role

_MUST_BE_WRITABLE: Final = ("/etc", "/tmp", "/var/lib", "/var/lib/rancher", "/var/lib/kubelet", "/var/log")  # noqa: S108
_REMOTE: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "ceph", "fuse.glusterfs", "fuse.sshfs", "9p"})
_DATA_PATHS: Final = ("/var/lib/rancher", "/var/lib/kubelet")


def needed_paths(view: NodeView) -> tuple[str, ...]:
    """Paths that the plan fills on this host."""
    return tuple(path for path in view.limits.disks if path in view.facts.paths)


def free_space(view: NodeView) -> Iterator[Finding]:
    """There is room; after our own earlier run only what stops a run counts: the rest was used as planned."""
    for path in needed_paths(view):
        mount, need = view.facts.mount_of(path), view.limits.disks[path]
        if mount is None or not mount.size_bytes:
            continue
        free = mount.available_bytes
        minimum = need.minimum_bytes if not view.ours else min(need.minimum_bytes, GIB)
        if free < minimum:
            yield _room(view, "RBD-DISK-101", Severity.ERROR, path, mount, minimum)
        elif free < need.recommended_bytes and not view.ours:
            yield _room(view, "RBD-DISK-102", Severity.WARNING, path, mount, need.recommended_bytes)


def room_for_all(view: NodeView) -> Iterator[Finding]:
    """What shares a file system finds room on it together, also where each need alone is met."""
    if view.ours:
        return
    by_mount: dict[Mount, list[str]] = {}
    for path in needed_paths(view):
        mount = view.facts.mount_of(path)
        if mount is not None and mount.size_bytes:
            by_mount.setdefault(mount, []).append(path)
    for mount, paths in by_mount.items():
        needs = [view.limits.disks[path].minimum_bytes for path in paths]
        if max(needs) <= mount.available_bytes < sum(needs):
            parts = [f"{path} {need / GIB:.1f}" for path, need in zip(paths, needs, strict=True)]
            yield view.finding(
                "RBD-DISK-111", Severity.ERROR, mount=mount.path, gib=round(mount.available_bytes / GIB, 1),
                wanted=round(sum(needs) / GIB, 1), parts=" + ".join(parts), evidence="\n".join(parts),
            )  # fmt: skip


def _room(view: NodeView, code: str, severity: Severity, path: str, mount: Mount, wanted_bytes: int) -> Finding:
    return view.finding(
        code,
        severity,
        path=path,
        mount=mount.path,
        gib=round(mount.available_bytes / GIB, 1),
        wanted=round(wanted_bytes / GIB, 1),
        evidence=f"{mount.device} {mount.filesystem} {mount.path} {mount.size_bytes / GIB:.1f} GiB",
    )


def fill(view: NodeView) -> Iterator[Finding]:
    """No file system that holds our paths is nearly full, in bytes or in inodes."""
    for mount in _holding(view):
        used, inodes, limits = round(mount.used_percent), round(mount.inodes_used_percent), view.limits
        if used >= limits.full_error_percent:
            yield view.finding("RBD-DISK-104", Severity.ERROR, mount=mount.path, percent=used)
        elif used >= limits.full_warning_percent:
            yield view.finding("RBD-DISK-103", Severity.WARNING, mount=mount.path, percent=used)
        if inodes >= limits.inodes_warning_percent:
            severity = Severity.ERROR if inodes >= limits.inodes_error_percent else Severity.WARNING
            yield view.finding("RBD-DISK-105", severity, mount=mount.path, percent=inodes)


def _holding(view: NodeView) -> list[Mount]:
    """The file systems under the paths that the plan fills or kubelet watches, each once."""
    paths = dict.fromkeys((*needed_paths(view), "/var/lib/kubelet"))
    mounts = (view.facts.mount_of(path) for path in paths)
    return list(dict.fromkeys(mount for mount in mounts if mount is not None and mount.size_bytes))


def writable(view: NodeView) -> Iterator[Finding]:
    """What has to be written can be written; one finding per place that cannot."""
    said: set[str] = set()
    for path in (*_MUST_BE_WRITABLE, *view.spec.profile.directories):
        state, mount = view.facts.paths.get(path), view.facts.mount_of(path)
        if state is None or state.writable or state.mount in said:
            continue
        said.add(state.mount)
        options = f"{mount.device} {mount.path} {mount.filesystem} {'ro' if mount.read_only else 'rw'}" if mount else ""
        yield view.finding("RBD-DISK-106", Severity.ERROR, path=path, mount=state.mount, evidence=options)


def usr_local(view: NodeView) -> Iterator[Finding]:
    """RKE2 goes to /opt/rke2 where /usr/local is read-only or a mount of its own; then /opt must take it."""
    state = view.facts.paths.get("/usr/local")
    if state is None or (state.writable and state.mount != "/usr/local"):
        return
    opt = view.facts.paths.get("/opt")
    if opt is not None and not opt.writable:
        yield view.finding("RBD-DISK-106", Severity.ERROR, path="/opt", mount=opt.mount)
    else:
        yield view.finding("RBD-DISK-107", Severity.INFO)


def executable(view: NodeView) -> Iterator[Finding]:
    """No place that programs are run from is mounted noexec.

    Those are RKE2's data, /opt for the network plug-ins in /opt/cni/bin, and /usr/local, unless that is a mount of its
    own: RKE2 then goes to /opt/rke2 (rancher/rke2, install.sh).
    """
    said: set[str] = set()
    for path in ("/var/lib/rancher", "/opt", "/usr/local"):
        mount = view.facts.mount_of(path)
        if mount is None or not mount.no_exec or mount.path in said or mount.path == "/usr/local":
            continue
        said.add(mount.path)
        yield view.finding("RBD-DISK-108", Severity.ERROR, path=path, mount=mount.path)


def xfs_knows_types(view: NodeView) -> Iterator[Finding]:
    """An XFS under RKE2's data tells the type of a file with its name: overlayfs wants it (``ftype=1``)."""
    mount = view.facts.mount_of("/var/lib/rancher")
    if view.facts.xfs_ftype == 0:
        at = mount.path if mount is not None else "/var/lib/rancher"
        yield view.finding("RBD-DISK-112", Severity.ERROR, mount=at, evidence="ftype=0")


def quick_builds(view: NodeView) -> Iterator[Finding]:
    """Builds unpack and write many small files; Rainbond's high-availability pages ask for SSD on build nodes."""
    disks = view.facts.turning_disks
    if disks and Role.BUILD in view.node.roles and view.spec.profile.has_builds:
        named = ", ".join(disks)
        yield view.finding("RBD-DISK-116", Severity.WARNING, disks=named, evidence=named)


def changeable(view: NodeView) -> Iterator[Finding]:
    """What the plan writes has not been made immutable."""
    if view.facts.immutable:
        shown = " ".join(view.facts.immutable)
        yield view.finding("RBD-DISK-113", Severity.ERROR, paths=shown, evidence=shown)


def local_file_systems(view: NodeView) -> Iterator[Finding]:
    """Data of containers and etcd lies on a disk of the host, not across the network."""
    for path in (*_DATA_PATHS, *view.spec.profile.directories):
        mount = view.facts.mount_of(path)
        if mount is not None and mount.filesystem in _REMOTE:
            evidence = f"{mount.device} {mount.path} {mount.filesystem}"
            yield view.finding("RBD-DISK-109", Severity.WARNING, path=path, type=mount.filesystem, evidence=evidence)


def symbolic_links(view: NodeView) -> Iterator[Finding]:
    """Real mount points are better than links: what follows a link into a container may not find the other end."""
    for path in (*_DATA_PATHS, *view.spec.profile.directories):
        state = view.facts.paths.get(path)
        if state is not None and state.real != path:
            yield view.finding("RBD-DISK-110", Severity.INFO, path=path, real=state.real)
