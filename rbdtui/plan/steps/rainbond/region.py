"""Rainbond's API as the console calls it: with the client certificate of ``region-config``, and its own authority.

Authority and server have the same subject and serial and no key id, which OpenSSL takes for self-signed and refuses,
and Go, in which Rainbond is written, accepts (goodrain/rainbond-operator@v6.2.1-release, util/commonutil/cert.go).
So no chain is built here: the server's certificate must bear the authority's signature and name the address.
"""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from rbdtui.kube.kubeconfig import in_memory
from rbdtui.kube.session import Json, KubeSession
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.rainbond.access import LIMITS, ways
from rbdtui.probes.certificates import REGION_PORT
from rbdtui.probes.gateway import certificate_names
from rbdtui.probes.routes import Target
from rbdtui.probes.wire import HttpAnswer, Place, http_get, tls_hello, trusting_context
from rbdtui.rainbond.workloads import NAMESPACE
from rbdtui.transport.answers import UNREADABLE

_CONFIG_PATH: Final = f"/api/v1/namespaces/{NAMESPACE}/configmaps/region-config"
_HEALTH: Final = "/v2/health"


@dataclass(frozen=True, slots=True)
class RegionConfig:
    """What the console is given to call the API with."""

    authority: bytes
    """PEM."""
    certificate: bytes
    key: bytes = field(repr=False)

    @classmethod
    def read(cls, config: Json) -> RegionConfig | None:
        """From the ConfigMap; None while it is not complete."""
        data = config.get("binaryData") or {}
        try:
            parts = [base64.b64decode(data[key], validate=True) for key in ("ca.pem", "client.pem", "client.key.pem")]
        except UNREADABLE:
            return None
        return cls(*parts)

    def identity(self) -> ssl.SSLContext:
        """TLS that shows the client certificate and builds no chain; raises `ssl.SSLError`."""
        context = trusting_context()
        with in_memory(self.certificate + b"\n" + self.key) as file:
            if file is not None:
                context.load_cert_chain(file)
        return context

    def faults(self, server: bytes, address: str) -> list[str]:
        """What is wrong with the server's certificate (DER), raw."""
        try:
            shown = x509.load_der_x509_certificate(server)
            shown.verify_directly_issued_by(x509.load_pem_x509_certificate(self.authority))
        except InvalidSignature:
            return [f"{REGION_PORT}: the certificate is not signed by the authority in region-config"]
        except (*UNREADABLE, x509.InvalidVersion) as error:
            return [f"{REGION_PORT}: certificate: {type(error).__name__}: {error}"]
        names = certificate_names(server)
        return [] if address in names else [f"{REGION_PORT}: the certificate names {', '.join(names)}, not {address}"]


async def region_config(kube: KubeSession) -> RegionConfig | None:
    """What the operator made for the console; None while it is not there or not complete. Raises `KubeError`."""
    found = await kube.find(_CONFIG_PATH)
    return RegionConfig.read(found) if found is not None else None


async def wrong_region_api(context: StepContext, kube: KubeSession, address: str) -> list[str]:
    """What keeps the API from answering a client that shows its certificate, raw; raises `KubeError`."""
    config = await region_config(kube)
    if config is None:
        return ["configmap/region-config: absent or not complete"]
    try:
        identity = config.identity()
    except ssl.SSLError as error:
        return [f"configmap/region-config: client certificate: {error}"]

    async def ask(place: Place) -> tuple[bytes, HttpAnswer]:
        connect_s, answer_s = LIMITS.connect_s, LIMITS.answer_s
        hello = await tls_hello(place, server_name=address, connect_s=connect_s, answer_s=answer_s)
        answer = await http_get(
            place,
            _HEALTH,
            host=f"{address}:{REGION_PORT}",
            connect_s=connect_s,
            answer_s=answer_s,
            tls=identity,
            server_name=address,
        )
        return hello.certificate, answer

    reply = await ways(context).ask(Target(address, REGION_PORT), ask)
    if reply.value is None:
        return [f"https://{address}:{REGION_PORT}{_HEALTH}: {reply.trouble or 'no way'} {reply.evidence}".strip()]
    certificate, answer = reply.value
    faults = config.faults(certificate, address)
    if answer.status != 200:
        faults.append(f"https://{address}:{REGION_PORT}{_HEALTH}: HTTP {answer.status}")
    return faults
