"""Where the API of a site's cluster is, and with which credentials: of our own cluster, or of one that was there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from rbdtui.kube.kubeconfig import Kubeconfig, KubeconfigError, read_kubeconfig
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.references import local_path

API_PORT: Final = 6443
"""Where every server of ours listens, whatever port a balancer in front of them has."""
_HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """One API, and who we are to it."""

    address: str
    """Address or name; also what the API's certificate must name."""
    port: int
    credentials: Kubeconfig

    @property
    def url(self) -> str:
        """As a kubeconfig writes it."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"https://{host}:{self.port}"


def kubeconfig_file(spec: ClusterSpec, site_dir: Path, written: Path) -> Path:
    """The kubeconfig of a site: ``written`` is the one that an installation of ours writes."""
    if spec.is_existing and spec.kubernetes.kubeconfig is not None:
        return local_path(spec.kubernetes.kubeconfig, site_dir)
    return written


def read_access(file: Path) -> ClusterAccess:
    """What a kubeconfig leads to; raises `KubeconfigError`."""
    return access_of(read_kubeconfig(file))


def access_of(credentials: Kubeconfig) -> ClusterAccess:
    """What credentials lead to by the server that stands beside them; raises `KubeconfigError`."""
    try:
        parts = urlsplit(credentials.server)
        port = parts.port or _HTTPS_PORT
    except ValueError:
        raise KubeconfigError("server: not an address") from None
    plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme != "https" or not parts.hostname or not plain:
        raise KubeconfigError("server: not of the form https://ADDRESS:PORT")
    return ClusterAccess(parts.hostname, port, credentials)
