"""helm of the bundle, run on this machine from memory: kubeconfig and values touch no disk and no argument.

The program too is run from memory: what the bundle lies on may be mounted without the right to run anything.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from rbdtui.bundle.rainbond import own_arch
from rbdtui.errors import reason_of
from rbdtui.masking import mask
from rbdtui.plan.step import StepContext, StepError
from rbdtui.plan.steps.rainbond.access import Api

_OUTPUT_BYTES: Final = 1 << 20
_STOP_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class HelmAnswer:
    """What helm said; passwords that Rainbond's own objects hold are masked."""

    exit_status: int
    text: str


async def run_helm(
    context: StepContext, api: Api, *args: str, files: Mapping[str, bytes] | None = None, limit_s: float = 300.0
) -> HelmAnswer:
    """Run helm against the API; an argument ``{NAME}`` becomes the path of that file. Raises `StepError`.

    It is stopped when this is cancelled or takes longer than ``limit_s``.
    """
    program = await asyncio.to_thread(_program, context)
    url = f"https://{api.place.address}:{api.place.port}"
    kept = {"kubeconfig": api.credentials.text(url, api.server_name), **(files or {})}
    with ExitStack() as stack:
        helm = stack.enter_context(_in_memory(program, 0o700))
        descriptors = {name: stack.enter_context(_in_memory(content, 0o600)) for name, content in kept.items()}
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="rbdtui-helm-"))
        paths = {f"{{{name}}}": f"/proc/self/fd/{descriptor}" for name, descriptor in descriptors.items()}
        argv = [paths.get(arg, arg) for arg in (*args, "--kubeconfig", "{kubeconfig}")]
        return await _finished([f"/proc/self/fd/{helm}", *argv], (helm, *descriptors.values()), home, limit_s)


async def _finished(argv: list[str], descriptors: tuple[int, ...], home: str, limit_s: float) -> HelmAnswer:
    # Nothing of this process's environment: a proxy or another kubeconfig would lead elsewhere.
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": home, "NO_PROXY": "*"}
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
            cwd=home,
            pass_fds=descriptors,
        )
    except OSError as error:
        raise StepError("helm_not_runnable", reason=reason_of(error)) from error
    try:
        async with asyncio.timeout(limit_s):
            assert process.stdout is not None
            said = await _read(process.stdout)
            status = await process.wait()
    except TimeoutError:
        raise StepError("helm_silent", limit_s=round(limit_s), retryable=True) from None
    finally:
        await _stop(process)
    return HelmAnswer(status, mask(said.decode("utf-8", "replace")))


async def _read(stream: asyncio.StreamReader) -> bytes:
    """All that is said, of which the end is kept."""
    said = b""
    while piece := await stream.read(65536):
        said = (said + piece)[-_OUTPUT_BYTES:]
    return said


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End it in a way that lets it note the failure of its release."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _program(context: StepContext) -> bytes:
    file = context.bundle.helm(own_arch())
    try:
        return file.path.read_bytes()
    except OSError as error:
        raise StepError("helm_not_runnable", reason=reason_of(error)) from error


@contextmanager
def _in_memory(content: bytes, mode: int) -> Iterator[int]:
    """A descriptor of a file that is only in memory, open for reading: what is open for writing cannot be run."""
    written = os.memfd_create("rbdtui", os.MFD_CLOEXEC)
    try:
        with open(written, "wb", closefd=False) as stream:
            stream.write(content)
        os.fchmod(written, mode)
        descriptor = os.open(f"/proc/self/fd/{written}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(written)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
