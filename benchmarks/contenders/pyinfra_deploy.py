"""The workload as a pyinfra deploy; the inventory hands each node its commands."""

from __future__ import annotations

from pyinfra import host
from pyinfra.operations import server

for command in host.data.commands:
    server.shell(name=command, commands=[command])
