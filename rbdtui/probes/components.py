"""Rainbond's components by their workloads, the storage that they claim, and the causes of what is not well.

Never by the operator's own status: it is a snapshot of the moment in which a component first was ready
(goodrain/rainbond-operator@v6.2.1-release, controllers/rbdcomponent_controller.go).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Final

from rbdtui.kube.kubeconfig import Kubeconfig
from rbdtui.kube.mirror import mirrored
from rbdtui.kube.session import KubeError, KubeSession
from rbdtui.masking import mask
from rbdtui.probes.api_session import NoApiError, api_session
from rbdtui.probes.model import CLUSTER, Answer, Expectation, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.namespace import explained, look
from rbdtui.probes.question import Post, Probe, ProbeContext, Question, Stage
from rbdtui.rainbond.components import Component, used_components
from rbdtui.rainbond.releases import Release, release_of
from rbdtui.rainbond.why import Cause, why
from rbdtui.rainbond.workloads import (
    CONTROLLERS,
    LISTS,
    OPERATOR,
    Json,
    Judgement,
    Seen,
    Standing,
    entries,
    judge,
    name_of,
)
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import T, Text

COMPONENT: Final = ProbeKind("component", 107, column="svc", is_measured=True)
"""One component."""
CLAIMS: Final = ProbeKind("claims", 108, column="svc", is_measured=True)
"""Whether every volume that Rainbond claims is there."""
_WATCHED: Final = {kind: LISTS[kind] for kind in ("PersistentVolumeClaim", *CONTROLLERS, "Pod")}
_FOR_CAUSES: Final = tuple(kind for kind in LISTS if kind not in _WATCHED)
"""What is listed only where something is not ready."""
_UNSEEN_S: Final = 3.0
"""A controller takes a moment to see a changed workload, and Rainbond's operator may write one anew every few seconds:
as long as it has not settled, which a gateway with other replicas than nodes never does."""
_USUAL: Final = "v6.2.1-release"
_USUAL_OLD: Final = "v5.17.3-release"


def planned(spec: ClusterSpec, release: Release) -> dict[str, Component]:
    """The components that a plan has, by name."""
    return {part.name: part for part in used_components(spec, release)}


def named_release(spec: ClusterSpec) -> Release:
    """The release of the plan, else one of its generation: their components have the same names."""
    usual = _USUAL_OLD if spec.profile.versions is not None and spec.profile.versions[0].major < 6 else _USUAL
    found = release_of(spec.rainbond.version or usual) or release_of(usual)
    assert found is not None
    return found


def running_release(seen: Seen, otherwise: Release) -> Release:
    """The release that is installed, by the image of its operator."""
    operator = seen.find("Deployment", OPERATOR) or {}
    template = ((operator.get("spec") or {}).get("template") or {}).get("spec") or {}
    for container in entries(template.get("containers")):
        tag = str(container.get("image", "")).rpartition(":")[2]
        if (found := release_of(tag)) is not None:
            return found
    return otherwise


def judge_component(key: ProbeKey, asked: str, judgement: Judgement, causes: Sequence[Cause]) -> Answer:
    """What a component's workload and its causes are worth: down when nothing of it is ready, else degraded."""
    if judgement.is_ready:
        detail = T("probe.component.ready", ready=judgement.ready, wanted=judgement.wanted)
        return Answer(key, ProbeState.OK, detail, None, asked, judgement.evidence)
    state = ProbeState.DOWN if judgement.ready == 0 else ProbeState.DEGRADED
    detail = T("probe.component.unready", ready=judgement.ready, wanted=judgement.wanted)
    if judgement.standing is Standing.DIFFERENT and not causes:
        detail = T("probe.component.different", wanted=judgement.wanted)
    if causes:
        detail = T("probe.component.because", ready=judgement.ready, wanted=judgement.wanted, cause=causes[0].text)
    lines = [judgement.evidence, *(f"{cause.kind.value}: {cause.pod} {cause.detail}".strip() for cause in causes)]
    remedy = causes[0].remedy if causes else None
    return Answer(key, state, detail, None, asked, "\n".join(lines), remedy=remedy)


def images_of(workload: Json | None) -> list[str]:
    """What a workload runs, by name and tag, one line each: its version is in the tag."""
    template = (((workload or {}).get("spec") or {}).get("template") or {}).get("spec") or {}
    images = [str(container.get("image", "")) for container in entries(template.get("containers"))]
    return [f"image {image.rpartition('/')[2]}" for image in images if image]


def judge_claims(key: ProbeKey, asked: str, claims: Sequence[Json]) -> Answer:
    """Claims that are not bound; one that waits for its first pod is told by its component."""
    phases = {name_of(claim): str((claim.get("status") or {}).get("phase", "")) for claim in claims}
    evidence = "\n".join(f"{name} {phase}" for name, phase in phases.items())
    loose = [name for name, phase in phases.items() if phase != "Bound"]
    if not loose:
        detail = T("probe.claims.bound", count=len(phases))
        return Answer(key, ProbeState.OK, detail, None, asked, evidence)
    state = ProbeState.DOWN if "Lost" in phases.values() else ProbeState.DEGRADED
    detail = T("probe.claims.loose", names=", ".join(loose)[:300], count=len(phases))
    return Answer(key, state, detail, None, asked, evidence)


