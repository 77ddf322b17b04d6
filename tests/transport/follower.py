"""A process that follows a job on a host and is killed while it does."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.scripts import Script

_PROGRAM = """
import asyncio, pathlib, sys
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.jobs import run_job
from rbdtui.transport.pool import HostPool
from rbdtui.transport.scripts import Script

async def main(address, port, key, known, unit, name, text, *args):
    endpoint = Endpoint("n1", address, int(port), key=pathlib.Path(key), agent=False)
    async with HostPool({"n1": endpoint}, KnownHosts(pathlib.Path(known)), str) as pool:
        show = lambda line: print(line, flush=True)
        await run_job(pool["n1"], unit, Script(name, text), *args, timeout_s=60, on_line=show)

asyncio.run(main(*sys.argv[1:]))
"""


async def follow_and_be_killed(endpoint: Endpoint, known_hosts: Path, unit: str, script: Script, *args: str) -> str:
    """Start a job from another process and kill that after the job's first line, which is given back."""
    words = (endpoint.address, str(endpoint.port), str(endpoint.key), str(known_hosts), unit, script.name, script.text)
    follower = subprocess.Popen([sys.executable, "-c", _PROGRAM, *words, *args], stdout=subprocess.PIPE)
    try:
        assert follower.stdout is not None
        return (await asyncio.to_thread(follower.stdout.readline)).decode().strip()
    finally:
        follower.kill()
        follower.communicate(timeout=10)
