"""Whether the nodes can push to and pull from the external registry: scheme, certificate, login, namespace, images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rbdtui.checks.services import registry_findings
from rbdtui.checks.services.asking import THIS_MACHINE, Asking
from rbdtui.checks.services.registry_answer import (
    Fault,
    RegistryAnswer,
    RegistryError,
    RegistryFailure,
    RegistryQuestion,
)
from rbdtui.checks.services.registry_client import Account, RegistryAt, client_of
from rbdtui.checks.services.registry_tls import certificate_troubles, trust, try_tls
from rbdtui.checks.services.registry_trial import Trial, missing_images
from rbdtui.checks.services.witnesses import reach_code
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding
from rbdtui.rainbond.images import build_images, needed_images
from rbdtui.rainbond.releases import release_of
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.sections.registry import RegistryMode, RegistryScheme
from rbdtui.spec.values import SECRET_PREFIX
from rbdtui.transport.base import Reach

_REACH_S: Final = 3.0
_MILD: Final = frozenset({Fault.EXPIRES_SOON})
"""Faults of a certificate with which the talk can go on."""

_UNREADABLE: Final = frozenset({Fault.NO_PULL, Fault.NO_NAMESPACE})


class RegistryCheck:
    """The external registry as builds and nodes will use it."""

    name = "registry"
    field = "registry.domain"
    logs_in = True

    def question(self, spec: ClusterSpec) -> RegistryQuestion | None:
        """The registry and its account, once its domain is written."""
        registry = spec.registry
        if "registry" not in spec.profile.sections or registry.mode is not RegistryMode.EXTERNAL:
            return None
        if registry.domain is None:
            return None
        https = registry.scheme is RegistryScheme.HTTPS
        host, _, port = registry.domain.partition(":")
        return RegistryQuestion(
            host=host,
            port=int(port or (443 if https else 80)),
            https=https,
            namespace=registry.namespace or "",
            username=registry.username or "",
            secret=(registry.password or "").removeprefix(SECRET_PREFIX),
            ca=registry.ca or "",
            verify=not registry.insecure_skip_verify,
            images=_images(spec),
        )

    def hosts(self, spec: ClusterSpec) -> Sequence[str]:
        """Every node, since each pulls its images by itself; and this machine, for comparison."""
        return [*(node.name for node in spec.cluster_nodes), THIS_MACHINE]

    async def ask(self, question: RegistryQuestion, asking: Asking) -> RegistryAnswer:
        """Reach it, look at its certificate, log in, push and pull a throw-away image. Raises `TransportError`."""
        reach = await asking.reach(question.host, question.port, timeout_s=_REACH_S)
        if reach.reach is not Reach.OPEN:
            return RegistryAnswer((RegistryFailure(Fault.OBSTACLE, reach.detail, reach_code(reach), reach.detail),))
        troubles: list[RegistryFailure] = []
        try:
            at = await _proven(question, asking, troubles)
            if at is not None:
                await _use(question, asking, at, troubles)
        except RegistryError as error:
            troubles.append(error.trouble)
        except OSError as error:
            troubles.append(RegistryFailure(Fault.BROKEN, str(error)[:300]))
        return RegistryAnswer(tuple(troubles))

    def judge(
        self, question: RegistryQuestion, answers: Mapping[str, RegistryAnswer], view: ClusterView
    ) -> Iterator[Finding]:
        """One finding for all places that see the same."""
        return registry_findings.judge(question, answers, view)


CHECK: Final = RegistryCheck()


def _images(spec: ClusterSpec) -> tuple[str, ...]:
    """What has to be there before a run; nothing while only the bundle knows the release.

    What the run pushes itself is not missed: that the bundle has it is for `verify_bundle` to say.
    """
    release = release_of(spec.rainbond.version or "")
    if release is None:
        return ()
    pushed = () if spec.installs_rainbond else needed_images(spec, release)
    return (*pushed, *build_images(release))


async def _proven(question: RegistryQuestion, asking: Asking, troubles: list[RegistryFailure]) -> RegistryAt | None:
    """How to speak to it; None when nothing may be said to it, least of all a password."""
    async with asking.towards(question.host, question.port) as place:
        shown = await try_tls(place, question.host)
        if not question.https:
            if shown.certificate:
                raise RegistryError(Fault.IS_HTTPS)
            return RegistryAt(question.host, question.port, None)
        if not shown.certificate:
            plain = RegistryAt(question.host, question.port, None)
            async with client_of(asking, plain, Account()) as client:
                await _only_a_registry(client.hello())
            raise RegistryError(Fault.IS_HTTP)
        context = trust(question.ca, verify=question.verify)
        if question.verify:
            troubles += await certificate_troubles(place, question.host, context)
            if any(trouble.fault not in _MILD for trouble in troubles):
                return None
        return RegistryAt(question.host, question.port, context)


async def _only_a_registry(hello: object) -> None:
    """Have a registry say hello; one that wants a login is one all the same."""
    try:
        await hello  # type: ignore[misc]
    except RegistryError as error:
        if error.trouble.fault is not Fault.LOGIN_NEEDED:
            raise


async def _use(question: RegistryQuestion, asking: Asking, at: RegistryAt, troubles: list[RegistryFailure]) -> None:
    password = asking.secret(question.secret) if question.secret else ""
    known = password is not None
    account = Account(question.username, password or "") if known else Account()
    async with client_of(asking, at, account) as client:
        try:
            await client.hello()
        except RegistryError as error:
            if error.trouble.fault is Fault.LOGIN_NEEDED and not known:
                raise RegistryError(Fault.NOT_LOGGED_IN) from error
            raise
        if not known:
            raise RegistryError(Fault.NOT_LOGGED_IN)
        trial = Trial(client, question.namespace)
        try:
            await trial.run()
        finally:
            troubles += trial.troubles
        if any(trouble.fault in _UNREADABLE for trouble in troubles):
            return
        missing = list(await missing_images(client, question.namespace, question.images))
        if missing:
            troubles.append(RegistryFailure(Fault.MISSING, ", ".join(missing), len(missing)))
