"""P6: how long a check of ten servers takes, and when its first finding is there.

Simulated servers in a process of their own, behind real SSH. *Cold*: nobody is logged in yet, as for ``rbdtui check``.
*Warm*: the connections stand, as they do on the screen, which has asked the servers while they were typed.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.report import Section
from benchmarks.scene import BenchmarkError
from rbdtui.checks import CLUSTER_CHECKS, NODE_CHECKS
from rbdtui.checks.preflight import Part
from rbdtui.cli.demo import OwnPassphrase, simulated_hosts
from rbdtui.session import Session
from rbdtui.transport.base import Host

NODES: Final = 10
BAR_S: Final = 5.0
FIRST_S: Final = 0.3
_RUNS: Final = 3


def p6() -> Section:
    """Check ten servers, cold and warm; raises `BenchmarkError` when one does not answer."""
    checks = len(NODE_CHECKS) * NODES + len(CLUSTER_CHECKS)
    section = Section(
        "P6", f"a check of {NODES} servers, {checks} checks of hosts in all",
        f"at most {BAR_S:g} s for everything, the first finding within {FIRST_S:g} s where servers are logged in to",
        ("logins", "median s", "first finding s", "runs"),
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="rbdbench-") as place, simulated_hosts(Path(place), NODES) as fleet:
        session = Session.open(fleet.site, OwnPassphrase())
        session.unlock(create=True)
        figures = asyncio.run(_figures(session))
    met = True
    for number, (name, runs) in enumerate(figures.items()):
        whole, first = (sorted(each)[len(each) // 2] for each in zip(*runs, strict=True))
        section.rows.append([name, f"{whole:.2f}", f"{first:.2f}", str(len(runs))])
        section.raw += [(f"check of {NODES}, {name}", run, seconds) for run, (seconds, _) in enumerate(runs)]
        met = met and whole <= BAR_S and (number == 0 or first <= FIRST_S)
    section.verdict = "Met" if met else "Not met"
    return section


async def _figures(session: Session) -> dict[str, list[tuple[float, float]]]:
    """Seconds of whole checks and until their first finding."""
    session.known_hosts.pin(key for key in await session.scan_host_keys() if key.error is None)
    cold, warm = [], []
    for _ in range(_RUNS):
        async with session.hosts() as hosts:
            cold.append(await _timed(session, hosts))
            warm.append(await _timed(session, hosts))
    return {"cold": cold, "warm": warm}


async def _timed(session: Session, hosts: Mapping[str, Host]) -> tuple[float, float]:
    begun, first = time.monotonic(), 0.0

    def seen(_: object) -> None:
        nonlocal first
        first = first or time.monotonic() - begun

    result = await session.preflight(hosts, seen, parts=Part.HOSTS)
    if len(result.facts) != NODES:
        raise BenchmarkError(f"{len(result.facts)} of {NODES} servers answered")
    return time.monotonic() - begun, first


if __name__ == "__main__":
    print(p6().markdown())
