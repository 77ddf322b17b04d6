"""Hosts that the command line meets in tests: a simulated fleet in a thread, and ports where something is wrong."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.vault import Vault

PASSPHRASE = "correct horse"
QUICK_WORK = 2**14
"""The least that a vault takes: tests open many."""
LIMIT_S = 30.0

Result = TypeVar("Result")


class FleetThread:
    """A fleet at work beside the test, so that commands may be waited for."""

    def __init__(self, fleet: SimulatedFleet) -> None:
        self.fleet = fleet
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fleet")

    def __enter__(self) -> FleetThread:
        self._thread.start()
        self.do(self.fleet.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self.fleet.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)
        self._loop.close()

    def do(self, work: Coroutine[object, object, Result]) -> Result:
        """Have the fleet's own thread do something."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(LIMIT_S)


@contextmanager
def closing_port(address: str) -> Iterator[int]:
    """A port that hangs up on whoever comes."""
    with socket.create_server((address, 0)) as server:
        server.settimeout(0.2)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    server.accept()[0].close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join(LIMIT_S)


@contextmanager
def silent_port(address: str) -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server((address, 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def dropping_port(address: str) -> Iterator[int]:
    """A port whose packets are lost: its queue is full, and the kernel drops what asks for more."""
    with socket.socket() as server:
        server.bind((address, 0))
        server.listen(0)
        place = server.getsockname()
        with socket.create_connection(place), socket.socket() as second, suppress(BlockingIOError):
            second.setblocking(False)
            with suppress(BlockingIOError):
                second.connect(place)
            yield place[1]


def refusing_port(address: str) -> int:
    """A port where nothing listens."""
    with socket.create_server((address, 0)) as server:
        return int(server.getsockname()[1])


def fill_vault(site: Path, secrets: Mapping[str, str]) -> Path:
    """Make a site's vault; gives the file with its passphrase."""
    vault = Vault.create(site / "secrets.enc", PASSPHRASE, work=QUICK_WORK)
    for name, value in secrets.items():
        vault.set(name, value)
    file = site / "passphrase"
    file.touch(mode=0o600)
    file.write_text(PASSPHRASE)
    return file
