"""The workload by Fabric: a thread and a connection for each node, its commands one after the other."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fabric import Config, Connection

scene = json.loads(Path(sys.argv[1]).read_text())


def lane(node: dict) -> None:
    connect = {"key_filename": scene["key"], "look_for_keys": False, "allow_agent": False}
    config = Config(overrides={"load_ssh_configs": False, "run": {"hide": True, "in_stream": False}})
    address, user, port = node["address"], scene["user"], scene["port"]
    with Connection(address, user=user, port=port, connect_kwargs=connect, config=config) as connection:
        connection.client.load_host_keys(scene["known_hosts"])
        for command in node["commands"]:
            connection.run(command)


with ThreadPoolExecutor(len(scene["nodes"])) as pool:
    list(pool.map(lane, scene["nodes"]))
