"""What a spec refers to outside itself: secrets of the vault, and files of the jump host."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from rbdtui.findings import Finding, Place, Severity
from rbdtui.spec import fields
from rbdtui.spec.model import Bastion, ClusterSpec, SshSettings
from rbdtui.spec.sections.etcd import EtcdMode
from rbdtui.spec.types import Section
from rbdtui.spec.values import SECRET_PREFIX, is_secret_reference

_SECRET_FIELDS = ("password", "passphrase", "sudo_password")
_HOLD_A_KEY = frozenset({"etcd.key", "kubernetes.kubeconfig"})
"""Fields whose file nobody else may read."""


def secret_references(spec: ClusterSpec) -> Iterator[tuple[str, str]]:
    """Field path and name (without ``secret:``) of every reference into the vault, in the order of the model."""
    sections: list[tuple[str, Section]] = [*login_sections(spec)]
    sections += [(name, section) for name, section in spec if isinstance(section, Section) and name != "ssh"]
    for path, section in sections:
        for field in _SECRET_FIELDS:
            reference = getattr(section, field, None)
            if reference is not None:
                yield f"{path}.{field}", reference.removeprefix(SECRET_PREFIX)
    if "rainbond" in spec.profile.sections:
        yield from _references_in("rainbond.values", spec.rainbond.values)
    if "kubesphere" in spec.profile.sections:
        yield from _references_in("kubesphere.values", spec.kubesphere.values)


def _references_in(path: str, value: object) -> Iterator[tuple[str, str]]:
    """The same of values whose keys are not ours."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _references_in(fields.join(path, str(key)), below)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _references_in(fields.join(path, index), below)
    elif isinstance(value, str) and is_secret_reference(value):
        yield path, value.removeprefix(SECRET_PREFIX)


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


class LocalKind(StrEnum):
    """What a file or directory of this machine is used as."""

    LOGIN_KEY = "login-key"
    CERTIFICATE = "certificate"
    SERVICE_KEY = "service-key"
    BUNDLE = "bundle"


LocalFile = tuple[LocalKind, str]
"""A file or directory of this machine, as the spec writes its path."""


def local_files(spec: ClusterSpec) -> dict[LocalFile, str]:
    """What a spec names on this machine, with the first field that names it; touches no file."""
    files: dict[LocalFile, str] = {}
    for path, section in login_sections(spec):
        if section.key is not None:
            files.setdefault((LocalKind.LOGIN_KEY, section.key), f"{path}.key")
    for path, written in named_files(spec):
        files.setdefault((LocalKind.SERVICE_KEY if path in _HOLD_A_KEY else LocalKind.CERTIFICATE, written), path)
    if not spec.profile.audit_only:
        files[LocalKind.BUNDLE, spec.bundle] = "bundle"
    return files


def look_at_local(file: LocalFile, site_dir: Path) -> list[Finding]:
    """What is wrong with it now, at no place yet; as slow as the disk or the network that it is on."""
    kind, written = file
    path, nowhere = local_path(written, site_dir), Place()
    if kind is LocalKind.BUNDLE:
        return check_bundle(path, nowhere)
    if kind is LocalKind.LOGIN_KEY:
        return _check_key(path, nowhere)
    return _check_file(path, nowhere, is_key=kind is LocalKind.SERVICE_KEY)


def judge_local(
    spec: ClusterSpec, known: Mapping[LocalFile, Sequence[Finding]], place: Callable[[str], Place]
) -> list[Finding]:
    """What is known to be wrong with what the spec names; touches no file."""
    return [
        replace(finding, place=place(field))
        for file, field in local_files(spec).items()
        for finding in known.get(file, ())
    ]


def check_local(spec: ClusterSpec, site_dir: Path, place: Callable[[str], Place]) -> list[Finding]:
    """Private keys, certificates and the bundle directory, as this machine has them now."""
    return judge_local(spec, {file: look_at_local(file, site_dir) for file in local_files(spec)}, place)


def _check_key(key: Path, place: Place) -> list[Finding]:
    shown = str(key)
    if key.suffix == ".pub":
        return [Finding("RBD-LOCAL-004", Severity.ERROR, place, {"path": shown})]
    try:
        mode = _mode_of(key)
    except FileNotFoundError:
        return [Finding("RBD-LOCAL-001", Severity.ERROR, place, {"path": shown})]
    except OSError as error:
        return [Finding("RBD-LOCAL-002", Severity.ERROR, place, {"path": shown, "reason": error.strerror or ""})]
    return _check_mode(shown, mode, place)


def _check_mode(shown: str, mode: int, place: Place) -> list[Finding]:
    if mode & 0o077:
        params = {"path": shown, "mode": f"{stat.S_IMODE(mode):04o}"}
        return [Finding("RBD-LOCAL-003", Severity.WARNING, place, params)]
    return []


def _mode_of(path: Path) -> int:
    """The mode of a file that can be read; raises `OSError`, also for what is no file."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return mode


def named_files(spec: ClusterSpec) -> Iterator[tuple[str, str]]:
    """Field and path of the certificates and keys that services and the API are met with, as far as they are used."""
    if "etcd" in spec.profile.sections and spec.etcd.mode is EtcdMode.EXTERNAL:
        for name, written in (("ca", spec.etcd.ca), ("cert", spec.etcd.cert), ("key", spec.etcd.key)):
            if written is not None:
                yield f"etcd.{name}", written
    if "registry" in spec.profile.sections and spec.registry.ca is not None:
        yield "registry.ca", spec.registry.ca
    if spec.is_existing and spec.kubernetes.kubeconfig is not None:
        yield "kubernetes.kubeconfig", spec.kubernetes.kubeconfig


def _check_file(path: Path, place: Place, *, is_key: bool) -> list[Finding]:
    shown = str(path)
    try:
        mode = _mode_of(path)
    except FileNotFoundError:
        return [Finding("RBD-LOCAL-009", Severity.ERROR, place, {"path": shown})]
    except OSError as error:
        return [Finding("RBD-LOCAL-010", Severity.ERROR, place, {"path": shown, "reason": error.strerror or ""})]
    return _check_mode(shown, mode, place) if is_key else []


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
