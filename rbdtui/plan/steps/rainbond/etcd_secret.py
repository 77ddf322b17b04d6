"""The Secret with which Rainbond 5.17 speaks to an etcd that is there already: the cluster's own, or another.

Its keys are ``ca-file``, ``cert-file`` and ``key-file``; without it none of the components that speak to etcd is ever
created, the gateway among them (goodrain/rainbond-operator@v5.17.2-release, controllers/handler/common.go and its
callers). The private key goes from its file to the API through memory alone.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.checks.services.etcd_certificates import LIMIT_BYTES, Material, described, flaws, last_day, read_material
from rbdtui.findings import Severity
from rbdtui.kube.session import Json
from rbdtui.plan.content import HIDDEN, diff, plain
from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.rainbond.values import ETCD_SECRET
from rbdtui.rainbond.workloads import NAMESPACE
from rbdtui.spec.model import ClusterSpec, Role
from rbdtui.spec.sections.etcd import EtcdMode
from rbdtui.transport.answers import UNREADABLE
from rbdtui.transport.base import Host, TransportError
from rbdtui.transport.files import read_file
from rbdtui.words import T

_PATH: Final = f"/api/v1/namespaces/{NAMESPACE}/secrets/{ETCD_SECRET}"
_KEYS: Final = ("ca-file", "cert-file", "key-file")
_TLS: Final = "/var/lib/rancher/rke2/server/tls/etcd"
SERVER_FILES: Final = (f"{_TLS}/server-ca.crt", f"{_TLS}/client.crt", f"{_TLS}/client.key")
"""What RKE2's API server itself shows to etcd (k3s-io/k3s, pkg/daemons/control/deps)."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the three come from."""

    place: str
    """A node, or nothing for this machine."""
    paths: tuple[str, ...]
    """Of authority, certificate and key."""
    material: Material | None = None
    """None while there is no cluster to read them from."""

    @property
    def command(self) -> str:
        """What somebody would type who does it by hand."""
        at = f"{self.place}:" if self.place else ""
        files = " ".join(f"--from-file={key}={at}{path}" for key, path in zip(_KEYS, self.paths, strict=True))
        return f"kubectl -n {NAMESPACE} create secret generic {ETCD_SECRET} {files}"


@dataclass(frozen=True, slots=True)
class _Seen:
    source: _Source
    is_there: bool


@dataclass(frozen=True, slots=True)
class EtcdSecret(Step):
    """Put authority, certificate and key of a client of etcd into Rainbond's namespace."""

    name: ClassVar[str] = "rainbond-etcd-secret"

    async def pending(self, context: StepContext) -> Pending[_Seen]:
        """The Secret, unless what is in there still opens the etcd of the plan; raises `StepError`."""
        title = T("plan.change.etcd_secret", name=ETCD_SECRET, namespace=NAMESPACE)
        if not has_api(context):
            source = _planned(context)
            return Pending((Change(ChangeKind.COMMAND, title, source.command),), seen=_Seen(source, False))
        source = await _source(context)
        assert source.material is not None
        async with open_api(context) as api:
            found = await api.kube.find(_PATH)
        present, seen = _read(found), _Seen(source, found is not None)
        if present is not None and _is_good(context.spec, present, source.material):
            return Pending(evidence="\n".join(_lines(present)), seen=seen)
        before = "\n".join(_lines(present)).encode() if present is not None else None
        changed = diff(f"{NAMESPACE}/{ETCD_SECRET}", before, plain("\n".join(_lines(source.material))))
        return Pending((Change(ChangeKind.COMMAND, title, f"{source.command}\n{changed}".rstrip()),), seen=seen)

    async def apply(self, context: StepContext, pending: Pending[_Seen]) -> None:
        """Make it, or bring it to its newest form; raises `StepError`."""
        material = pending.seen.source.material
        assert material is not None, "a plan that is carried out has its cluster"
        parts = (material.ca, material.cert, material.key)
        data = {key: base64.b64encode(part).decode() for key, part in zip(_KEYS, parts, strict=True)}
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": ETCD_SECRET, "namespace": NAMESPACE},
            "type": "Opaque",
            "data": data,
        }
        async with open_api(context) as api:
            await api.kube.apply(_PATH, body)
        if (last := last_day(material)) is not None:
            context.report.note(T("plan.note.etcd_secret_until", day=f"{last:%Y-%m-%d}"))
        if pending.seen.is_there:
            context.report.note(T("plan.note.etcd_secret_renewed", name=ETCD_SECRET, namespace=NAMESPACE))


