"""What a reset would find: every host asked what is left there, and whose that is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rbdtui.bundle.scan import open_bundle
from rbdtui.engine.client import RunClient
from rbdtui.engine.inputs import is_reset
from rbdtui.engine.journal import JournalError
from rbdtui.engine.state import RunState, StepStatus
from rbdtui.errors import StepError
from rbdtui.plan.cluster import TOKEN_SECRET
from rbdtui.plan.preview import PreviewedStep, SilentReporter, preview
from rbdtui.plan.removal.kubesphere import build_kubesphere_reset
from rbdtui.plan.removal.ownership import Ownership, ownership
from rbdtui.plan.removal.rainbond import build_rainbond_reset
from rbdtui.plan.removal.residue import HostResidue, look
from rbdtui.plan.removal.steps import ForgetHost
from rbdtui.plan.step import NO_RUN_YET, Plan, StepContext
from rbdtui.session import Session
from rbdtui.site import Site
from rbdtui.together import together
from rbdtui.transport.base import Host, TransportError
from rbdtui.words import Text

_CHANGED = frozenset({StepStatus.CHANGED, StepStatus.RUNNING, StepStatus.FAILED, StepStatus.RETRYING})


@dataclass(frozen=True, slots=True)
class HostSurvey:
    """What there is to say of one host."""

    node: str
    left: HostResidue | None = None
    """None when the host does not answer."""
    ownership: Ownership | None = None
    error: Text | None = None

    @property
    def is_to_reset(self) -> bool:
        """Whether a reset has anything to do there."""
        return self.ownership is Ownership.OURS and self.left is not None and bool(self.left.items)

    @property
    def is_clean(self) -> bool:
        """Whether nothing of ours is there."""
        return self.left is not None and not self.left.items


async def survey(session: Session, nodes: Sequence[str]) -> list[HostSurvey]:
    """Ask these hosts, side by side; changes nothing. Raises `SiteError`, `VaultError`."""
    token = _token(session)
    runs = frozenset(session.site.run_ids())
    async with session.hosts() as hosts:
        found = await together(*(_look(session, hosts[node]) for node in nodes))
    worked_on: Mapping[str, bool] = {}
    if any(isinstance(left, HostResidue) and left.items and left.claim is None for left in found):
        worked_on = await asyncio.to_thread(_worked_on, session.site)
    surveys = []
    for node, left in zip(nodes, found, strict=True):
        if isinstance(left, TransportError):
            surveys.append(HostSurvey(node, error=left.text))
            continue
        owner = ownership(left, session.spec, token=token, runs=runs, worked_on=worked_on.get(node, False))
        surveys.append(HostSurvey(node, left, owner))
    return surveys


async def preview_rainbond(session: Session, nodes: Sequence[str], *, keep_secrets: bool) -> list[PreviewedStep]:
    """What taking back Rainbond alone would change; changes nothing. Raises `SiteError`, `VaultError`."""
    return await _preview(session, build_rainbond_reset(session.spec, nodes, keep_secrets=keep_secrets))


async def preview_kubesphere(session: Session) -> list[PreviewedStep]:
    """The same of KubeSphere."""
    return await _preview(session, build_kubesphere_reset())


async def _preview(session: Session, plan: Plan) -> list[PreviewedStep]:
    async with session.hosts() as hosts:
        context = StepContext(
            run_id=NO_RUN_YET, spec=session.spec, facts={}, hosts=hosts, bundle=open_bundle(session.site.path),
            secret=_secret_of(session), report=SilentReporter(), site_dir=session.site.path,
        )  # fmt: skip
        return await preview(plan, context)


def _secret_of(session: Session) -> Callable[[str], str]:
    def secret(name: str) -> str:
        if not session.site.vault_file.exists() or name not in session.unlock():
            raise StepError("secret_not_handed_over", name=name)
        return session.unlock().get(name)

    return secret


async def _look(session: Session, host: Host) -> HostResidue | TransportError:
    try:
        return await look(host, session.spec, sizes=True)
    except TransportError as error:
        return error


def _token(session: Session) -> str | None:
    """The cluster's token; None when the vault has none, or is gone."""
    if not session.site.vault_file.exists():
        return None
    vault = session.unlock()
    return vault.get(TOKEN_SECRET) if TOKEN_SECRET in vault else None


def _states(site: Site) -> list[tuple[bool, RunState]]:
    """The runs that can be read, oldest first, each with whether it is a reset."""
    states = []
    for run_id in site.run_ids():
        with suppress(JournalError):
            states.append((is_reset(site.run_dir(run_id)), RunClient(site.run_dir(run_id)).state()))
    return states


def _worked_on(site: Site) -> dict[str, bool]:
    """By node: whether a run has changed it since it was last reset to the end."""
    worked_on: dict[str, bool] = {}
    for is_removal, state in _states(site):
        for step in state.steps.values():
            if not is_removal and step.status in _CHANGED:
                worked_on[step.info.node] = True
            elif is_removal and step.info.name == ForgetHost.name and step.status is StepStatus.CHANGED:
                worked_on[step.info.node] = False
    return worked_on


def nodes_of_old_runs(session: Session) -> list[str]:
    """Nodes that runs changed and that cluster.yaml names no more: nobody can log in to them."""
    known = {node.name for node in session.spec.nodes}
    return sorted(node for node, changed in _worked_on(session.site).items() if changed and node and node not in known)
