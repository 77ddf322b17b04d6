"""The last proof of a balancer in front of the API: each API server is met through it, and the run's result names them.

It never fails a run: somebody else's balancer is not ours to mend, and one that keeps clients to servers shows no more.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Final

from rbdtui.plan.cluster import api_url
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.rainbond.access import ways
from rbdtui.probes.led_to import ONCE_LIMITS, LedTo, Verdict, api_front, look_through
from rbdtui.words import T, Text

_PATIENCE_S: Final = 30.0
"""Until then the health checks of a balancer have found a server that came up last; ten seconds are usual."""
_LOOK_EVERY_S: Final = 3.0


async def tell_led_to(context: StepContext) -> None:
    """Note which API servers of the run are met through the balancer, once all are or the time for it is over."""
    whole = api_front(context.spec)
    if whole is None:
        return
    servers = tuple(server for server in whole.servers if context.takes_part(server.node))
    front, give_up_s = replace(whole, servers=servers), time.monotonic() + _PATIENCE_S
    while True:
        led = await look_through(front, ways(context), ONCE_LIMITS, front.names)
        if _is_final(led) or time.monotonic() > give_up_s:
            break
        context.report.line(led.evidence)
        await asyncio.sleep(_LOOK_EVERY_S)
    context.report.line(led.evidence)
    context.report.note(_told(led, api_url(context.spec)))


def _is_final(led: LedTo) -> bool:
    if len(led.own) < len(led.front.servers):
        return False
    return led.verdict in (Verdict.ALL, Verdict.STICKY, Verdict.ALIKE)


def _told(led: LedTo, url: str) -> Text:
    silent = [name for name in led.front.names if name not in led.own]
    nodes, met = ", ".join(led.front.names), ", ".join(led.servers) or "-"
    if led.verdict in (Verdict.STICKY, Verdict.ALIKE, Verdict.UNASKED):
        return T("plan.note.led_to_untold", url=url, nodes=nodes)
    if led.missing or silent:
        return T("plan.note.led_to_some", url=url, met=met, missing=", ".join([*led.missing, *silent]))
    return T("plan.note.led_to_all", url=url, nodes=nodes)
