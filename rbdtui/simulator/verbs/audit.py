"""The script ``audit-facts``: what the real commands would print on a host of a Rainbond 3.6."""

from __future__ import annotations

import re

from rbdtui.audit.seen import NAME
from rbdtui.facts.compose import frame_outputs
from rbdtui.facts.fact import Output
from rbdtui.simulator.call import Call, Verbs
from rbdtui.simulator.rainbond_3_6 import OldHost

_NAMES = re.compile(r"for name in ([^;$\n]+); do\n  echo")


async def audit_facts(call: Call) -> int:
    """``audit-facts``."""
    host = call.machine.old_rainbond
    if not isinstance(host, OldHost):
        return call.fail("no Rainbond 3.6 is simulated here")
    if host.site is not None:
        host.site.look(host.server.name)
    asked = _NAMES.findall(call.text)
    names = tuple(max(asked, key=len, default="").split())
    outputs = {name: Output(0, text) for name, text in host.command_outputs(names).items()}
    call.out(frame_outputs(outputs, call.machine.clock()))
    return 0


VERBS: Verbs = {NAME: audit_facts}
