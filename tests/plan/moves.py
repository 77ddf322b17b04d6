"""What tests of moves have in common: a runner's way through steps, and one that is killed on it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from rbdtui.errors import StepError
from rbdtui.kube.session import KubeSession
from rbdtui.plan.step import Step, StepContext
from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.kubernetes.store import Store
from tests.plan.support import Bench


def cluster_of(at: Bench) -> Cluster:
    cluster = next(iter(at.fleet.network.clusters.values()))
    assert isinstance(cluster, Cluster)
    return cluster


def store_of(at: Bench) -> Store:
    return cluster_of(at).store


async def carried(context: StepContext, planned: Sequence[Step]) -> list[str]:
    """What a run does; the names of the steps that did something. An API that starves is asked again, as there."""
    did = []
    for step in planned:
        for attempt in range(10):
            try:
                pending = await step.pending(context)
                if not pending.is_done:
                    await step.apply(context, pending)
                    await step.verify(context)
                    did.append(step.name)
                break
            except StepError as error:
                if error.code != "kube_silent" or attempt == 9:
                    raise
    return did


class KilledError(BaseException):
    """The runner is gone: nothing of its own cleans up."""


@contextmanager
def killed_after(monkeypatch: pytest.MonkeyPatch, changes: int) -> Any:
    """After so many requests that change something, nothing comes through any more."""
    real = {name: getattr(KubeSession, name) for name in ("create", "patch", "delete", "get", "find")}
    left = [changes]

    def counted(name: str) -> Any:
        async def ask(self: KubeSession, path: str, *rest: Any) -> Any:
            if name in ("create", "patch", "delete"):
                left[0] -= 1
            if left[0] < 0:
                raise KilledError
            return await real[name](self, path, *rest)

        return ask

    with monkeypatch.context() as patched:
        for name in real:
            patched.setattr(KubeSession, name, counted(name))
        yield
