"""Where data is kept: what the profile and the version honour, and what an NFS mount must not be.

Which version honours a class: goodrain/rainbond-operator, ``STORAGE_CLASS_NAME`` from v6.4.0 on; before, the class is
``local-path``, whatever is chosen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from rbdtui.findings import Finding, Severity
from rbdtui.profiles import Profile
from rbdtui.rainbond_version import CLASS_HONOURED_SINCE, LARGE_CLAIMS_SINCE, RainbondVersion
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.rules.base import OWN_LOOPBACK, RuleInput
from rbdtui.spec.sections.registry import RegistryMode
from rbdtui.spec.sections.storage import StorageMode

_LARGE_GIB: Final = {"rbd-hub": 200, "minio": 100, "rbd-monitor": 100, "rbd-db": 5, "rbd-app-ui": 5}
"""Of each component's claim, from `LARGE_CLAIMS_SINCE` on."""
_EXPORT_OPTIONS: Final = frozenset(
    {
        *("no_root_squash", "root_squash", "all_squash", "no_all_squash", "anonuid", "anongid"),
        *("no_subtree_check", "subtree_check", "secure", "insecure", "fsid", "crossmnt", "nohide"),
        *("wdelay", "no_wdelay", "refer"),
    }
)
"""What exports(5) has and nfs(5) does not: mount.nfs refuses all of them."""
_GIVEN_AWAY: Final = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
"""A path that a table of exports takes without quotes."""
_SYSTEMS_OWN: Final = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/tmp", "/usr"),  # noqa: S108 - refused, not used
    *("/opt/rainbond", "/opt/rke2", "/var/lib/kubelet", "/var/lib/rancher", "/var/lib/rbdtui", "/var/log", "/var/run"),
)
_COPY: Final = "storage.copy_node"
COPY_WEAKNESSES: Final = "RBD-STORAGE-014"
"""What has to be acknowledged, with a reason, before there is a copy."""
_LOSING_LOCKS: Final = frozenset({"nolock", "local_lock=all", "local_lock=posix", "local_lock=flock"})
_LOSING_DATA: Final = frozenset({"soft", "softerr", "softreval"})


def storage_class(rule: RuleInput) -> Iterator[Finding]:
    """A class of the cluster's is used only by the profiles and versions that look at it."""
    spec = rule.spec
    if not _has_storage(spec):
        return
    version = rainbond_version(spec)
    if spec.storage.mode is StorageMode.STORAGE_CLASS:
        if not _ever_honours_a_class(spec.profile):
            yield rule.finding("RBD-STORAGE-001", Severity.ERROR, "storage.mode", profile=str(spec.profile))
        elif version is not None and version < CLASS_HONOURED_SINCE:
            yield rule.finding("RBD-STORAGE-002", Severity.ERROR, "storage.mode", version=str(version))
    elif spec.storage.is_made and _ever_honours_a_class(spec.profile):
        if version is not None and version < CLASS_HONOURED_SINCE:
            yield rule.finding("RBD-STORAGE-003", Severity.WARNING, "storage.mode", version=str(version))
    elif spec.storage.mode is StorageMode.BUILTIN and version is not None and version >= LARGE_CLAIMS_SINCE:
        claims = _large_claims(spec)
        named, gib = ", ".join(f"{name} {size}" for name, size in claims.items()), sum(claims.values())
        yield rule.finding(
            "RBD-STORAGE-004", Severity.INFO, "storage.mode", version=str(version), gib=gib, claims=named
        )


def mount_options(rule: RuleInput) -> Iterator[Finding]:
    """Options are the client's, and none of them costs locks or data."""
    if not _has_storage(rule.spec) or not rule.spec.storage.is_on_nfs:
        return
    for index, text in enumerate(rule.spec.storage.mount_options):
        field = f"storage.mount_options[{index}]"
        for option in (part.strip() for part in text.split(",")):
            if option.partition("=")[0] in _EXPORT_OPTIONS:
                yield rule.finding("RBD-STORAGE-005", Severity.ERROR, field, option=option)
            elif option in _LOSING_LOCKS:
                yield rule.finding("RBD-STORAGE-006", Severity.WARNING, field, option=option)
            elif option in _LOSING_DATA:
                yield rule.finding("RBD-STORAGE-007", Severity.WARNING, field, option=option)
            elif option == "ro":
                yield rule.finding("RBD-STORAGE-008", Severity.ERROR, field)


