"""What a spec refers to outside itself: secrets of the vault, and files of the jump host."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from rbdtui.findings import Finding, Place, Severity
from rbdtui.spec.model import Bastion, ClusterSpec, SshSettings
from rbdtui.spec.values import SECRET_PREFIX

_SECRET_FIELDS = ("password", "passphrase", "sudo_password")


def secret_references(spec: ClusterSpec) -> Iterator[tuple[str, str]]:
    """Field path and name (without ``secret:``) of every reference into the vault, in the order of the model."""
    for path, section in login_sections(spec):
        for field in _SECRET_FIELDS:
            reference = getattr(section, field, None)
            if reference is not None:
                yield f"{path}.{field}", reference.removeprefix(SECRET_PREFIX)


def missing_secrets(spec: ClusterSpec, names: Collection[str], place: Callable[[str], Place]) -> list[Finding]:
    """References to secrets that are not among the given names of the vault; each secret is told once."""
    known = set(names)
    findings = []
    for path, name in secret_references(spec):
        if name not in known:
            findings.append(Finding("RBD-SECRET-001", Severity.ERROR, place(path), {"secret": name}))
            known.add(name)
    return findings


def bundle_directory(spec: ClusterSpec, site_dir: Path) -> Path:
    """Where the offline packages are on the jump host."""
    return local_path(spec.bundle, site_dir)


def local_path(written: str, site_dir: Path) -> Path:
    """A path of the spec as one of the jump host: ``~`` expanded, relative to the site directory."""
    try:
        return site_dir / Path(written).expanduser()
    except RuntimeError:  # no such user: the finding shows the path as it is written
        return site_dir / written


def check_local(spec: ClusterSpec, site_dir: Path, place: Callable[[str], Place]) -> list[Finding]:
    """Private keys and the bundle directory, as this machine has them."""
    findings = []
    seen: set[Path] = set()
    for path, section in login_sections(spec):
        key = local_path(section.key, site_dir) if section.key is not None else None
        if key is not None and key not in seen:
            seen.add(key)
            findings += _check_key(key, place(f"{path}.key"))
    return findings + check_bundle(bundle_directory(spec, site_dir), place("bundle"))


def _check_key(key: Path, place: Place) -> list[Finding]:
    shown = str(key)
    if key.suffix == ".pub":
        return [Finding("RBD-LOCAL-004", Severity.ERROR, place, {"path": shown})]
    try:
        with open(os.open(key, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    except FileNotFoundError:
        return [Finding("RBD-LOCAL-001", Severity.ERROR, place, {"path": shown})]
    except OSError as error:
        return [Finding("RBD-LOCAL-002", Severity.ERROR, place, {"path": shown, "reason": error.strerror or ""})]
    if mode & 0o077:
        params = {"path": shown, "mode": f"{stat.S_IMODE(mode):04o}"}
        return [Finding("RBD-LOCAL-003", Severity.WARNING, place, params)]
    return []


def check_bundle(directory: Path, place: Place) -> list[Finding]:
    """Whether the offline packages are in a directory that can be read."""
    try:
        with os.scandir(directory):
            return []
    except FileNotFoundError:
        return [Finding("RBD-LOCAL-005", Severity.ERROR, place, {"path": str(directory)})]
    except OSError as error:
        params = {"path": str(directory), "reason": error.strerror or ""}
        return [Finding("RBD-LOCAL-006", Severity.ERROR, place, params)]


def login_sections(spec: ClusterSpec) -> Iterator[tuple[str, SshSettings | Bastion]]:
    """Every section that says how to log in somewhere, with its path."""
    sections = [("ssh", spec.ssh), *((f"nodes[{index}].ssh", node.ssh) for index, node in enumerate(spec.nodes))]
    for path, settings in sections:
        yield path, settings
        if isinstance(settings.bastion, Bastion):
            yield f"{path}.bastion", settings.bastion
        for index, bastion in enumerate(settings.bastion if isinstance(settings.bastion, list) else ()):
            yield f"{path}.bastion[{index}]", bastion
