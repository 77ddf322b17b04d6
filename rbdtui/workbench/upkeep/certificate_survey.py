"""Until when the certificates of a cluster are good, and what renewing those of RKE2 would be started with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rbdtui.engine.inputs import Purpose, PurposeKind
from rbdtui.kube.kubeconfig import MOST_BYTES, KubeconfigError, parse_kubeconfig
from rbdtui.plan.certificates import (
    RENEWED_WITHIN_DAYS,
    CertificateKind,
    NodeCertificate,
    certificates_on,
    first_certificate,
)
from rbdtui.plan.recipes.renew import NODES, RECIPE, SINCE
from rbdtui.session import Session
from rbdtui.site import Site, SiteError
from rbdtui.together import together
from rbdtui.transport.base import Host, TransportError
from rbdtui.words import T, Text
from rbdtui.workbench.upkeep.served_certificates import served_certificates

SOON_DAYS: Final = 30
_DAY_S: Final = 86400.0
KUBECONFIG: Final = "kubeconfig"


@dataclass(frozen=True, slots=True)
class CertificateLine:
    """Certificates of one kind in one place; what is told is the one that ends first."""

    node: str
    """Empty for this machine; the address and port of a server outside of the site."""
    kind: str
    """A `CertificateKind`, a `ServedKind`, or `KUBECONFIG`."""
    first: str
    """The file of the one that ends first, or the address and port that shows it."""
    count: int
    end: float
    """Unix time."""

    @property
    def renewed_from(self) -> float | None:
        """From when on a start of RKE2 renews it, Unix time; None for what nothing renews by itself."""
        renews = self.kind in (CertificateKind.SERVER, CertificateKind.AGENT, CertificateKind.ETCD)
        return self.end - RENEWED_WITHIN_DAYS * _DAY_S if renews else None

    def days_left(self, at: float) -> int:
        """Whole days until it ends; negative when it has ended."""
        return int((self.end - at) // _DAY_S)

    def is_soon(self, at: float) -> bool:
        """Whether it is high time, or over."""
        return self.days_left(at) < SOON_DAYS


@dataclass(frozen=True, slots=True)
class Certificates:
    """What was found."""

    lines: tuple[CertificateLine, ...] = ()
    """The one that ends first comes first."""
    silent: Mapping[str, Text] = field(default_factory=dict)
    """Nodes that could not be asked, and why."""


async def find_certificates(session: Session) -> Certificates:
    """Ask all nodes of the cluster, and read the kubeconfig here; raises `SiteError`."""
    async with session.hosts() as hosts:
        return await certificates_of(session, hosts)


async def certificates_of(session: Session, hosts: Mapping[str, Host]) -> Certificates:
    """The same, of hosts that are at hand."""
    names = [node.name for node in session.spec.managed_cluster_nodes]
    if not names:
        raise SiteError(T("certs.not_ours"))

    async def ask(host: Host) -> Sequence[NodeCertificate] | TransportError:
        try:
            return await certificates_on(host)
        except TransportError as error:
            return error

    answers, served = await together(
        together(*(ask(hosts[name]) for name in names)), served_certificates(session.spec, hosts)
    )
    by_node = dict(zip(names, answers, strict=True))
    lines = [
        line
        for name, found in by_node.items()
        for line in _lines(name, found if not isinstance(found, TransportError) else ())
    ]
    here = await asyncio.to_thread(_kubeconfig_here, session.site)
    lines += [here] if here is not None else []
    for each in served:
        port = f"{each.at.server_name}:{each.at.port}"
        lines.append(CertificateLine(each.at.where, each.at.kind.value, port, 1, each.end))
    silent = {name: found.text for name, found in by_node.items() if isinstance(found, TransportError)}
    return Certificates(tuple(sorted(lines, key=lambda line: (line.end, line.node, line.kind))), silent)


def _lines(node: str, found: Iterable[NodeCertificate]) -> Iterable[CertificateLine]:
    kinds: dict[CertificateKind, list[NodeCertificate]] = {}
    for each in found:
        kinds.setdefault(each.kind, []).append(each)
    for kind, some in kinds.items():
        first = min(some, key=lambda each: each.end)
        yield CertificateLine(node, kind.value, first.path, len(some), first.end)


def _kubeconfig_here(site: Site) -> CertificateLine | None:
    """The one that `run` has written; None without one, or for one that is not ours to judge."""
    try:
        with site.kubeconfig_file.open("rb") as stream:
            certificate = first_certificate(parse_kubeconfig(stream.read(MOST_BYTES + 1)).certificate)
    except (OSError, KubeconfigError):
        return None
    if certificate is None:
        return None
    return CertificateLine("", KUBECONFIG, site.kubeconfig_file.name, 1, certificate.not_valid_after_utc.timestamp())


def renew_purpose(session: Session, nodes: Sequence[str] = ()) -> Purpose:
    """What a run is for that renews them, of the named nodes or of all; raises `SiteError`."""
    known = [node.name for node in session.spec.managed_cluster_nodes]
    if not known:
        raise SiteError(T("certs.not_ours"))
    if unknown := [name for name in nodes if name not in known]:
        raise SiteError(T("reset.no_such_node", given=", ".join(unknown), known=", ".join(known)))
    arguments = {SINCE: f"{time.time():.0f}", NODES: " ".join(nodes)}
    return Purpose(PurposeKind.RECIPE, recipe=RECIPE.name, arguments=arguments)
