"""P2 by rbdtui's transport alone: ``python -m benchmarks.connect SCENE`` logs in everywhere and runs the commands."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool
from rbdtui.transport.scripts import Script

COMMAND = Script("benchmark", 'eval "$1"\n')
Scene = Mapping[str, object]


def nodes_of(scene: Scene) -> list[Mapping[str, object]]:
    """The nodes of a scene."""
    nodes = scene["nodes"]
    assert isinstance(nodes, list)
    return nodes


def commands_of(node: Mapping[str, object]) -> list[str]:
    """The commands of a node."""
    commands = node["commands"]
    assert isinstance(commands, Iterable)
    return [str(command) for command in commands]


def pool_of(scene: Scene) -> HostPool:
    """The hosts of a scene."""
    endpoints = {
        str(node["name"]): Endpoint(
            str(node["name"]),
            str(node["address"]),
            port=int(str(scene["port"])),
            user=str(scene["user"]),
            key=Path(str(scene["key"])),
            agent=False,
        )
        for node in nodes_of(scene)
    }
    return HostPool(endpoints, KnownHosts(Path(str(scene["known_hosts"]))), str)


async def connect_everywhere(scene: Scene) -> None:
    """A lane for each node, all at once."""
    async with pool_of(scene) as hosts:

        async def lane(node: Mapping[str, object]) -> None:
            for command in commands_of(node):
                await hosts[str(node["name"])].must(COMMAND, command, root=False)

        await asyncio.gather(*(lane(node) for node in nodes_of(scene)))


if __name__ == "__main__":
    asyncio.run(connect_everywhere(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
