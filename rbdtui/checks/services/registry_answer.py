"""What is asked of a registry, and what it looks like from one place: all that is wrong with it, by its kind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What is wrong."""

    OBSTACLE = "obstacle"
    """There is no connection; ``number`` says why, as `witnesses.reach_code` does."""
    SILENT = "silent"
    BROKEN = "broken"
    NOT_HTTP = "not-http"
    NOT_REGISTRY = "not-registry"
    IS_HTTP = "is-http"
    """It speaks HTTP, and the plan says HTTPS."""
    IS_HTTPS = "is-https"
    REDIRECTS = "redirects"
    UNWELL = "unwell"
    """It answers with an error of its own."""
    TLS_REFUSED = "tls-refused"
    UNTRUSTED = "untrusted"
    OTHER_NAME = "other-name"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRES_SOON = "expires-soon"
    CERTIFICATE = "certificate"
    """Something else about the certificate."""
    CA_FILE = "ca-file"
    LOGIN_NEEDED = "login-needed"
    LOGIN_REFUSED = "login-refused"
    TOKEN_SERVICE = "token-service"  # noqa: S105 - a kind of fault
    TOKEN_IN_CLEAR = "token-in-clear"  # noqa: S105 - a kind of fault
    NOT_LOGGED_IN = "not-logged-in"
    NO_PULL = "no-pull"
    NO_PUSH = "no-push"
    NO_NAMESPACE = "no-namespace"
    READ_ONLY = "read-only"
    PUSH_FAILED = "push-failed"
    LEADS_ELSEWHERE = "leads-elsewhere"
    """It names an address for the upload that is not its own."""
    OTHER_CONTENT = "other-content"
    LEFT = "left"
    """What was pushed for the trial could not be deleted."""
    MISSING = "missing"
    """Images of the plan that are not there."""


@dataclass(frozen=True, slots=True)
class RegistryQuestion:
    """All that the answer depends on."""

    host: str
    port: int
    https: bool
    namespace: str
    username: str
    secret: str
    """Name of the password in the vault; empty without one."""
    ca: str
    verify: bool
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RegistryFailure:
    """One thing that is wrong."""

    fault: Fault
    detail: str = ""
    """The words of the other side, a name or a list of images."""
    number: int = 0
    """An HTTP status, days, or a count."""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class RegistryAnswer:
    """All that is wrong, the most basic first; nothing when all is well."""

    troubles: tuple[RegistryFailure, ...] = ()


class RegistryError(Exception):
    """The talk cannot go on."""

    def __init__(self, fault: Fault, detail: str = "", number: int = 0, evidence: str = "") -> None:
        super().__init__(fault.value, detail)
        self.trouble = RegistryFailure(fault, detail[:300], number, evidence[:1000])
