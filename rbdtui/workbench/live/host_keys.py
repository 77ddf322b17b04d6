"""Host keys as an operator compares them: by host, with what is to be confirmed and what must not be by the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rbdtui.transport.base import TransportError
from rbdtui.transport.hostkeys import KeyState, SeenHostKey
from rbdtui.workbench.row_view import natural


@dataclass(frozen=True, slots=True)
class HostKeys:
    """All keys that one host showed, or why it showed none."""

    node: str
    """The node's name, for a bastion its address."""
    address: str
    port: int
    keys: tuple[SeenHostKey, ...] = ()
    error: TransportError | None = None

    @property
    def changed(self) -> bool:
        """Whether it shows another key than the one that is pinned."""
        return any(key.state is KeyState.CHANGED for key in self.keys)

    def needless(self, key: SeenHostKey) -> bool:
        """Whether a key is of a further type beside one that is pinned: nothing vouches for it, so it is not pinned."""
        return key.state is KeyState.NEW and any(other.state is KeyState.PINNED for other in self.keys)

    @property
    def new(self) -> bool:
        """Whether it is to be confirmed, and nothing speaks against it."""
        return not self.changed and bool(self.keys) and not any(key.state is KeyState.PINNED for key in self.keys)


def by_host(seen: Iterable[SeenHostKey]) -> list[HostKeys]:
    """What was seen, host by host: changed ones first, then new ones, confirmed ones, and those that showed none.

    Among these by name, node2 before node10.

    Words of others, as errors have them, so never stand above a fingerprint that is to be compared.
    """
    grouped: dict[tuple[str, str, int], list[SeenHostKey]] = {}
    for key in seen:
        grouped.setdefault((key.node, key.address, key.port), []).append(key)
    hosts = [
        HostKeys(
            node, address, port, tuple(key for key in keys if key.error is None),
            next((key.error for key in keys if key.error is not None), None),
        )
        for (node, address, port), keys in grouped.items()
    ]  # fmt: skip
    return sorted(
        hosts, key=lambda host: (host.error is not None, not host.changed, not host.new, natural(host.node), host.port)
    )


__all__ = ["HostKeys", "KeyState", "SeenHostKey", "by_host"]
