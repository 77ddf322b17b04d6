"""What the rest of the program may ask of a host, and how that can fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol, Self

from rbdtui.transport.scripts import Script
from rbdtui.words import T, Text

DEFAULT_TIMEOUT_S: Final = 30.0
SLOW_UPLOAD_BYTES_PER_S: Final = 16 * 1024
"""Below this an upload takes nobody's place: it costs us next to nothing, and may take hours."""
SLOW_UPLOAD_AFTER_S: Final = 60.0
"""How long an upload may take to come to its speed."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a remote script left behind."""

    exit_status: int
    """-1 when it was ended by a signal, 124 when its time limit ended it."""
    stdout: bytes
    stderr: bytes
    duration_s: float

    @property
    def ok(self) -> bool:
        """Whether the script ended with 0."""
        return self.exit_status == 0

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are not UTF-8 are replaced."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def error_text(self) -> str:
        """Standard error as text; bytes that are not UTF-8 are replaced."""
        return self.stderr.decode("utf-8", "replace")


class Reach(StrEnum):
    """What became of a TCP connection tried from a host."""

    OPEN = "open"
    REFUSED = "refused"
    """Nothing listens there, and nothing in between forbids it."""
    TIMED_OUT = "timed-out"
    """No answer: a packet filter, or no such host."""
    UNREACHABLE = "unreachable"
    """No route, or rejected with a message."""
    FORBIDDEN = "forbidden"
    """The host's sshd does not forward, so this says nothing about the network."""


@dataclass(frozen=True, slots=True)
class ReachResult:
    """A TCP connection tried from a host to an address."""

    reach: Reach
    latency_ms: float
    detail: str = ""
    """The other side's words, raw."""


class NotReachedError(Exception):
    """A TCP connection wanted from a host did not come about, for what is at its other end or in between."""

    def __init__(self, result: ReachResult) -> None:
        super().__init__(result.reach.value, result.detail)
        self.result = result


@dataclass(frozen=True, slots=True)
class UploadProgress:
    """How far an upload is."""

    sent_bytes: int
    """Bytes that are on the host, those of earlier tries included."""
    total_bytes: int
    bytes_per_s: float

    @property
    def eta_s(self) -> float | None:
        """Seconds that remain at the present speed; None while there is no speed yet."""
        return (self.total_bytes - self.sent_bytes) / self.bytes_per_s if self.bytes_per_s > 0 else None


class TransportError(Exception):
    """Something went wrong between us and a host; carries a stable code and a sentence."""

    code = "RBD-SSH-000"
    retryable = False
    """Whether trying again later, with nothing changed by the operator, can help."""

    def __init__(self, node: str, **params: str | int | float | Text) -> None:
        super().__init__(node, params)
        self.node = node
        self.params: dict[str, str | int | float | Text] = {"node": node, **params}

    @property
    def text(self) -> Text:
        """What is wrong; the key is ``finding.<code>.message``, shared with the findings."""
        return Text(f"finding.{self.code}.message", self.params)

    @property
    def remedy(self) -> Text:
        """What to do about it."""
        return Text(f"finding.{self.code}.remedy", self.params)

    def again(self, node: str = "") -> Self:
        """The same error to be raised once more, with a traceback of its own; of another node where one is given."""
        error = self.__class__.__new__(self.__class__, *self.args)
        error.__dict__.update(self.__dict__)
        error.node = node or self.node
        error.params = {**self.params, "node": error.node}
        return error

    def __str__(self) -> str:
        return str(self.text)


class ConnectRefusedError(TransportError):
    """Nothing listens on the SSH port."""

    code, retryable = "RBD-SSH-001", True


class ConnectTimeoutError(TransportError):
    """The host does not answer, or stops answering before the login is done."""

    code, retryable = "RBD-SSH-002", True


class UnreachableError(TransportError):
    """No route to the host, or its name does not resolve."""

    code, retryable = "RBD-SSH-003", True


class LoginRefusedError(TransportError):
    """The host takes neither the key nor the password."""

    code = "RBD-SSH-004"


class SecondFactorError(LoginRefusedError):
    """The host asks for more than a key and a password, such as a one-time code, and nobody is there to give it."""

    code = "RBD-SSH-019"


class HostKeyUnknownError(TransportError):
    """The host's key is not pinned for this site yet."""

    code = "RBD-SSH-005"


class HostKeyChangedError(TransportError):
    """The host shows another key than the pinned one."""

    code = "RBD-SSH-006"


class ConnectionLostError(TransportError):
    """The link went away while something was under way."""

    code, retryable = "RBD-SSH-007", True


class CredentialError(TransportError):
    """A key file or passphrase on our own side does not work."""

    code = "RBD-SSH-008"


class NotSshError(TransportError):
    """Something answers on the port, but it does not speak SSH that we can use."""

    code = "RBD-SSH-009"


class BastionError(TransportError):
    """A host in between refuses or forbids forwarding."""

    code = "RBD-SSH-010"


class SudoPasswordWrongError(TransportError):
    """sudo does not take the password."""

    code = "RBD-SSH-011"


class SudoForbiddenError(TransportError):
    """The user may not use sudo for this."""

    code = "RBD-SSH-012"


class SudoPasswordMissingError(TransportError):
    """sudo wants a password and the plan names none."""

    code = "RBD-SSH-013"


class SudoTtyError(TransportError):
    """sudo wants a terminal (requiretty)."""

    code = "RBD-SSH-014"


class SudoAbsentError(TransportError):
    """The login is not root and the host has no sudo."""

    code = "RBD-SSH-015"


