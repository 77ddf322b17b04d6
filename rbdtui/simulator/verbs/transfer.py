"""Scripts that receive uploads and run long work as transient units."""

from __future__ import annotations

import asyncio
import posixpath
from typing import Final

from rbdtui.simulator.call import BytesInput, Call, Verb, Verbs
from rbdtui.simulator.files import Kind
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.units import Active, Unit
from rbdtui.simulator.verbs.files import STATE_DIR, make_state_dir, sha256

JOBS_DIR: Final = f"{STATE_DIR}/jobs"
_CHUNK_BYTES: Final = 256 * 1024
_MOST_LOG_BYTES: Final = 262_144
_LOOK_EVERY_S: Final = 0.2


async def upload_state(call: Call) -> int:
    """``upload-state TARGET SIZE_BYTES SHA256 MODE``."""
    target, size, digest, mode = call.args
    files = call.machine.files
    part = f"{target}.part"
    make_state_dir(files, target)
    files.mkdir(posixpath.dirname(target))
    receiver = call.machine.receivers.pop(part, None)
    if receiver is not None:
        receiver.cancel()
    there = files.get(target)
    if there is not None and len(there.content) == int(size) and sha256(there.content) == digest:
        there.mode = int(mode, 8)
        files.remove(part)
        call.line("done")
        return 0
    left = files.get(part)
    if left is None or len(left.content) > int(size):
        files.write(part, b"")
        left = files.get(part)
    assert left is not None
    call.line(f"part {len(left.content)} {sha256(left.content)} {files.disk_of(target).available_bytes}")
    return 0


async def upload_receive(call: Call) -> int:
    """``upload-receive TARGET OFFSET SIZE_BYTES SHA256 MODE``, the rest of the file on standard input."""
    target, offset, size, digest, mode = call.args
    files = call.machine.files
    part = f"{target}.part"
    left = files.get(part)
    if left is None or len(left.content) < int(offset):
        return 7
    files.write(part, bytes(left.content[: int(offset)]))
    task = asyncio.current_task()
    assert task is not None
    call.machine.receivers[part] = task
    try:
        while data := await call.stdin.read(_CHUNK_BYTES):
            files.append(part, data)
    finally:
        if call.machine.receivers.get(part) is task:
            del call.machine.receivers[part]
    content = files.read(part)
    if len(content) != int(size):
        return call.fail(f"{part} has {len(content)} of {size} bytes", 8)
    if await asyncio.to_thread(sha256, content) != digest:
        files.remove(part)
        return 6
    files.write(part, call.machine.network.shared(digest, content), mode=int(mode, 8), owner="root:root")
    files.rename(part, target)
    return 0


# --- jobs --------------------------------------------------------------------------------------------------------


def _unit(machine: Machine, job: str) -> Unit:
    return machine.systemd.unit(f"rbdtui-{job}.service")


def _is_active(machine: Machine, job: str) -> bool:
    return _unit(machine, job).active in {Active.ACTIVE, Active.ACTIVATING}


async def job_start(call: Call) -> int:
    """``job-start UNIT LIMIT_S DIGEST NAME ARGS...``, the script on standard input."""
    job, limit_s, digest, name, *args = call.args
    machine, files = call.machine, call.machine.files
    directory = f"{JOBS_DIR}/{job}"
    known = files.text(f"{directory}/digest").strip()
    said = "started"
    if _is_active(machine, job):
        if known == digest:
            call.line("running")
            return 0
        await machine.systemd.stop(f"rbdtui-{job}.service")
    elif known == digest:
        if files.exists(f"{directory}/exit"):
            call.line("finished")
            return 0
        said = "restarted"
    verb = call.verbs.get(name)
    if verb is None:
        return call.fail(f"simulated host: there is no handler for the script {name}", 127)
    make_state_dir(files, directory)
    files.remove(directory)
    files.mkdir(directory, mode=0o700)
    script = await call.payload()
    files.write(f"{directory}/script", script)
    files.write(f"{directory}/log", b"")
    files.write(f"{directory}/digest", f"{digest}\n".encode())
    work = Call(
        machine, name, tuple(args), script.decode("utf-8", "replace"), BytesInput(b""),
        lambda data: files.append(f"{directory}/log", data), lambda data: files.append(f"{directory}/log", data),
        call.verbs,
    )  # fmt: skip
    machine.systemd.begin(f"rbdtui-{job}.service", _Work(work, verb, float(limit_s), directory))
    call.line(said)
    return 0


class _Work:
    """A job's unit: runs the script and leaves its exit status."""

    def __init__(self, call: Call, verb: Verb, limit_s: float, directory: str) -> None:
        self._call, self._verb, self._limit_s, self._directory = call, verb, limit_s, directory

    async def __call__(self, unit: Unit) -> None:
        unit.ready()
        try:
            async with asyncio.timeout(self._limit_s):
                status = await self._verb(self._call)
        except TimeoutError:
            status = 124
        except OSError as error:
            status = self._call.fail(f"sh: 1: cannot use '{error.filename}': {error.strerror}")
        files = self._call.machine.files
        if files.is_dir(self._directory):
            files.write(f"{self._directory}/exit", f"{status:<15}\n".encode())


async def job_follow(call: Call) -> int:
    """``job-follow UNIT OFFSET WAIT_S``."""
    job, offset, wait_s = call.args[0], int(call.args[1]), float(call.args[2])
    files = call.machine.files
    directory = f"{JOBS_DIR}/{job}"
    waited_s = 0.0
    while True:
        state, status = "running", "-"
        if not files.is_dir(directory):
            state = "absent"
        elif files.exists(f"{directory}/exit"):
            state, status = "ended", files.text(f"{directory}/exit").strip()
        elif not _is_active(call.machine, job):
            state = "lost"
        entry = files.get(f"{directory}/log")
        log = bytes(entry.content) if entry is not None and entry.kind is Kind.FILE else b""
        if state != "running" or len(log) > offset or waited_s >= wait_s:
            break
        pause_s = _LOOK_EVERY_S / max(1.0, call.machine.network.pace.speed)
        await asyncio.sleep(pause_s)
        waited_s += pause_s
    part = log[offset : offset + _MOST_LOG_BYTES]
    call.line(f"{state} {status} {len(part)}")
    call.out(part)
    return 0


async def job_end(call: Call) -> int:
    """``job-end UNIT STATUS``."""
    job, status = call.args
    files = call.machine.files
    directory = f"{JOBS_DIR}/{job}"
    files.remove(f"{directory}.failed")
    if status == "0":
        files.remove(directory)
    elif files.is_dir(directory):
        files.rename(directory, f"{directory}.failed")
    return 0


async def job_stop(call: Call) -> int:
    """``job-stop UNIT``."""
    (job,) = call.args
    was_there = _is_active(call.machine, job) or call.machine.files.is_dir(f"{JOBS_DIR}/{job}")
    await call.machine.systemd.stop(f"rbdtui-{job}.service")
    call.machine.files.remove(f"{JOBS_DIR}/{job}")
    call.line("stopped" if was_there else "absent")
    return 0


VERBS: Verbs = {
    "job-end": job_end,
    "job-follow": job_follow,
    "job-start": job_start,
    "job-stop": job_stop,
    "upload-receive": upload_receive,
    "upload-state": upload_state,
}
