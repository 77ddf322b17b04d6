"""docker-registry (Debian's) for a block: TLS and password, plain, read-only, with tokens, with or without deletion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import yaml

from tests.lab.servers.authority import Authority
from tests.lab.servers.process import accepts, directory, find, free_port, hand_over, missing, running


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry that is up."""

    address: str
    port: int
    accounts: Path | None = None
    """The file of its one account, which it reads anew when it changes; None where nobody has to log in."""

    def change_password(self, user: str, password: str) -> None:
        """Let the account in with this password alone, from the next request on."""
        assert self.accounts is not None, "nobody has to log in"
        self.accounts.write_text(_account(user, password))


def unavailable() -> str | None:
    """Why there can be no registry here."""
    return "docker-registry is missing: apt-get install docker-registry" if missing("docker-registry") else None


@contextmanager
def registry(
    *,
    address: str = "127.0.0.1",
    authority: Authority | None = None,
    names: tuple[str, ...] | None = None,
    begin_days: float = -1,
    end_days: float = 365,
    user: str = "",
    password: str = "",
    deletes: bool = True,
    read_only: bool = False,
    token: Mapping[str, Any] | None = None,
) -> Iterator[Registry]:
    """A registry with TLS where an authority is given, for an account where one is given."""
    with directory("registry") as place:
        port, accounts = free_port(address), None
        http: dict[str, Any] = {"addr": f"{address}:{port}", "secret": "of the lab"}
        if authority is not None:
            own_names = (address,) if names is None else names
            certificate, key = authority.issue(place, *own_names, begin_days=begin_days, end_days=end_days)
            http["tls"] = {"certificate": str(certificate), "key": str(key)}
        storage: dict[str, Any] = {"filesystem": {"rootdirectory": str(place / "data")}, "delete": {"enabled": deletes}}
        if read_only:
            storage["maintenance"] = {"readonly": {"enabled": True}}
        settings: dict[str, Any] = {"version": "0.1", "log": {"level": "warn"}, "storage": storage, "http": http}
        if user:
            accounts = place / "htpasswd"
            accounts.write_text(_account(user, password))
            settings["auth"] = {"htpasswd": {"realm": "lab", "path": str(accounts)}}
        if token is not None:
            settings["auth"] = {"token": dict(token)}
        config = place / "config.yml"
        config.write_text(yaml.safe_dump(settings))
        hand_over(place)
        argv: list[str | Path] = [find("docker-registry") or "docker-registry", "serve", config]
        with running(argv, log=place / "log", ready=lambda: accepts(address, port)):
            yield Registry(address, port, accounts)


def _account(user: str, password: str) -> str:
    return f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}\n"
