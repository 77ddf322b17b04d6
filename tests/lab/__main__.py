"""`python -m tests.lab`: the lab from a shell. Answers go to stdout as JSON, progress to stderr."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.lab.base import base_image, keepalived_image
from tests.lab.bundle import offline_bundle
from tests.lab.cache import Cache, cache_root, prune
from tests.lab.lab import DEFAULT_DISK_GIB, DEFAULT_NAME, Lab
from tests.lab.machine import install_missing
from tests.lab.shell import LabError, to_stderr
from tests.lab.teardown import clear_abandoned

Argument = tuple[str, Callable[[str], object]]

FAULTS: Mapping[str, Sequence[Argument]] = {
    "off": [("host", str)],
    "on": [("host", str)],
    "cut": [("host", str)],
    "mend": [("host", str)],
    "narrow": [("host", str), ("rate", str)],
    "widen": [("host", str)],
    "fill": [("host", str), ("path", str)],
    "drain": [("host", str)],
    "kill": [("host", str), ("service", str)],
    "skew": [("host", str), ("seconds", float)],
    "rekey": [("host", str)],
    "second_card": [("host", str)],
    "squat": [("address", str)],
    "unsquat": [("address", str)],
    "delay": [("host", str), ("round_trip_ms", int)],
    "undelay": [("host", str)],
}
"""Verbs that are methods of `Lab`, with their arguments."""


def main(argv: Sequence[str] | None = None) -> int:
    """Do one verb; the exit code is 1 when the lab could not, or that of the remote command of `ssh`."""
    given = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what is half done is cleaned up
    try:
        return _do(given)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab", description="Real hosts with real Kubernetes for tests."
    )
    parser.add_argument("--lab", default=DEFAULT_NAME, metavar="NAME", help="which lab (default: %(default)s)")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("base", help="install what this machine lacks and build the hosts' disks")
    verbs.add_parser("bundle", help="the same, and build the offline bundle")
    verbs.add_parser("prune", help="remove what is in the cache but out of date")
    verbs.add_parser("down", help="end the lab and remove its disks")
    verbs.add_parser("status", help="print the lab as JSON")
    up = verbs.add_parser("up", help="boot hosts, wait for them, print the lab as JSON")
    up.add_argument("--hosts", type=int, default=3, metavar="N")
    up.add_argument("--quarter", type=int, choices=range(4), help="part of 198.51.100.0/24 (default: the first free)")
    up.add_argument(
        "--bastion-for", action="append", default=[], metavar="HOST", help="takes SSH from the bastion only"
    )
    up.add_argument(
        "--without-keepalived", action="append", metavar="HOST", help="default: the third host; '' for none"
    )
    up.add_argument("--disk-gib", type=int, default=DEFAULT_DISK_GIB, metavar="GIB")
    up.add_argument("--no-bundle", action="store_true", help="do not build the bundle")
    ssh = verbs.add_parser("ssh", help="run a command on a host, or log in")
    ssh.add_argument("--user", default="root")
    ssh.add_argument("host")
    ssh.add_argument("command", nargs=argparse.REMAINDER)
    serve = verbs.add_parser("serve", help="run a service beside the hosts until Ctrl-C; without a name, list them")
    serve.add_argument("service", nargs="?")
    for verb, arguments in FAULTS.items():
        described = (getattr(Lab, verb).__doc__ or "").strip().splitlines()[0]
        fault = verbs.add_parser(verb, help=described.replace("%", "%%"))
        for name, kind in arguments:
            fault.add_argument(name, type=kind)
    return parser


def _do(given: argparse.Namespace) -> int:
    if given.verb in ("base", "bundle", "prune"):
        return _build(given.verb)
    if given.verb == "up":
        bare = given.without_keepalived
        lab = Lab(
            given.lab,
            hosts=given.hosts,
            quarter=given.quarter,
            without_keepalived=None if bare is None else [name for name in bare if name],
            bastion_for=given.bastion_for,
            disk_gib=given.disk_gib,
            bundle=not given.no_bundle,
        )
        return _answer(lab.up().status())
    if given.verb == "down":
        Lab(given.lab).down()
        return 0
    lab = Lab.attach(given.lab)
    if given.verb == "status":
        return _answer(lab.status())
    if given.verb == "ssh":
        sys.stdout.flush()
        command = [*lab.ssh_command(given.host, given.user), *given.command]
        os.execvp(command[0], command)
    if given.verb == "serve":
        return _serve(lab, given.service)
    result = getattr(lab, given.verb)(*(getattr(given, name) for name, _ in FAULTS[given.verb]))
    return 0 if result is None else _answer(result)


def _serve(lab: Lab, name: str | None) -> int:
    """Run a service, which is told on stdout as soon as it answers; ends with Ctrl-C, or with SIGTERM."""
    from tests.lab.serving import SERVICES  # it takes more than the standard library

    if name is None:
        return _answer(list(SERVICES))
    if name not in SERVICES:
        raise LabError(f"no service {name!r}; there are {', '.join(SERVICES)}")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its background commands ignore it
    with (
        TemporaryDirectory(prefix="rbdlab-") as directory,
        SERVICES[name](lab, Path(directory)) as told,
        suppress(KeyboardInterrupt),
    ):
        _answer(told)
        sys.stdout.flush()
        signal.pause()
    return 0


def _build(verb: str) -> int:
    reason = Lab.supported()
    if reason:
        raise LabError(reason)
    install_missing(to_stderr)
    cache = Cache(cache_root(), to_stderr)
    if verb == "base":
        base = base_image(cache, to_stderr)
        return _answer({"base": str(base), "with_keepalived": str(keepalived_image(cache, base, to_stderr))})
    if verb == "bundle":
        return _answer({"bundle": str(offline_bundle(cache, to_stderr))})
    clear_abandoned(to_stderr)
    return _answer({"removed": prune(cache)})


def _answer(result: object) -> int:
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