def nfs_server(rule: RuleInput) -> Iterator[Finding]:
    """The server is a machine of its own, which is the same for all nodes."""
    storage = rule.spec.storage
    if not _has_storage(rule.spec) or storage.mode is not StorageMode.NFS or storage.server is None:
        return
    if is_own_loopback(storage.server):
        yield rule.finding("RBD-STORAGE-009", Severity.ERROR, "storage.server", server=storage.server)
    for node in rule.spec.nodes:
        if storage.server in (*map(str, node.addresses), node.name):
            yield rule.finding("RBD-STORAGE-010", Severity.WARNING, "storage.server", node=node.name)


def nfs_server_made(rule: RuleInput) -> Iterator[Finding]:
    """What is given away is a directory of its own, and none of the system or of the cluster; at best beside it."""
    storage, node = rule.spec.storage, rule.spec.nfs_node
    if not _has_storage(rule.spec) or storage.mode is not StorageMode.NFS_SERVER:
        return
    path = storage.path or ""
    if path and not _GIVEN_AWAY.fullmatch(path):
        yield rule.finding("RBD-STORAGE-011", Severity.ERROR, "storage.path", path)
    elif any(f"{path}/".startswith(f"{other}/") for other in _SYSTEMS_OWN):
        yield rule.finding("RBD-STORAGE-012", Severity.ERROR, "storage.path", directory=path)
    if node is not None and not node.is_outside:
        yield rule.finding("RBD-STORAGE-010", Severity.WARNING, "storage.node", node=node.name)


def nfs_copy(rule: RuleInput) -> Iterator[Finding]:
    """A copy is on another server, and whoever wants one has said in writing that they know what it is not."""
    spec, storage = rule.spec, rule.spec.storage
    if spec.nfs_node is None or storage.copy_node is None:
        return
    if storage.copy_node == storage.node:
        yield rule.finding("RBD-STORAGE-013", Severity.ERROR, _COPY, node=storage.copy_node)
        return
    yield rule.finding(COPY_WEAKNESSES, Severity.WARNING, _COPY, node=storage.node or "", copy=storage.copy_node)
    if not any(accepted.code == COPY_WEAKNESSES for accepted in spec.acknowledged):
        yield rule.finding("RBD-STORAGE-015", Severity.ERROR, _COPY, weighs=COPY_WEAKNESSES)


def _large_claims(spec: ClusterSpec) -> dict[str, int]:
    """GiB that each component claims which is not outside of the cluster."""
    outside = {"rbd-hub"} if spec.registry.mode is RegistryMode.EXTERNAL else set()
    outside |= {"rbd-db"} if spec.mysql.is_outside else set()
    return {name: size for name, size in _LARGE_GIB.items() if name not in outside}


def rainbond_version(spec: ClusterSpec) -> RainbondVersion | None:
    """The version that the plan names; None when it leaves it to the bundle."""
    return RainbondVersion.parse(spec.rainbond.version) if spec.rainbond.version is not None else None


def is_own_loopback(address: str) -> bool:
    """Whether every machine takes an address or name for itself."""
    if address == "localhost" or address.endswith(".localhost"):
        return True
    try:
        return ip_address(address) in OWN_LOOPBACK
    except ValueError:
        return False


def _has_storage(spec: ClusterSpec) -> bool:
    return "storage" in spec.profile.sections


def _ever_honours_a_class(profile: Profile) -> bool:
    return profile.versions is not None and profile.versions[1] > CLASS_HONOURED_SINCE
