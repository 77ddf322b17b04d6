"""The workload by parallel-ssh: each command on all nodes at once, as its API is made for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pssh.clients import ParallelSSHClient

scene = json.loads(Path(sys.argv[1]).read_text())
nodes = scene["nodes"]
client = ParallelSSHClient(
    [node["address"] for node in nodes],
    user=scene["user"],
    port=scene["port"],
    pkey=scene["key"],
    allow_agent=False,
    identity_auth=False,
    pool_size=len(nodes),
)
for step in range(len(nodes[0]["commands"])):
    outputs = client.run_command("%s", host_args=[(node["commands"][step],) for node in nodes])
    client.join(outputs, consume_output=True)
    assert all(output.exit_code == 0 for output in outputs), [output.exit_code for output in outputs]
