"""A session with the first API server that answers, over a way that stays open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from rbdtui.kube.kubeconfig import Kubeconfig
from rbdtui.kube.session import KubeError, KubeSession, load_client, open_session
from rbdtui.probes.question import ProbeContext
from rbdtui.probes.routes import Target
from rbdtui.probes.wire import WireError


class NoApiError(Exception):
    """No API server answers us; its words are why, raw."""


@asynccontextmanager
async def api_session(around: ProbeContext, credentials: Kubeconfig) -> AsyncIterator[tuple[KubeSession, str]]:
    """A session, and the node that it goes through (empty: straight); raises `NoApiError` before the block only.

    The address that everybody uses comes first. A server that cannot do its work is passed over (``/readyz``).
    """
    # Its seconds belong to no question's time limit.
    await load_client()
    reasons: list[str] = []
    async with AsyncExitStack() as stack:
        opened = None
        for target in around.api_targets():
            attempt = AsyncExitStack()
            try:
                opened = await _open(around, target, credentials, attempt)
            except (WireError, KubeError, OSError, TimeoutError) as error:
                await attempt.aclose()
                reasons.append(f"{target.address}: {error}")
                continue
            except BaseException:
                await attempt.aclose()
                raise
            stack.push_async_exit(attempt)
            break
        if opened is None:
            raise NoApiError("; ".join(reasons)[:300] or "?")
        yield opened


async def _open(
    around: ProbeContext, target: Target, credentials: Kubeconfig, stack: AsyncExitStack
) -> tuple[KubeSession, str]:
    place, via = await stack.enter_async_context(around.ways.open(target))
    session = open_session(
        place.address, place.port, server_name=target.address, credentials=credentials,
        answer_s=around.settings.limits.answer_s,
    )  # fmt: skip
    kube = await stack.enter_async_context(session)
    await kube.text("/readyz")
    return kube, via
