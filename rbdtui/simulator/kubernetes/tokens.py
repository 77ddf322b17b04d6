"""RKE2's tokens: the short form, and the full one that names the cluster's CA (docs.rke2.io, security/token)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

_FULL: Final = re.compile(r"K10([0-9a-f]{64})?::(?:([^:]*):)?(.+)")


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says."""

    password: str
    user: str = ""
    """``server`` or ``node``; empty in the short form."""
    ca_hash: str = ""
    """SHA-256 of the CA's certificate; empty in the short form, with which any CA is believed."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Either form."""
        match = _FULL.fullmatch(text)
        if match is None:
            return cls(text)
        ca_hash, user, password = match.groups()
        return cls(password, user or "", ca_hash or "")


def full_token(ca_hash: str, user: str, password: str) -> str:
    """The full form."""
    return f"K10{ca_hash}::{user}:{password}"
