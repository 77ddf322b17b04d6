"""Where a host is and how to log in there, worked out from the spec: a node's own ssh section over the site's.

Nothing but the spec counts: ``~/.ssh/config`` is not read, so that a plan means the same on every jump host.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Only named here, and more to import than all else of the transport.
    from rbdtui.spec.model import Bastion, ClusterSpec, Node, SshSettings

DEFAULT_USER = "root"
DEFAULT_PORT = 22


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place to log in to; a bastion is one too. Secrets are names in the vault, never values."""

    node: str
    """The node's name, for a bastion its address: what messages call it."""
    address: str
    port: int = DEFAULT_PORT
    user: str = DEFAULT_USER
    key: Path | None = None
    """Private key on this machine."""
    passphrase: str = ""
    """Name of the secret that opens the key; empty when there is none."""
    password: str = ""
    """Name of the secret that is the login's password; empty when there is none."""
    sudo_password: str = ""
    """Name of the secret that sudo wants; empty when there is none."""
    agent: bool = True
    """Whether the SSH agent of this machine may be asked."""
    bastions: tuple[Endpoint, ...] = ()
    """Hosts in between, in the order in which they are passed."""

    @property
    def before(self) -> Endpoint | None:
        """The last bastion, with those before it as its own bastions; None when the host is reached directly."""
        return self.bastions[-1] if self.bastions else None

    def __str__(self) -> str:
        return f"{self.user}@{self.address}:{self.port}"


def endpoints_of(spec: ClusterSpec) -> dict[str, Endpoint]:
    """The endpoint of every node by name; the user is root unless the spec says otherwise."""
    return {node.name: endpoint_of(node, spec.ssh) for node in spec.managed_nodes}


def endpoint_of(node: Node, site: SshSettings) -> Endpoint:
    """The endpoint of one node under the site's settings."""
    own = node.ssh
    agent = site.agent if own.agent is None else own.agent
    agent = True if agent is None else agent
    bastions = site.bastions if own.bastions is None else own.bastions
    return Endpoint(
        node=node.name,
        address=str(node.address),
        port=own.port or site.port or DEFAULT_PORT,
        user=own.user or site.user or DEFAULT_USER,
        key=_key_path(own.key or site.key),
        passphrase=_secret_name(own.passphrase or site.passphrase),
        password=_secret_name(own.password or site.password),
        sudo_password=_secret_name(own.sudo_password or site.sudo_password),
        agent=agent,
        bastions=_chain(bastions or [], agent),
    )


def _chain(bastions: list[Bastion], agent: bool) -> tuple[Endpoint, ...]:
    chain: tuple[Endpoint, ...] = ()
    for bastion in bastions:
        step = Endpoint(
            node=bastion.address,
            address=bastion.address,
            port=bastion.port,
            user=bastion.user,
            key=_key_path(bastion.key),
            passphrase=_secret_name(bastion.passphrase),
            password=_secret_name(bastion.password),
            agent=agent,
            bastions=chain,
        )
        chain = (*chain, step)
    return chain


def _key_path(path: str | None) -> Path | None:
    return Path(path).expanduser() if path else None


def _secret_name(reference: str | None) -> str:
    return (reference or "").removeprefix("secret:")
