"""One virtual environment for each peer, made once for its pinned versions and kept in a cache directory."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PEERS_FILE = Path(__file__).with_name("peers.toml")


@dataclass(frozen=True)
class Peer:
    """A tool to be measured against."""

    name: str
    title: str
    requires: tuple[str, ...]
    directory: Path
    """Its virtual environment."""

    def program(self, name: str) -> str:
        """The path of a program in its environment."""
        return str(self.directory / "bin" / name)


def default_cache() -> Path:
    """Where environments are kept: outside the checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "rbdtui-benchmarks"


def read_peers(cache: Path) -> dict[str, Peer]:
    """All peers, by name; nothing is installed by this."""
    described = tomllib.loads(_PEERS_FILE.read_text(encoding="utf-8"))
    peers = {}
    for name, entry in described.items():
        requires = tuple(entry["requires"])
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        digest = hashlib.sha256(" ".join([python, *requires]).encode()).hexdigest()[:12]
        peers[name] = Peer(name, entry["title"], requires, cache / f"{name}-{digest}")
    return peers


def prepare(peers: Iterable[Peer]) -> None:
    """Make the environments that are not there yet; a half-made one is made anew."""
    for peer in peers:
        ready = peer.directory / "ready"
        if ready.exists():
            continue
        print(f"preparing {peer.name}: {' '.join(peer.requires)}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", peer.directory], check=True, timeout=300)
        install = [peer.program("python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *peer.requires], check=True, timeout=900)
        ready.touch()


def versions(peer: Peer) -> str:
    """What is installed for a peer, as one line."""
    return ", ".join(requirement.replace("==", " ") for requirement in peer.requires)
