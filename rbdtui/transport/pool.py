"""All hosts of a plan: what they share is bastions, credentials, pinned host keys and limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self

from rbdtui.together import together
from rbdtui.transport.base import Host
from rbdtui.transport.credentials import Credentials
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.limits import Limits
from rbdtui.transport.routes import Routes
from rbdtui.transport.ssh import SshHost
from rbdtui.transport.upload import Places

__all__ = ["HostPool", "Limits"]


class HostPool(Mapping[str, Host]):
    """Hosts by node name; nothing is connected before it is used. Close it, or use it as a context manager."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        known_hosts: KnownHosts,
        secret: Callable[[str], str],
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        credentials = Credentials(secret)
        uploads = Places(limits.uploads)
        self._routes = Routes(known_hosts, credentials, limits)
        self._hosts = {
            name: SshHost(endpoint, self._routes, credentials, limits, uploads) for name, endpoint in endpoints.items()
        }

    def __getitem__(self, name: str) -> Host:
        return self._hosts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    def __len__(self) -> int:
        return len(self._hosts)

    async def close(self) -> None:
        """Log out everywhere; where this is cancelled, it goes on by itself."""
        for host in self._hosts.values():
            host.hang_up()
        try:
            await together(*(host.close() for host in self._hosts.values()))
        finally:
            self._routes.hang_up()
        await self._routes.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
