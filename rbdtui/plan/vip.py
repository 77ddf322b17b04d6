"""Who holds the address that keepalived carries: asked of every gateway, because one alone cannot know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rbdtui.plan.step import StepContext, StepError
from rbdtui.transport.base import TransportError
from rbdtui.transport.scripts import script

LOOK_EVERY_S: Final = 0.5
STEADY_LOOKS: Final = 2
"""Looks in a row that must agree, because an election is under way for seconds."""


@dataclass(frozen=True, slots=True)
class Holders:
    """What every gateway said about the address."""

    holding: Mapping[str, bool | None]
    """By gateway: holds it, does not, or (None) could not be asked."""

    @property
    def names(self) -> list[str]:
        """The gateways that hold it."""
        return [name for name, holds in self.holding.items() if holds]

    def __str__(self) -> str:
        words = {True: "yes", False: "no", None: "?"}
        return "\n".join(f"{name}: {words[holds]}" for name, holds in self.holding.items())


async def look(context: StepContext) -> Holders:
    """Ask all gateways of the run at once."""
    vip = context.spec.gateway.vip
    assert vip is not None
    gateways = [node.name for node in context.spec.gateways if context.takes_part(node.name)]
    answers = await asyncio.gather(*(_holds(context, name, str(vip.ip)) for name in gateways))
    return Holders(dict(zip(gateways, answers, strict=True)))


async def _holds(context: StepContext, gateway: str, address: str) -> bool | None:
    try:
        answer = await context.hosts[gateway].must(script("holds-address"), address, timeout_s=10.0)
    except TransportError:
        return None
    return f"{address} yes" in answer.text.splitlines()


async def wait_for_one_holder(context: StepContext, *, limit_s: float) -> str:
    """Wait until exactly one gateway holds the address, steadily; its name. Raises `StepError`."""
    deadline = time.monotonic() + limit_s
    steady: list[list[str]] = []
    while True:
        holders = await look(context)
        steady = [*steady, holders.names][-STEADY_LOOKS:]
        if len(steady) == STEADY_LOOKS and all(names == steady[0] and len(names) == 1 for names in steady):
            return steady[0][0]
        if time.monotonic() > deadline:
            key = "vip_several_holders" if len(holders.names) > 1 else "vip_no_holder"
            raise _holder_error(key, context, holders)
        await asyncio.sleep(LOOK_EVERY_S)


def _holder_error(key: str, context: StepContext, holders: Holders) -> StepError:
    vip = context.spec.gateway.vip
    assert vip is not None
    if key == "vip_several_holders":
        return StepError("vip_several_holders", vip=str(vip.ip), nodes=", ".join(holders.names), evidence=str(holders))
    return StepError("vip_no_holder", vip=str(vip.ip), evidence=str(holders), retryable=True)
