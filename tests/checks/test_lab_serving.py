"""Each service that the lab can run beside its hosts, started by its one verb, and seen from a host."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import Lab
from tests.lab.serving import SERVICES
from tests.lab.shell import wait_for

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = Lab("verbs", hosts=2, bundle=False).up()
    try:
        yield lab
    finally:
        lab.down()


def ends(told: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Where it says that it answers, by address and port."""
    if "domain" in told:
        address, _, port = told["domain"].rpartition(":")
        yield address, int(port)
    if "endpoints" in told:
        yield told["endpoints"][-1].rpartition(":")[0], int(told["endpoints"][-1].rpartition(":")[2])
    if "port" in told:
        yield told["host"], told["port"]
    if "server" in told:
        yield told["server"], 2049
    for port in told.get("ports", ()):
        yield told["address"], port


def reaches(lab: Lab, address: str, port: int) -> bool:
    return lab.ssh("n1", f"timeout 5 bash -c 'exec 3<>/dev/tcp/{address}/{port}'", check=False).returncode == 0


@pytest.mark.parametrize("name", SERVICES)
def test_a_host_reaches_what_one_verb_has_started_and_it_ends_with_ctrl_c(lab: Lab, name: str) -> None:
    command = [sys.executable, "-m", "tests.lab", "--lab", lab.name, "serve", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        said = ""
        while not said.rstrip().endswith("}"):
            line = serving.stdout.readline()
            assert line, f"{name} ended: {said}"
            said += line
        try:
            told = json.loads(said)
            for address, port in ends(told):
                # The host may still know another machine by this address, for half a minute.
                wait_for(f"{address}:{port}", lambda: reaches(lab, address, port), timeout_s=60)  # noqa: B023 - at once
            assert list(ends(told)) or told.get("router_id")
        finally:
            serving.send_signal(signal.SIGINT)
        assert serving.wait(30) == 0
    for address, port in ends(told):
        assert not reaches(lab, address, port), f"{name} still answers at {address}:{port}"
