"""``python -m benchmarks run [P1 P2 …] [--runs N]``: measure and write ``results.md``."""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import report
from benchmarks.farm import farm, why_not
from benchmarks.peers import default_cache, prepare, read_peers, versions
from benchmarks.scene import BenchmarkError
from benchmarks.workloads import MOST_NODES, WORKLOADS, Bench


def main() -> int:
    """Run what is asked for; 0 when everything was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("prepare", help="only make the peers' virtual environments")
    run = verbs.add_parser("run", help="measure side by side")
    run.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(WORKLOADS)}; default: all")
    run.add_argument("--runs", type=int, default=10, help="runs of each contender (default: 10)")
    run.add_argument("--dry", action="store_true", help="print the table and write nothing")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where environments are kept")
    given = parser.parse_args()
    peers = read_peers(given.cache)
    prepare(peers.values())
    if given.verb == "prepare":
        return 0
    unknown = [name for name in given.workloads if name not in WORKLOADS]
    if unknown:
        parser.error(f"no such workload: {', '.join(unknown)}")
    if reason := why_not():
        print(reason, file=sys.stderr)
        return 2
    # Ended from outside, this still takes its servers down with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    machine = report.machine()
    # A short path: Ansible keeps sockets below it.
    directory = Path(tempfile.mkdtemp(prefix="rbdbench-"))
    try:
        with farm(directory / "farm", MOST_NODES) as up:
            bench = Bench(up, peers, directory, given.runs, random.Random())
            sections = [WORKLOADS[name](bench) for name in given.workloads or WORKLOADS]
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if not given.dry:
        report.write(sections, {peer.title: versions(peer) for peer in peers.values()}, machine)
    print("\n\n".join(section.markdown() for section in sections))
    return 0


sys.exit(main())
