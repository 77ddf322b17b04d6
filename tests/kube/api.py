"""A Kubernetes API that keeps what it is asked and answers from a table."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs


@dataclass
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    content_type: str
    body: object
    headers: Mapping[str, str] = field(default_factory=dict)
    """All of them, in lower case."""


@dataclass
class Api:
    """A server that answers by method and path."""

    answers: Mapping[tuple[str, str], tuple[int, object]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def answer(self, asked: Asked) -> tuple[int, object]:
        """Status, and JSON or bytes as they are."""
        not_found = 404, refusal(404, "NotFound", f"no {asked.path}")
        return self.answers.get((asked.method, asked.path), not_found)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            path, _, query = target.partition("?")
            read = json.loads(body) if body else None
            self.asked.append(Asked(method, path, parse_qs(query), headers.get("content-type", ""), read, headers))
            status, answer = self.answer(self.asked[-1])
            sent = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            writer.write(f"HTTP/1.1 {status} Word\r\nContent-Length: {len(sent)}\r\n\r\n".encode() + sent)
            await writer.drain()


def refusal(code: int, reason: str, message: str) -> dict[str, object]:
    return {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
