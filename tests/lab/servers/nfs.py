"""A real NFS server without the kernel's: nfs-ganesha with directories in memory, and rpcbind beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.servers.enclosed import Enclosure, why_no_enclosure


def why_no_nfs() -> str:
    """Why the server cannot run here; empty when it can."""
    if not any(Path("/usr/lib").glob("*/ganesha/libfsalmem.so")):
        return "libfsalmem.so is missing: install nfs-ganesha-mem"
    return why_no_enclosure(("ganesha.nfsd", "nfs-ganesha"), ("rpcbind", "rpcbind"))


@dataclass(frozen=True, slots=True)
class Share:
    """One exported directory."""

    path: str
    squash: str = "No_Root_Squash"
    access: str = "RW"
    clients: str = "*"
    pseudo: str = ""
    """Its path for version 4; the same as the other unless given."""
    privileged_port: bool = False
    """Whether clients must come from a port below 1024, as Linux's ``secure`` asks for."""
    security: str = "sys"

    def block(self, number: int) -> str:
        """As it stands in ganesha's configuration."""
        return (
            f"EXPORT {{ Export_Id = {number}; Path = {self.path}; Pseudo = {self.pseudo or self.path};"
            f" Access_Type = NONE; Squash = {self.squash}; SecType = {self.security}; Transports = TCP;"
            f" PrivilegedPort = {str(self.privileged_port).lower()};"
            f" CLIENT {{ Clients = {self.clients}; Access_Type = {self.access}; Squash = {self.squash};"
            f" PrivilegedPort = {str(self.privileged_port).lower()}; }}"
            f" FSAL {{ Name = MEM; }} }}\n"
        )


@contextmanager
def nfs_server(
    directory: Path,
    shares: Sequence[Share],
    *,
    versions: str = "3,4",
    minor_versions: str = "0,1",
    mapper: bool = True,
    locks: bool = True,
    within: Sequence[str] = (),
) -> Iterator[Enclosure]:
    """The server on all addresses of a network of its own, or the one that ``within`` starts it in, for the block."""
    config, log = directory / "ganesha.conf", directory / "ganesha.log"
    config.write_text(
        f"NFS_CORE_PARAM {{ NFS_Port = 2049; MNT_Port = 20048; NLM_Port = 32803; Protocols = {versions};"
        f" Enable_NLM = {str(locks).lower()}; }}\n"
        f"NFSv4 {{ Graceless = true; Minor_Versions = {minor_versions}; RecoveryBackend = fs; }}\n"
        + "".join(share.block(number) for number, share in enumerate(shares, 1))
    )
    setup = (
        "mkdir -p /run/rpcbind /run/ganesha /var/lib/nfs; mount -t tmpfs tmpfs /var/lib/nfs;"
        " mkdir -p /var/lib/nfs/ganesha; rpcbind -f -w & echo $! >/run/mapper.pid\n"
        "for try in 1 2 3 4 5 6 7 8 9; do rpcinfo -p 127.0.0.1 >/dev/null 2>&1 && break; sleep 0.2; done"
    )
    server = Enclosure(
        directory,
        setup,
        ["ganesha.nfsd", "-F", "-f", str(config), "-L", str(log), "-p", "/run/ganesha.pid"],
        within=within,
    )
    try:
        server.wait_until(lambda: log.exists() and "NFS SERVER INITIALIZED" in log.read_text())
        if not mapper:
            server.run("kill $(cat /run/mapper.pid)")
        yield server
    finally:
        server.stop()
