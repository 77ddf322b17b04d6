"""A fleet in a process of its own, so that it outlives the runner as real hosts do.

The first line on standard output is JSON: ports, host keys, the site. Then every line on standard input is a fault as
JSON, e.g. ``{"do": "power_off", "node": "node2"}``, answered by one line of JSON. The fleet ends with standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import stat
import sys
from pathlib import Path
from typing import Final

from rbdtui.simulator.control import Control
from rbdtui.simulator.demo_site import KUBERNETES, RAINBOND, RAINBOND_OLD, write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet, UnusableLoopbackError
from rbdtui.site import SiteError
from rbdtui.words import T, language_of_environment, use_language

DEFAULT_RATE_BYTES_PER_S: Final = 8_000_000.0
"""To each machine: slow enough for the eye to follow an upload."""


def main() -> int:
    """Run until standard input closes or SIGTERM comes."""
    parser = argparse.ArgumentParser(prog="python -m rbdtui.simulator")
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=DEFAULT_RATE_BYTES_PER_S, metavar="BYTES_PER_S")
    parser.add_argument("--bundle", type=Path, default=None)
    parser.add_argument("--empty", action="store_true")
    parser.add_argument("--profile", choices=(KUBERNETES, RAINBOND, RAINBOND_OLD), default=KUBERNETES)
    use_language(language_of_environment())
    arguments = parser.parse_args()
    try:
        asyncio.run(_serve(arguments))
    except UnusableLoopbackError as error:
        sys.stderr.write(f"{T('simulator.no_loopback', address=error.address, reason=error.reason)}\n")
        return 1
    except SiteError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        reason = error.strerror or str(error)
        sys.stderr.write(f"{T('simulator.no_site', path=str(arguments.dir), reason=reason)}\n")
        return 1
    return 0


async def _serve(arguments: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    fleet = SimulatedFleet(arguments.nodes, speed=arguments.speed, rate_bytes_per_s=arguments.rate)
    async with fleet:
        site = write_demo_site(
            arguments.dir, fleet, bundle=arguments.bundle, empty=arguments.empty, profile=arguments.profile
        )
        site.mark_simulated((str(station.machine.ip), station.sshd.port) for station in fleet.stations.values())
        ready: dict[str, object] = {
            "site": str(site.path),
            "vip": str(fleet.vip),
            "known_hosts": fleet.known_hosts,
            "nodes": {
                name: {"address": str(station.machine.ip), "port": station.sshd.port}
                for name, station in fleet.stations.items()
            },
        }
        _say(ready)
        reading = asyncio.create_task(_obey(Control(fleet)))
        waiting = asyncio.create_task(stopped.wait())
        await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)
        reading.cancel()
        waiting.cancel()
        await asyncio.gather(reading, waiting, return_exceptions=True)


async def _obey(control: Control) -> None:
    """Carry commands out until their pipe or terminal ends; /dev/null and files have none, and end nothing."""
    if not (stat.S_ISFIFO(mode := os.fstat(sys.stdin.fileno()).st_mode) or stat.S_ISSOCK(mode) or sys.stdin.isatty()):
        await asyncio.Event().wait()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        _say(await control.obey(line))


def _say(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
