"""``python -m benchmarks run [P1 P2 …] [--runs N]``: measure and write ``results.md``."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.farm import farm, why_not
from benchmarks.peers import Peer, default_cache, prepare, read_peers, versions
from benchmarks.report import Section
from benchmarks.scene import BenchmarkError
from benchmarks.workloads import ALONE, MOST_NODES, WORKLOADS, Bench

_ALL = (*WORKLOADS, *ALONE)


def main() -> int:
    """Run what is asked for; 0 when everything was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("prepare", help="only make the peers' virtual environments")
    run = verbs.add_parser("run", help="measure side by side")
    run.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(_ALL)}; default: all")
    run.add_argument("--runs", type=int, default=10, help="runs of each contender (default: 10)")
    run.add_argument("--dry", action="store_true", help="print the table and write nothing")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where environments are kept")
    given = parser.parse_args()
    # What is installed has its byte code; without it every start compiles whatever was changed.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if given.verb == "run" and (unknown := [name for name in given.workloads if name not in _ALL]):
        parser.error(f"no such workload: {', '.join(unknown)}")
    wanted = given.workloads if given.verb == "run" and given.workloads else _ALL
    machine = report.machine()
    peers: Mapping[str, Peer] = {}
    try:
        sections = [ALONE[name]() for name in wanted if name in ALONE and given.verb == "run"]
        beside = [name for name in wanted if name in WORKLOADS]
        if beside:
            peers = read_peers(given.cache)
            prepare(peers.values())
            if given.verb == "prepare":
                return 0
            sections += _side_by_side(beside, peers, given.runs)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    except NoServersError as error:
        print(error, file=sys.stderr)
        return 2
    if not given.dry:
        report.write(sections, {peer.title: versions(peer) for peer in peers.values()}, machine)
    print("\n\n".join(section.markdown() for section in sections))
    return 0


class NoServersError(Exception):
    """Servers to measure against cannot be had here."""


def _side_by_side(names: Sequence[str], peers: Mapping[str, Peer], runs: int) -> list[Section]:
    """Measure on servers made for it."""
    if reason := why_not():
        raise NoServersError(reason)
    # Ended from outside, this still takes its servers down with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # A short path: Ansible keeps sockets below it.
    directory = Path(tempfile.mkdtemp(prefix="rbdbench-"))
    try:
        with farm(directory / "farm", MOST_NODES) as up:
            bench = Bench(up, peers, directory, runs, random.Random())
            return [WORKLOADS[name](bench) for name in names]
    finally:
        shutil.rmtree(directory, ignore_errors=True)


sys.exit(main())
