"""What is asked of a balancer, and what was seen of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from rbdtui.checks.services.balancer_call import Reply


@dataclass(frozen=True, slots=True)
class Door:
    """A port of a balancer, and what is to stand behind it."""

    address: str
    port: int
    field: str
    """Of the address in cluster.yaml."""
    listens: int
    """The port of the servers behind it."""
    tls: bool
    """Whether it carries TLS, which has to pass untouched."""
    servers: tuple[str, ...]
    """Names of the nodes behind it."""


@dataclass(frozen=True, slots=True)
class BalancerQuestion:
    """The ports to try."""

    doors: tuple[Door, ...]
    nodes: tuple[str, ...]
    """Those that could be asked for their facts."""


class ListenerState(StrEnum):
    """Whether a server listens for us."""

    LISTENING = "listening"
    ABSENT = "absent"
    """It has no systemd-socket-activate."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Listener:
    """A server that was to listen."""

    state: ListenerState
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One connection through the balancer."""

    source: str
    """The node that it came from, or `THIS_MACHINE`."""
    door: Door
    reply: Reply
    server: str = ""
    """The node that answered; empty when none of ours did."""


@dataclass(slots=True)
class BalancerAnswer:
    """All that was seen."""

    listeners: dict[str, Listener] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    cut_after_s: dict[Door, float] = field(default_factory=dict)
    """How long a silent connection lived; ``inf`` when it was not cut."""

    @property
    def listening(self) -> set[str]:
        """The servers that listen."""
        return {name for name, each in self.listeners.items() if each.state is ListenerState.LISTENING}

    def at(self, door: Door, source: str | None = None) -> list[Call]:
        """The connections to a port, from one place where it is given."""
        return [each for each in self.calls if each.door == door and source in (None, each.source)]
