"""What HAProxy on a balancer says of the servers behind it."""

from __future__ import annotations

from dataclasses import dataclass

from rbdtui.spec.balanced import STATUS_PORT
from rbdtui.transport.base import CommandResult, Host
from rbdtui.transport.scripts import script

_FIELDS = 5


@dataclass(frozen=True, slots=True)
class ServerSeen:
    """A server behind a port; the words are HAProxy's own."""

    proxy: str
    server: str
    status: str
    check: str
    """What the last check came to, e.g. ``L4CON``; ``-`` before the first."""

    @property
    def is_up(self) -> bool:
        """Whether it is led to: ``UP``, or ``UP`` with how many checks it has failed meanwhile."""
        return self.status.startswith("UP")


def proxy_name(port: int) -> str:
    """How a forwarded port is called in HAProxy's configuration."""
    return f"port-{port}"


async def read_page(host: Host, *, timeout_s: float) -> tuple[ServerSeen, ...] | None:
    """Ask HAProxy on a host; None when it does not answer. Raises `TransportError`."""
    result = await host.run(script("haproxy-status"), str(STATUS_PORT), root=False, timeout_s=timeout_s)
    return parse_page(result)


def parse_page(result: CommandResult) -> tuple[ServerSeen, ...] | None:
    """Read the script's output; lines that are not understood are left out."""
    if not result.ok:
        return None
    lines = (line.split(" ") for line in result.text.splitlines())
    return tuple(
        ServerSeen(line[1], line[2], line[3].replace("_", " "), line[4])
        for line in lines
        if len(line) == _FIELDS and line[0] == "server"
    )
