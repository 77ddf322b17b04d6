"""The workload by asyncssh alone: one connection for each node, its commands one after the other."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import asyncssh


async def lane(scene: dict, node: dict) -> None:
    connection = await asyncssh.connect(
        node["address"],
        port=scene["port"],
        username=scene["user"],
        client_keys=[scene["key"]],
        known_hosts=scene["known_hosts"],
        config=None,
        agent_path=None,
    )
    async with connection:
        for command in node["commands"]:
            await connection.run(command, check=True)


async def main(scene: dict) -> None:
    await asyncio.gather(*(lane(scene, node) for node in scene["nodes"]))


asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
