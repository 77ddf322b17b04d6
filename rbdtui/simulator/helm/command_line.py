"""SIMULATED helm: its commands and what they take."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from rbdtui.simulator.chart import ChartError
from rbdtui.simulator.helm import changing, reading
from rbdtui.simulator.helm.api import HelmError


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--kubeconfig", default=os.environ.get("KUBECONFIG", ""))
    common.add_argument("-n", "--namespace", default="default")
    common.add_argument("-o", "--output", default="table", choices=["table", "json", "yaml"])
    common.add_argument("--debug", action="store_true")
    parser = argparse.ArgumentParser(prog="helm", description="SIMULATED helm")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, arguments in _COMMANDS.items():
        command = commands.add_parser(name, parents=[common])
        for words, more in arguments():
            command.add_argument(*words, **more)
    return parser


def _seconds(text: str) -> float:
    """A duration as Go reads it, of one unit."""
    return float(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


_TIMEOUT: Final[dict[str, Any]] = {"type": _seconds, "default": 300.0}
Arguments = Iterator[tuple[tuple[str, ...], dict[str, Any]]]


def _named() -> Arguments:
    yield ("name",), {}
    yield ("--revision",), {"type": int, "default": 0}
    yield ("--max",), {"type": int, "default": 256}


def _rolled_back() -> Arguments:
    yield ("name",), {}
    yield ("revision",), {"nargs": "?"}
    yield ("--timeout",), {}


def _installed() -> Arguments:
    yield ("name",), {}
    yield ("chart",), {}
    yield ("-f", "--values"), {"action": "append"}
    yield ("--set",), {"action": "append"}
    yield ("--timeout",), _TIMEOUT
    yield ("--history-max",), {"type": int, "default": 10}
    for switch in ("--install", "--create-namespace", "--reset-values", "--include-crds", "--force"):
        yield (switch,), {"action": "store_true"}


def _uninstalled() -> Arguments:
    yield ("name",), {}
    yield ("--timeout",), _TIMEOUT
    for switch in ("--ignore-not-found", "--no-hooks", "--keep-history", "--wait"):
        yield (switch,), {"action": "store_true"}


def _of_what() -> Arguments:
    yield ("what",), {"choices": ["values", "manifest"]}
    yield ("name",), {}
    yield ("-a", "--all"), {"action": "store_true"}
    yield ("--revision",), {"type": int, "default": 0}


def _shown() -> Arguments:
    yield ("what",), {"choices": ["values", "chart"]}
    yield ("chart",), {}


def _listed() -> Arguments:
    yield ("-a", "--all"), {"action": "store_true"}
    yield ("-A", "--all-namespaces"), {"action": "store_true"}
    yield ("--filter",), {"default": ""}


def _asked_version() -> Arguments:
    yield ("--short",), {"action": "store_true"}
    yield ("--template",), {"default": ""}


_COMMANDS: Final[Mapping[str, Callable[[], Arguments]]] = {
    "get": _of_what, "history": _named, "install": _installed, "list": _listed, "rollback": _rolled_back,
    "show": _shown, "status": _named, "template": _installed, "uninstall": _uninstalled, "upgrade": _installed,
    "version": _asked_version,
}  # fmt: skip
_ACTIONS: Final[Mapping[str, Callable[[argparse.Namespace], None]]] = {
    "get": reading.get, "history": reading.history, "install": changing.upgrade, "list": reading.list_releases,
    "rollback": changing.rollback, "show": reading.show, "status": reading.status, "template": reading.template,
    "uninstall": changing.uninstall, "upgrade": changing.upgrade, "version": reading.version,
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run one command."""
    options = _parser().parse_args(arguments)
    options.client = None
    if options.command == "install":
        options.install = True
    try:
        _ACTIONS[options.command](options)
    except (HelmError, ChartError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    finally:
        if options.client is not None:
            options.client.close()
    return 0
