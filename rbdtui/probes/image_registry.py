"""The image registry outside of the cluster: whether it answers nodes as a registry does. Nothing secret is sent.

``/v2/`` answers 200, or 401 to those who have to log in (OCI Distribution Specification, "Determining Support").
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Final

from rbdtui.probes.model import CLUSTER, Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, ProbeContext, Question
from rbdtui.probes.routes import Reply, by_way, failure_text
from rbdtui.probes.wire import HttpAnswer, Place, http_get, trusting_context
from rbdtui.spec.sections.registry import Registry, RegistryMode, RegistryScheme
from rbdtui.words import T

IMAGE_REGISTRY: Final = ProbeKind("registry", 106, column="svc", is_shared=True)


def judge_registry(key: ProbeKey, asked: str, reply: Reply[HttpAnswer]) -> Answer:
    """What a reply of the registry is worth."""
    answer = reply.value
    if answer is None:
        state = ProbeState.DOWN if reply.told else ProbeState.UNKNOWN
        return Answer(key, state, by_way(failure_text(reply), reply.via), None, asked, reply.evidence)
    state, detail = ProbeState.OK, T("probe.registry.ok", status=answer.status)
    if answer.status not in (200, 401):
        state = ProbeState.DOWN if answer.status >= 500 else ProbeState.DEGRADED
        detail = T("probe.registry.status", status=answer.status)
    return Answer(key, state, by_way(detail, reply.via), answer.latency_ms, asked, answer.evidence)


def _trust(registry: Registry) -> ssl.SSLContext:
    """TLS as far as nodes can be followed: with the authority that cluster.yaml names, else any certificate."""
    if registry.insecure_skip_verify or not registry.ca:
        return trusting_context()
    context = ssl.create_default_context(cafile=registry.ca)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


class RegistryQuestion:
    """The registry as the nodes see it."""

    def __init__(self, around: ProbeContext) -> None:
        self._around = around
        self._registry = around.spec.registry
        self._is_https = self._registry.scheme is RegistryScheme.HTTPS
        self._domain = self._registry.domain or ""
        host, _, port = self._domain.partition(":")
        self._host, self._port = host, int(port) if port.isdigit() else 443 if self._is_https else 80
        self.keys = (ProbeKey(IMAGE_REGISTRY, CLUSTER, self._port),)
        self.interval_s = around.settings.cadence.services_s
        self.limit_s = around.settings.limits.script_s * 3

    async def ask(self, post: Post) -> None:
        limits = self._around.settings.limits
        tls = _trust(self._registry) if self._is_https else None

        async def question(place: Place) -> HttpAnswer:
            return await http_get(
                place, "/v2/", host=self._domain, connect_s=limits.connect_s, answer_s=limits.answer_s,
                tls=tls, server_name=self._host if tls else None,
            )  # fmt: skip

        reply = await self._around.ask_from_nodes(self._host, self._port, question)
        post(judge_registry(self.keys[0], f"GET {self._registry.scheme}://{self._domain}/v2/", reply))


def _questions(around: ProbeContext) -> Iterator[Question]:
    registry = around.spec.registry
    if "registry" in around.spec.profile.sections and registry.mode is RegistryMode.EXTERNAL and registry.domain:
        yield RegistryQuestion(around)


PROBE: Final = Probe("registry", (IMAGE_REGISTRY,), _questions)