def _planned(context: StepContext) -> _Source:
    """Where they will come from, before there is a cluster."""
    if context.spec.etcd.mode is EtcdMode.EXTERNAL:
        return _Source("", _own_paths(context.spec))
    servers = context.spec.nodes_with(Role.ETCD)
    return _Source(servers[0].name if servers else "", SERVER_FILES)


def _own_paths(spec: ClusterSpec) -> tuple[str, ...]:
    return (spec.etcd.ca or "", spec.etcd.cert or "", spec.etcd.key or "")


async def _source(context: StepContext) -> _Source:
    """The three with what is in them, proven to fit; raises `StepError`."""
    if context.spec.etcd.mode is EtcdMode.EXTERNAL:
        paths = _own_paths(context.spec)
        material = await asyncio.to_thread(read_material, *paths)
        if material is None:
            raise StepError("etcd_files_unreadable", paths=", ".join(paths))
        if faults := list(_faults(material, paths)):
            raise StepError("etcd_files_unusable", evidence="\n".join(faults))
        return _Source("", paths, material)
    said: list[str] = []
    for node in context.spec.nodes_with(Role.ETCD):
        if not context.takes_part(node.name):
            continue
        try:
            material = await _of_server(context.hosts[node.name])
        except TransportError as error:
            said.append(str(error))
            continue
        faults = list(_faults(material, SERVER_FILES)) if material is not None else ["-"]
        if material is not None and not faults:
            return _Source(node.name, SERVER_FILES, material)
        said += [f"{node.name}: {fault}" for fault in faults]
    raise StepError("etcd_files_of_servers", path=_TLS, evidence="\n".join(said), retryable=True)


async def _of_server(host: Host) -> Material | None:
    """What a server has; None where a file is missing. Raises `TransportError`."""
    parts = [await read_file(host, path, limit_bytes=LIMIT_BYTES) for path in SERVER_FILES]
    return Material(*(part for part in parts if part is not None)) if all(parts) else None


def _faults(material: Material, paths: tuple[str, ...]) -> Iterator[str]:
    """What makes them useless, one line each, raw."""
    named = dict(zip(("ca", "cert", "key"), paths, strict=True))
    for flaw in flaws(material):
        if flaw.severity is Severity.ERROR:
            yield f"{named[flaw.role]}: {flaw.code} {flaw.detail}".rstrip()


def _read(found: Json | None) -> Material | None:
    """What is in the Secret; None without it, and when it is not complete."""
    data = (found or {}).get("data") or {}
    try:
        return Material(*(base64.b64decode(data[key], validate=True) for key in _KEYS))
    except UNREADABLE:
        return None


def _is_good(spec: ClusterSpec, present: Material, source: Material) -> bool:
    """Whether nothing has to be renewed.

    The operator's own files decide by what is in them. Each server has a certificate of its own of the same authority,
    and any of them will do until it is about to expire.
    """
    if present == source:
        return True
    if spec.etcd.mode is EtcdMode.EXTERNAL or present.ca.strip() != source.ca.strip():
        return False
    found = flaws(present)
    if any(flaw.severity is Severity.ERROR for flaw in found):
        return False
    mine, theirs = last_day(present), last_day(source)
    return not found or mine is None or theirs is None or theirs <= mine


def _lines(material: Material) -> Iterator[str]:
    """The three as anybody may see them."""
    for key, part in zip(_KEYS, (material.ca, material.cert), strict=False):
        yield f"{key}: {described(part)}"
    yield f"{_KEYS[-1]}: {HIDDEN}"
