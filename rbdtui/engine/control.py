"""The runner's ear: takes commands from clients and answers each when what it changed is on the disk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rbdtui.engine.executor import CommandRefusedError, Executor
from rbdtui.engine.journal import Journal, JournalError
from rbdtui.engine.protocol import LINE_LIMIT_BYTES, SOCKET_NAME, Command, Request, socket_address
from rbdtui.words import T, Text


@asynccontextmanager
async def listen(run_dir: Path, executor: Executor, journal: Journal) -> AsyncIterator[None]:
    """Take commands for the time of the block; the caller holds the site's lock, so a socket found here is dead."""
    control = _Control(run_dir.name, executor, journal)
    file = run_dir / SOCKET_NAME
    file.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with socket_address(run_dir) as address:
        listener.bind(address)
    file.chmod(0o600)
    server = await asyncio.start_unix_server(control.serve, sock=listener, limit=LINE_LIMIT_BYTES)
    try:
        yield
    finally:
        server.close()
        file.unlink(missing_ok=True)


class _Control:
    def __init__(self, run_id: str, executor: Executor, journal: Journal) -> None:
        self._run_id = run_id
        self._executor = executor
        self._journal = journal

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client until it leaves."""
        with contextlib.suppress(ConnectionError):
            try:
                while line := await reader.readline():
                    _send(writer, await self._answer(line))
                    await writer.drain()
            except ValueError:
                _send(writer, _refusal(T("command.malformed")))
            finally:
                writer.close()

    async def _answer(self, line: bytes) -> dict[str, object]:
        try:
            request = Request.of_line(line)
        except ValueError:
            return _refusal(T("command.malformed"))
        try:
            self._obey(request)
            await self._journal.commit()
        except (CommandRefusedError, JournalError) as error:
            return _refusal(error.text)
        return {"ok": True, "run": self._run_id, "pid": os.getpid(), "seq": self._executor.state.seq}

    def _obey(self, request: Request) -> None:
        executor, by = self._executor, request.by
        match request.command:
            case Command.PAUSE:
                executor.pause(by)
            case Command.RESUME:
                executor.resume(by)
            case Command.STOP:
                executor.stop(by)
            case Command.RETRY:
                executor.retry(request.step, by)
            case Command.ANSWER:
                if request.choice is None:
                    raise CommandRefusedError(T("command.malformed"))
                executor.answer(request.question, request.choice, by)


def _send(writer: asyncio.StreamWriter, answer: dict[str, object]) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")


def _refusal(text: Text) -> dict[str, object]:
    return {"ok": False, "error": text.to_json()}
