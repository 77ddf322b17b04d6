"""SIMULATED helm: what a chart runs around a change, each object made, its job waited for, and taken away again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from rbdtui.simulator.chart import Tree
from rbdtui.simulator.chart_kubesphere import HOOK
from rbdtui.simulator.helm.api import Client, HelmError

_LOOK_EVERY_S: Final = 0.1


def parted(objects: list[Tree]) -> tuple[list[Tree], list[Tree]]:
    """What belongs to a release, and what is only run around its changes."""
    hooks = [item for item in objects if _of(item)]
    return [item for item in objects if not _of(item)], hooks


def run(
    client: Client, hooks: list[Tree], moment: str, limit_s: float, path_of: Callable[[Tree], tuple[str, str]]
) -> None:
    """Run those of a moment such as ``post-install`` one after the other; raises `HelmError`."""
    mine = [item for item in hooks if moment in _of(item)]
    for item in mine:
        collection, own = path_of(item)
        if client.find(own) is not None:
            client.ask("DELETE", own)
        client.ask("POST", collection, item)
        if item["kind"] == "Job":
            _await_job(client, own, moment, limit_s)
    for item in mine:
        if client.find(path_of(item)[1]) is not None:
            client.ask("DELETE", path_of(item)[1])


def _await_job(client: Client, path: str, moment: str, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while not ((client.find(path) or {}).get("status") or {}).get("succeeded"):
        if time.monotonic() > deadline:
            raise HelmError(f"failed {moment}: 1 error occurred:\n\t* timed out waiting for the condition")
        time.sleep(_LOOK_EVERY_S)


def _of(item: Tree) -> list[str]:
    words = str(item["metadata"].get("annotations", {}).get(HOOK, ""))
    return words.split(",") if words else []
