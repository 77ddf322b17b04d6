"""What RKE2 says while it starts, and when it is time to stop waiting for it.

The words are RKE2's own, of v1.28 to v1.36; where each stands in its source is in docs/assumptions.md. What a host
sends may be anything, so lines are cut before they are looked at and no pattern goes back over what it has read.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rbdtui.plan.step import StepError

RESTARTS_BEFORE_GIVING_UP: Final = 6
RESTARTS_FOR_S: Final = 300.0
"""RKE2 is started again after five seconds: what passes within minutes is not worth an error."""
LOOKS_BEFORE_GIVING_UP: Final = 10
AT_REST: Final = ("inactive", "failed")
KEPT_LINES: Final = 40
LINE_LIMIT: Final = 2000
"""Characters of a line that are looked at and kept."""
_FORGOTTEN_AFTER_S: Final = 60.0

HOPELESS: Final = (
    (re.compile(r"token CA hash does not match|failed to normalize (?:server )?token"), "rke2_token"),
    (re.compile(r"bootstrap data already found and encrypted with different token"), "rke2_token"),
    (re.compile(r"no bootstrap data found"), "rke2_token"),
    (re.compile(r"failed to get runtime image"), "rke2_images_missing"),
    (re.compile(r"Error encountered while importing [^ ]{1,300}\.(?!txt)\w{1,5}: "), "rke2_images_damaged"),
    (re.compile(r"critical configuration (?:value )?mismatch"), "rke2_settings_differ"),
    (re.compile(r"bind: address already in use"), "rke2_port_taken"),
    (re.compile(r"Node password rejected, duplicate hostname"), "rke2_name_taken"),
    (re.compile(r"duplicate node name found"), "rke2_name_taken"),
)  # fmt: skip
"""Lines after which waiting is in vain, and the error that each stands for (``error.<key>``).

Of what cannot be imported only archives count: a list of images that cannot be pulled is left over from a start without
archives.
"""  # words: error.rke2_*.*

LASTING: Final = (
    (re.compile(r": not authorized\"?$"), "rke2_token", 30.0),
    (re.compile(r"/v1-rke2/[\w.-]{1,64}: 401 Unauthorized"), "rke2_token", 30.0),
    (re.compile(r"Kubelet exited: "), "rke2_kubelet_ends", 60.0),
    (re.compile(r"Failed to reconcile with temporary etcd"), "rke2_etcd_data", 30.0),
)
"""Lines that also stand for passing troubles, and for how many seconds they must be said again and again.

A server that is still starting calls everybody "not authorized" until it knows its own users.
"""

_UNKNOWN_SETTING: Final = re.compile(r"Unknown flag (--[^ \"]{1,200}) found in config\.yaml, skipping")
"""Said of a key that this kind of RKE2 does not know: an agent says it of a server's keys too."""
_FATAL: Final = "level=fatal"
_NETWORK: Final = (
    "failed to get CA certs", "connection refused", "i/o timeout", "no route to host", "network is unreachable",
    "connection reset by peer", "TLS handshake timeout", "context deadline exceeded",
)  # fmt: skip
"""Words of a last line after which starting again may well help: whom it asked is not there, perhaps not yet."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a starting RKE2 is."""

    active: str
    restarts: int
    supervisor: bool
    """Whether 9345 listens."""
    api: bool
    """Whether this host's API server is ready."""
    cursor: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recognised:
    """A line after which waiting is in vain."""

    key: str
    """The error that it stands for."""
    line: str
    setting: str = ""
    """The setting that RKE2 does not know."""


def recognise(lines: Iterable[str], *, server: bool) -> Recognised | None:
    """The first of the lines that stands for an error at once; None when none does."""
    for line in lines:
        if server and (unknown := _UNKNOWN_SETTING.search(line)) is not None:
            return Recognised("rke2_unknown_setting", line, unknown[1])
        for pattern, key in HOPELESS:
            if pattern.search(line):
                return Recognised(key, line)
    return None


@dataclass(slots=True)
class _Lasting:
    """Since when something is said again and again."""

    first_s: float
    last_s: float


@dataclass(slots=True)
class Watch:
    """The log of a starting RKE2, and when it is time to give up."""

    node: str
    restarts: int
    """The unit's count of restarts when it was last looked at; systemd may begin to count anew."""
    server: bool = True
    clock: Callable[[], float] = time.monotonic
    looks_at_rest: int = 0
    """How often in a row the unit was found neither running nor about to."""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    _last_fatal: str = ""
    _restarts_counted: int = 0
    _counted_since_s: float = 0.0
    _lasting: dict[str, _Lasting] = field(default_factory=dict)

    def take(self, progress: Progress) -> None:
        """Judge one look; raises `StepError` when RKE2 said something after which waiting is in vain."""
        lines = [line[:LINE_LIMIT] for line in progress.lines]
        self.lines.extend(lines)
        if (said := recognise(lines, server=self.server) or self._what_lasts(lines)) is not None:
            evidence = self._evidence_to(said.line)
            if said.setting:
                raise StepError(said.key, node=self.node, setting=said.setting, evidence=evidence)
            raise StepError(said.key, node=self.node, evidence=evidence)
        self._last_fatal = next((line for line in reversed(lines) if _FATAL in line), self._last_fatal)
        self._count(progress.restarts)
        since_s = self.clock() - self._counted_since_s
        if self._restarts_counted >= RESTARTS_BEFORE_GIVING_UP and since_s >= RESTARTS_FOR_S:
            raise StepError("rke2_keeps_failing", node=self.node, evidence=self.evidence, retryable=True)
        self.looks_at_rest = self.looks_at_rest + 1 if progress.active in AT_REST else 0
        if self.looks_at_rest >= LOOKS_BEFORE_GIVING_UP:
            raise StepError("rke2_keeps_failing", node=self.node, evidence=self.evidence)

    def _what_lasts(self, lines: Iterable[str]) -> Recognised | None:
        """What has been said for long enough; None when nothing has."""
        now, last = self.clock(), ""
        limits: Mapping[str, float] = {key: limit_s for _, key, limit_s in LASTING}
        for line in lines:
            for pattern, key, _ in LASTING:
                if pattern.search(line):
                    last = line
                    known = self._lasting.get(key)
                    if known is None or now - known.last_s > _FORGOTTEN_AFTER_S:
                        self._lasting[key] = _Lasting(now, now)
                    else:
                        known.last_s = now
        lasting = (key for key, seen in self._lasting.items() if seen.last_s - seen.first_s >= limits[key])
        return next((Recognised(key, last) for key in lasting), None)

    def _count(self, restarts: int) -> None:
        """Count a restart, unless the one before found nobody to talk to."""
        new, self.restarts = restarts - self.restarts, restarts
        if new <= 0:
            return
        if any(words in self._last_fatal for words in _NETWORK):
            self._restarts_counted = 0
        else:
            self._counted_since_s = self.clock() if self._restarts_counted == 0 else self._counted_since_s
            self._restarts_counted += new
        self._last_fatal = ""

    def _evidence_to(self, line: str) -> str:
        """The newest lines up to the one that tells, which is what a reader sees first of their end."""
        lines = list(self.lines)
        end = len(lines) - lines[::-1].index(line) if line in lines else len(lines)
        return "\n".join(lines[:end])

    @property
    def evidence(self) -> str:
        """The newest lines."""
        return "\n".join(self.lines)