class ShellUnusableError(TransportError):
    """The account logs in, but its login shell runs no commands (nologin, a forced command, an expired password)."""

    code = "RBD-SSH-016"


class HostKeyFileError(TransportError):
    """The site's known_hosts cannot be read."""

    code = "RBD-SSH-017"


class LoginShellHangsError(TransportError):
    """The account logs in, but its login shell does not come to the command."""

    code, retryable = "RBD-SSH-018", True


class SimulatedOnlyError(TransportError):
    """The site is a demo's, and this is none of its simulated servers."""

    code = "RBD-SSH-020"


class RemoteScriptError(TransportError):
    """A script ended with something else than 0 where that was not expected."""

    code = "RBD-HOST-001"

    def __init__(self, node: str, script_name: str, result: CommandResult) -> None:
        last = (result.error_text.strip() or result.text.strip()).splitlines()[-1:] or [""]
        super().__init__(node, script=script_name, status=result.exit_status, detail=last[0][:300])
        self.result = result


class RemoteTimeoutError(TransportError):
    """A script did not end within its time limit."""

    code, retryable = "RBD-HOST-002", True


class StillRunningError(RemoteTimeoutError):
    """A script did not end within its time limit, and goes on as nothing could end it."""

    code = "RBD-HOST-011"


class NoSpaceError(TransportError):
    """A file system on the host is full."""

    code = "RBD-HOST-003"


class ReadOnlyError(TransportError):
    """A file system on the host that has to be written is read-only."""

    code = "RBD-HOST-004"


class GuardedFileError(TransportError):
    """Even root may not change a file: it was made immutable, or a policy such as SELinux's guards it."""

    code = "RBD-HOST-012"


class UploadMismatchError(TransportError):
    """What arrived is not what was sent."""

    code, retryable = "RBD-HOST-005", True


class OutputTooLargeError(TransportError):
    """A script wrote more than we are willing to hold."""

    code = "RBD-HOST-006"

    def __init__(self, node: str, script_name: str, limit_bytes: int) -> None:
        mib = limit_bytes / 1024**2
        super().__init__(node, script=script_name, limit_mib=int(mib) if mib.is_integer() else round(mib, 3))


class JobLostError(TransportError):
    """Long remote work ended again and again without leaving a result."""

    code = "RBD-HOST-007"


class SourceError(TransportError):
    """The file to upload cannot be read, or is not what it was when it was verified."""

    code = "RBD-HOST-008"


class JobStoppedError(TransportError):
    """Long remote work was stopped or collected by somebody else while it was followed."""

    code, retryable = "RBD-HOST-009", True


class RemoteAnswerError(TransportError):
    """A script ended well, but what it wrote is nothing that it can write."""

    code = "RBD-HOST-010"

    def __init__(self, node: str, script_name: str, detail: str) -> None:
        super().__init__(node, script=script_name, detail=detail[:300])


class Host(Protocol):
    """One server, logged in to when it is first needed and again after a lost link."""

    @property
    def name(self) -> str:
        """The node's name in the spec."""
        ...

    async def connect(self) -> None:
        """Log in and find out how to become root, if that has not happened yet; raises `TransportError`."""
        ...

    async def run(
        self,
        script: Script,
        *args: str,
        payload: bytes = b"",
        root: bool = True,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        output_limit_bytes: int | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> CommandResult:
        """Run a script and return what it left, whatever its exit status.

        Scripts are idempotent: after a lost link the host is logged in to again and the script is run once more.
        ``args`` are visible in the host's process list; secrets go into ``payload``. ``on_line`` gets every line of
        standard output as it comes. Standard output beyond ``output_limit_bytes`` (256 KiB unless another limit is
        asked for) is an `OutputTooLargeError`. Raises `TransportError`, `RemoteTimeoutError` among them.
        """
        ...

    async def must(
        self,
        script: Script,
        *args: str,
        payload: bytes = b"",
        root: bool = True,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        output_limit_bytes: int | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> CommandResult:
        """As `run`, but raises `NoSpaceError`, `ReadOnlyError` or `RemoteScriptError` unless it ends with 0."""
        ...

    async def upload(
        self,
        source: Path,
        target: str,
        *,
        sha256: str,
        mode: int = 0o644,
        within: Path | None = None,
        on_progress: Callable[[UploadProgress], None] | None = None,
    ) -> bool:
        """Bring a file to the host, as root, atomically and verified on the host; False when it was there already.

        Continues after what an interrupted try left. ``sha256`` is the hex digest of the source, which is verified
        while it is read. ``within`` is a directory above it, below which no link is followed: by default its own.
        Raises `TransportError`, `SourceError` among them.
        """
        ...

    async def reach(self, address: str, port: int, *, timeout_s: float = 3.0) -> ReachResult:
        """Try a TCP connection from the host, through its sshd: no tool is needed there."""
        ...

    async def dial(
        self, address: str, port: int, *, timeout_s: float = 3.0
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A stream that leads to address:port as seen from the host, and to nobody else; the caller closes it.

        Raises `NotReachedError` or `TransportError`.
        """
        ...

    def forward(self, address: str, port: int) -> AbstractAsyncContextManager[int]:
        """Listen on a loopback port of ours that leads to address:port as seen from the host; yields our port."""
        ...

    async def close(self) -> None:
        """Log out."""
        ...


def unexpected(node: str, error: BaseException) -> Text:
    """A sentence for an error that has none of its own."""
    return T("error.unexpected", node=node, kind=type(error).__name__, detail=str(error)[:300])
