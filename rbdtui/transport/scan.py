"""Looking at host keys without logging in: what a host shows, compared with what is pinned for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Final

from rbdtui.together import together
from rbdtui.transport.base import TransportError
from rbdtui.transport.credentials import Credentials
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.gates import LoginPlaces
from rbdtui.transport.hostkeys import (
    ALGORITHMS_BY_KEY_TYPE,
    KeyState,
    KnownHosts,
    SeenHostKey,
    fingerprint,
    public_text,
    signature_algorithms,
)
from rbdtui.transport.library import asyncssh
from rbdtui.transport.limits import Limits
from rbdtui.transport.login import explain, shown_key
from rbdtui.transport.routes import Routes

_FAMILIES: Final = (
    ("ssh-ed25519",),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    ("ssh-rsa",),
)
"""Key types asked for one after the other; a host has at most one of each line."""


async def scan_host_keys(
    endpoints: Iterable[Endpoint],
    known_hosts: KnownHosts,
    secret: Callable[[str], str],
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    on_seen: Callable[[SeenHostKey], None] | None = None,
) -> list[SeenHostKey]:
    """Ask every host, and every bastion before them, for its keys of each type; hosts in parallel, in given order.

    Nothing logs in to a host that is scanned, but those behind a bastion need a login there: while the bastion's key
    is not pinned they come back with `HostKeyUnknownError`, so confirm the bastion and scan again.
    """
    wanted = list(dict.fromkeys(stop for endpoint in endpoints for stop in (*endpoint.bastions, endpoint)))
    routes = Routes(known_hosts, Credentials(secret), limits)

    async def scan(endpoint: Endpoint) -> list[SeenHostKey]:
        seen = await _scan_host(endpoint, known_hosts, routes)
        if on_seen is not None:
            for key in seen:
                on_seen(key)
        return seen

    try:
        found = await together(*(scan(endpoint) for endpoint in wanted))
    finally:
        await routes.close()
    return [key for keys in found for key in keys]


async def _scan_host(endpoint: Endpoint, known_hosts: KnownHosts, routes: Routes) -> list[SeenHostKey]:
    try:
        pinned = known_hosts.pinned_keys(endpoint.address, endpoint.port)
        tunnel = await routes.tunnel_for(endpoint)
        async with routes.places.opening(endpoint):
            shown = await _shown_keys(endpoint, tunnel, routes.places)
    except TransportError as error:
        return [SeenHostKey(endpoint.node, endpoint.address, endpoint.port, error=error)]
    return [_compare(endpoint, key, shown, pinned) for key in shown]


async def _shown_keys(
    endpoint: Endpoint, tunnel: asyncssh.SSHClientConnection | None, places: LoginPlaces
) -> list[asyncssh.SSHKey]:
    """One key of each type; the first question leaves the choice to the host, so it fails only when there is none."""
    try:
        first = await shown_key(endpoint, tunnel, signature_algorithms([]), places)
    except (OSError, asyncssh.Error, ValueError) as error:
        raise explain(endpoint, error) from None
    shown = [first] if first is not None else []
    for family in _FAMILIES:
        if any(key.get_algorithm() in family for key in shown):
            continue
        algorithms = [name for kind in family for name in ALGORITHMS_BY_KEY_TYPE[kind]]
        with contextlib.suppress(OSError, asyncssh.Error, ValueError):
            key = await shown_key(endpoint, tunnel, algorithms, places)
            shown += [key] if key is not None else []
    return shown


def _compare(
    endpoint: Endpoint, key: asyncssh.SSHKey, shown: list[asyncssh.SSHKey], pinned: list[asyncssh.SSHKey]
) -> SeenHostKey:
    same_type = [other for other in pinned if other.get_algorithm() == key.get_algorithm()]
    state, instead_of = KeyState.NEW, ""
    if key in pinned:
        state = KeyState.PINNED
    elif same_type or (pinned and not any(other in pinned for other in shown)):
        state, instead_of = KeyState.CHANGED, fingerprint((same_type or pinned)[0])
    return SeenHostKey(
        node=endpoint.node,
        address=endpoint.address,
        port=endpoint.port,
        algorithm=key.get_algorithm(),
        fingerprint=fingerprint(key),
        public_key=public_text(key),
        state=state,
        pinned_fingerprint=instead_of,
    )