class ComponentsQuestion:
    """All components of one site."""

    def __init__(self, around: ProbeContext) -> None:
        self._around = around
        self._claims = ProbeKey(CLAIMS, CLUSTER)
        self._release = named_release(around.spec)
        self._unseen_since: dict[str, float] = {}
        """By component, from when on its controller has not seen its newest form though all pods are ready."""
        names = planned(around.spec, self._release)
        self._keys = {name: ProbeKey(COMPONENT, CLUSTER, part=name) for name in names}
        self.keys = (*self._keys.values(), self._claims)
        self.interval_s = around.settings.cadence.cluster_s
        self.limit_s = around.settings.limits.script_s * 4

    async def ask(self, post: Post) -> None:
        """One look over a connection of its own."""
        if (credentials := await self._credentials(post)) is None:
            return
        async with self._session(credentials, post) as session:
            if session is not None:
                await self._look(session, post)

    async def follow(self, post: Post) -> None:
        """As a watch tells of them; every interval that it lives through is an answer, too."""
        if (credentials := await self._credentials(post)) is None:
            return
        async with self._session(credentials, post) as session:
            if session is None:
                return
            try:
                async with mirrored(session, _WATCHED, look_every_s=self.interval_s) as mirror:
                    await mirror.complete()
                    answers: list[Answer] = []
                    changed = True
                    while self._around.rainbond is not False and self._around.credentials() is credentials:
                        # Of what is not well the causes may change though no workload does.
                        if changed or self._unseen_since or not all(answer.state.good for answer in answers):
                            seen = Seen({kind: mirror.of(kind) for kind in _WATCHED})
                            answers = []
                            async with asyncio.timeout(self.limit_s):
                                await self._tell(session, seen, answers.append)
                        for answer in answers:
                            post(answer)
                        changed = await mirror.news(self.interval_s)
            except KubeError as error:
                self._post_silence(post, mask(str(error)))

    async def _credentials(self, post: Post) -> Kubeconfig | None:
        """What to ask with; None where nothing can be asked, which is posted then."""
        expected = self._around.expectation()
        if expected is Expectation.UNSURE and not self._around.rainbond_asked.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._around.settings.limits.script_s):
                    await self._around.rainbond_asked.wait()
            expected = self._around.expectation()
        if expected in (Expectation.CLOSED, Expectation.UNUSED):
            self._post_all(post, ProbeState.EXPECTED, T("probe.component.not_yet"))
            return None
        credentials = self._around.credentials()
        if credentials is None:
            self._post_all(post, ProbeState.UNKNOWN, T("probe.component.unasked", reason=T("probe.trouble.no_way")))
        return credentials

    @asynccontextmanager
    async def _session(self, credentials: Kubeconfig, post: Post) -> AsyncIterator[KubeSession | None]:
        """A session with the first API server that can be reached; None when there is none, which is posted then."""
        try:
            async with api_session(self._around, credentials) as (kube, _):
                yield kube
        except NoApiError as error:
            self._post_silence(post, str(error))
            yield None

    async def _look(self, kube: KubeSession, post: Post) -> None:
        """Judge everything once."""
        try:
            await self._tell(kube, await look(kube, *_WATCHED), post)
        except KubeError as error:
            self._post_silence(post, mask(str(error)))

    async def _tell(self, kube: KubeSession, seen: Seen, post: Post) -> None:
        """Judge what was seen, and where something is not ready look for causes; raises `KubeError`."""
        asked = f"GET {LISTS['Deployment'].rpartition('/')[0]}/…"
        self._release = running_release(seen, self._release)
        wanted = planned(self._around.spec, self._release)
        judged = {name: self._settled(judge(wanted[name], seen)) for name in self._keys if name in wanted}
        if any(not judgement.is_ready for judgement in judged.values()):
            more = await look(kube, *_FOR_CAUSES)
            seen = Seen({**seen.items, **more.items})
        for name, key in self._keys.items():
            if (judgement := judged.get(name)) is None:
                post(Answer(key, ProbeState.EXPECTED, T("probe.component.unused"), None, asked))
                continue
            causes = [await explained(kube, cause) for cause in why(judgement, seen)]
            answer = judge_component(key, asked, judgement, causes)
            lines = [answer.evidence, *images_of(seen.find(judgement.kind, name))]
            post(replace(answer, evidence="\n".join(lines)))
        post(judge_claims(self._claims, asked, seen.of("PersistentVolumeClaim")))

    def _settled(self, judgement: Judgement) -> Judgement:
        """A workload whose controller has not seen it for a moment is as it was, if all of its pods are ready."""
        if judgement.standing is not Standing.STALE or judgement.ready < judgement.wanted:
            self._unseen_since.pop(judgement.name, None)
            return judgement
        now = time.monotonic()
        if now - self._unseen_since.setdefault(judgement.name, now) > _UNSEEN_S:
            return judgement
        return replace(judgement, standing=Standing.READY)

    def _post_silence(self, post: Post, reason: str) -> None:
        self._post_all(post, ProbeState.UNKNOWN, T("probe.component.unasked", reason=reason[:300]))

    def _post_all(self, post: Post, state: ProbeState, detail: Text) -> None:
        for key in self.keys:
            post(Answer(key, state, detail))


def _questions(around: ProbeContext) -> Iterator[Question]:
    if around.spec.profile.has_gateway and "rainbond" in around.spec.profile.sections:
        yield ComponentsQuestion(around)


PROBE: Final = Probe("rainbond", (COMPONENT, CLAIMS), _questions, Stage.GATEWAYS)
