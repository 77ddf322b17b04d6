"""Who holds the address that keepalived carries: asked of all that may, because one alone cannot know."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rbdtui.plan.step import StepContext, StepError
from rbdtui.plan.waiting import wait_for
from rbdtui.together import together
from rbdtui.transport.base import TransportError
from rbdtui.transport.scripts import script

LOOK_EVERY_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Holders:
    """What all that may carry the address said about it."""

    holding: Mapping[str, bool | None]
    """By node: holds it, does not, or (None) could not be asked."""

    @property
    def names(self) -> list[str]:
        """Those that hold it."""
        return [name for name, holds in self.holding.items() if holds]

    def __str__(self) -> str:
        words = {True: "yes", False: "no", None: "?"}
        return "\n".join(f"{name}: {words[holds]}" for name, holds in self.holding.items())


async def look(context: StepContext) -> Holders:
    """Ask all of the run that may carry it at once."""
    vip = context.spec.gateway.vip
    assert vip is not None
    carriers = [node.name for node in context.spec.vip_nodes if context.takes_part(node.name)]
    answers = await together(*(_holds(context, name, str(vip.ip)) for name in carriers))
    return Holders(dict(zip(carriers, answers, strict=True)))


async def _holds(context: StepContext, node: str, address: str) -> bool | None:
    try:
        answer = await context.hosts[node].must(script("holds-address"), address, timeout_s=10.0)
    except TransportError:
        return None
    return f"{address} yes" in answer.text.splitlines()


async def wait_for_one_holder(context: StepContext, *, limit_s: float, seen: Holders | None = None) -> str:
    """Wait until exactly one node holds the address in two looks in a row, because an election takes seconds.

    Gives its name; ``seen`` is a look of a moment ago, which counts. Raises `StepError`.
    """
    before: Sequence[str] = seen.names if seen is not None else ()

    async def one_holder() -> str | StepError:
        nonlocal before
        holders = await look(context)
        is_steady, before = holders.names == before, holders.names
        if is_steady and len(holders.names) == 1:
            return holders.names[0]
        return holder_error(context, holders)

    if seen is not None:
        await asyncio.sleep(LOOK_EVERY_S)
    return await wait_for(one_holder, limit_s=limit_s, every_s=LOOK_EVERY_S)


def holder_error(context: StepContext, holders: Holders) -> StepError:
    """What it means that nobody, or several, hold the address for long."""
    vip = context.spec.gateway.vip
    assert vip is not None
    if len(holders.names) > 1:
        return StepError("vip_several_holders", vip=str(vip.ip), nodes=", ".join(holders.names), evidence=str(holders))
    return StepError("vip_no_holder", vip=str(vip.ip), evidence=str(holders), retryable=True)
