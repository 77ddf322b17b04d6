"""Who has the web ports of a gateway: the script on this machine's own sockets, and what its answer is worth."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from rbdtui.plan.steps.rainbond.owners import Owner, judge_owners, read_owners
from tests.plan.test_scripts import run

UID = "56a04184-43c7-4af2-aa63-36691ded3d24"
OTHER = "0d2c9d3a-0000-4af2-aa63-36691ded3d24"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees whose sockets are whose")
def test_a_process_that_listens_is_named_and_a_free_port_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        taken, unused = listening.getsockname()[1], free.getsockname()[1]
        name = Path("/proc/self/comm").read_text().strip().replace(" ", "_")
        (owner,) = read_owners(run("port-owners", str(unused), str(taken)).stdout)
    assert owner == Owner(taken, name, "")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (f"80 openresty {UID}\n443 openresty {UID}\n", []),
        (f"80 openresty {UID}\n", ["n1:443: nobody listens"]),
        (f"80 nginx -\n443 openresty {UID}\n", ["n1:80: nginx, no pod: not rbd-gateway"]),
        (
            f"80 nginx {OTHER}\n80 openresty {UID}\n443 nginx {OTHER}\n",
            [f"n1:80: nginx, pod {OTHER}: not rbd-gateway", f"n1:443: nginx, pod {OTHER}: not rbd-gateway"],
        ),
        ("80 - -\nnot understood\n443 openresty\n", ["n1:443: nobody listens", "n1:80: -, no pod: not rbd-gateway"]),
    ],
)
def test_only_a_pod_of_the_gateway_may_have_them(text: str, wrong: list[str]) -> None:
    assert judge_owners("n1", read_owners(text), {UID}) == wrong


def test_without_any_pod_of_the_gateway_nobody_may() -> None:
    assert len(judge_owners("n1", read_owners("80 nginx -\n443 nginx -\n"), {""})) == 2
