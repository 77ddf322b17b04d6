"""Connections that end at the worst moment."""

from __future__ import annotations

import asyncio
import gc

import pytest

from rbdtui.listening import listen
from rbdtui.probes.wire import Place, ProbeFailure, WireError, tls_hello


async def test_one_that_is_lost_as_its_handshake_ends_is_told_as_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(*_: object, **__: object) -> None:
        """What CPython gives where the connection is lost in the turn in which the handshake is over."""

    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        closed.set()
        writer.close()

    server = await listen(serve, "127.0.0.1", 0)
    place = Place("127.0.0.1", server.sockets[0].getsockname()[1])
    monkeypatch.setattr(asyncio.get_running_loop(), "start_tls", lost)
    with pytest.raises(WireError) as caught:
        await tls_hello(place, server_name="gateway", connect_s=5, answer_s=5)
    assert caught.value.trouble is ProbeFailure.CLOSED
    gc.collect()
    async with asyncio.timeout(5):
        await closed.wait()
    server.close()
