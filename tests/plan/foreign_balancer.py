"""A balancer that somebody else runs: HAProxy on a simulated host that is no part of the plan."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rbdtui.plan.step import StepContext
from rbdtui.simulator.haproxy import CONFIG_FILE
from rbdtui.simulator.machine import install_haproxy
from tests.plan.support import Bench, bench
from tests.waiting import until

BALANCER = "node4"
SERVERS = ("node1", "node2", "node3")
API, SUPERVISOR = 6443, 9345


@dataclass(slots=True)
class ForeignBalancer:
    """What it leads to is whatever it was told last."""

    at: Bench

    @property
    def address(self) -> str:
        return str(self.at.machine(BALANCER).ip)

    async def lead_to(self, servers: Iterable[str], *, supervisors: Iterable[str] = SERVERS) -> None:
        """Write and read its configuration anew."""
        machine = self.at.machine(BALANCER)
        text = ""
        for port, behind in ((API, list(servers)), (SUPERVISOR, list(supervisors))):
            text += f"listen port-{port}\n    bind :{port}\n"
            text += "".join(f"    server {name} {self.at.machine(name).ip}:{port} check\n" for name in behind)
        machine.files.put(CONFIG_FILE, text)
        await machine.systemd.stop("haproxy")
        machine.start_unit("haproxy")
        await until(lambda: machine.listener("0.0.0.0", SUPERVISOR) is not None)


@asynccontextmanager
async def behind_a_foreign_balancer(tmp_path: Path) -> AsyncIterator[tuple[Bench, StepContext, ForeignBalancer]]:
    """Three servers whose API is planned behind it."""
    async with bench(tmp_path, 4) as at:
        balancer = ForeignBalancer(at)
        install_haproxy(at.machine(BALANCER))
        await balancer.lead_to(SERVERS)

        def behind(data: dict[str, Any]) -> None:
            data["nodes"] = [node for node in data["nodes"] if node["name"] in SERVERS]
            data["gateway"] = {"mode": "none"}
            data["kubernetes"]["api"] = {"mode": "external", "address": balancer.address}

        context = at.with_spec(behind)
        hosts = {name: host for name, host in context.hosts.items() if name in SERVERS}
        facts = {name: facts for name, facts in context.facts.items() if name in SERVERS}
        yield at, replace(context, hosts=hosts, facts=facts), balancer
