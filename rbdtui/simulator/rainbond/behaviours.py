"""What the programs of Rainbond's images do in the simulated cluster, with the words that the real ones write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.kubernetes.kubelet import Behaviour
from rbdtui.simulator.kubernetes.selectors import Object
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.rainbond.gateway import open_controller, open_gateway, open_old_gateway
from rbdtui.simulator.rainbond.operator import OPERATOR_IMAGE
from rbdtui.simulator.rainbond.parts_old import MIGRATIONS


def _database_fault(cluster: Cluster, pod: Object) -> str:
    """Why the databases do not answer a pod: goodrain/rainbond@v6.2.1-release, db/db.go and db/mysql/mysql.go."""
    address = _address(pod)
    if address and address != "rbd-db-rw":
        answers = any(
            m.powered and str(m.ip) == address and m.listener(address, 3306) for m in cluster.network.machines
        )
        if not answers:
            return f"dial tcp {address}:3306: connect: connection refused"
    return "dial tcp rbd-db-rw:3306: connect: connection refused" if cluster.faults.database_silent else ""


def _address(pod: Object) -> str:
    """Where a pod looks for its database, as it was told."""
    container = pod["spec"]["containers"][0]
    for argument in container.get("args", []):
        if argument.startswith("--mysql="):
            return str(argument).partition("@tcp(")[2].partition(":")[0]
    return next((str(each["value"]) for each in container.get("env", []) if each["name"] == "MYSQL_HOST"), "")


def _region_waits(cluster: Cluster, pod: Object) -> str:
    fault = _database_fault(cluster, pod)
    return f"failed to connect to database: {fault}" if fault else ""


def _console_waits(cluster: Cluster, pod: Object) -> str:
    return "ERROR: Database not ready, will waiting" if _database_fault(cluster, pod) else ""


def _database_waits(cluster: Cluster, pod: Object) -> str:
    words = "ERROR 2002 (HY000): Can't connect to local MySQL server through socket '/var/run/mysqld/mysqld.sock' (2)"
    return words if cluster.faults.database_silent else ""


def _write_hosts(cluster: Cluster, machine: Machine, pod: Object) -> bool:
    """The hosts-job: its line at the end of the file, unless exactly that line is there; other pods only sleep."""
    variables = pod["spec"]["containers"][0].get("env", [])
    line = next((str(each["value"]) for each in variables if each["name"] == "LINE"), "")
    text = machine.files.text("/etc/hosts")
    if line and line not in text.splitlines():
        machine.files.write("/etc/hosts", f"{text}{line}\n".encode())
    return bool(line)


def _migrated(cluster: Cluster, machine: Machine, pod: Object) -> bool:
    """The Job that makes the console's tables, which nobody looks at here."""
    return True


BEHAVIOURS: Final[Mapping[str, Behaviour]] = {
    OPERATOR_IMAGE: Behaviour(2.0, ("setup INFO starting manager",)),
    "local-path-provisioner": Behaviour(0.5, ("Starting local-path-provisioner",)),
    "minio": Behaviour(3.0, ("MinIO Object Storage Server",)),
    "apisix-ingress-controller": Behaviour(4.0, ("apisix ingress controller started",), listen=open_controller),
    "apisix": Behaviour(1.0, ("nginx started",), listen=open_gateway),
    "registry": Behaviour(0.0, ("listening on [::]:5000",)),
    "rbd-mq": Behaviour(3.0, ("start mq server",)),
    "rbd-db": Behaviour(4.0, ("mysqld: ready for connections.",), _database_waits),
    "rbd-monitor": Behaviour(3.0, ("Server is ready to receive web requests.",)),
    "rbd-worker": Behaviour(4.0, ("start worker server",), _region_waits),
    "rbd-chaos": Behaviour(4.0, ("start builder server",), _region_waits),
    "rbd-api": Behaviour(2.0, ("start api server",), _region_waits),
    "rainbond": Behaviour(4.0, ("Operations to perform: Apply all migrations", "Starting server"), _console_waits),
    "alpine": Behaviour(1.0, done=_write_hosts),
    "rbd-gateway": Behaviour(2.0, ("start gateway server",), listen=open_old_gateway),
    "etcd": Behaviour(2.0, ("ready to serve client requests",)),
    MIGRATIONS: Behaviour(2.0, ("Operations to perform: Apply all migrations",), _console_waits, done=_migrated),
}
"""By the container's name, else the last part of its image's."""
