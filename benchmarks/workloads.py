"""What is measured: P1 to P3, P6 to P17, each with its bar and its contenders."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import screen
from benchmarks.asked import p14
from benchmarks.contenders.recipes import Contender, ansible, engine, prepared_engine, pyinfra, script, transport
from benchmarks.farm import Farm
from benchmarks.idle import idle
from benchmarks.keystroke import p13
from benchmarks.measure import Series, compare
from benchmarks.peers import Peer
from benchmarks.preflight import p6
from benchmarks.report import SERIES_HEADER, Section, series_row
from benchmarks.resume import kill_and_resume
from benchmarks.scene import Scene, Workload
from benchmarks.starting import starting
from benchmarks.whole_rainbond import whole_rainbond
from benchmarks.whole_run import whole_run

MOST_NODES = 100
MOST_INSTALLATIONS = 2
"""By each way: one takes more than a minute."""


@dataclass(frozen=True)
class Bench:
    """Everything that a workload needs."""

    farm: Farm
    peers: Mapping[str, Peer]
    directory: Path
    runs: int
    rng: random.Random

    def scene(self, name: str, workload: Workload) -> Scene:
        """A directory for one workload."""
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        return Scene(workload, directory, self.farm)

    def contenders(self, *own: Contender) -> list[Contender]:
        """Ours and all peers."""
        peers = self.peers
        return [
            *own,
            script(peers["asyncssh"], "bare_asyncssh.py"),
            script(peers["parallel-ssh"], "parallel_ssh_groups.py"),
            script(peers["fabric"], "fabric_lanes.py"),
            pyinfra(peers["pyinfra"]),
            ansible(peers["ansible"], module="shell", strategy="linear"),
            ansible(peers["ansible"], module="raw", strategy="free"),
        ]


def p1(bench: Bench) -> Section:
    """20 steps on 10 nodes."""
    return _steps(bench, "P1", 10, bench.contenders(engine(), prepared_engine()))


def p1_100(bench: Bench) -> Section:
    """20 steps on 100 nodes."""
    contenders = bench.contenders(engine(), prepared_engine())
    swift = [one for one in contenders if one.name != "ansible-shell-linear"]
    section = _steps(bench, "P1-100", 100, swift)
    section.verdict += " Ansible (shell, linear) is left out: one run of it takes minutes."
    return section


def _steps(bench: Bench, name: str, nodes: int, contenders: Sequence[Contender]) -> Section:
    scene = bench.scene(name.lower(), Workload(nodes, 20))
    series = compare(contenders, scene, bench.runs, bench.rng)
    cold, prepared, bare, others = series[0], series[1], series[2], series[3:]
    ratio, ratio_prepared = (one.median("wall_s") / bare.median("wall_s") for one in (cold, prepared))
    section = _section(name, f"20 steps on {nodes} nodes, one command each", series, "wall_s")
    section.bar = "at most 1.6 times bare asyncssh, ahead of the others, journal with fsync and events included"
    section.verdict = (
        f"Seen: {ratio:.2f} times, {_ahead(cold, others)}; from the consent {ratio_prepared:.2f} times, "
        f"{_ahead(prepared, others)}."
    )
    return section


def _ahead(own: Series, others: Sequence[Series]) -> str:
    behind = [one.contender.title for one in others if one.median("wall_s") <= own.median("wall_s")]
    return "ahead of every other" if not behind else f"behind {', '.join(behind)}"


def p2(bench: Bench) -> Section:
    """Cold login and one command on 50 nodes."""
    scene = bench.scene("p2", Workload(50, 1))
    own = (transport(), engine(), prepared_engine())
    series = compare(bench.contenders(*own), scene, bench.runs, bench.rng)
    by_name = {one.contender.name: one for one in series}
    seen = [f"{by_name[name].median('wall_s'):.2f} s" for name in ("rbdtui-transport", "parallel-ssh", "fabric")]
    section = _section("P2", "log in to 50 nodes and run one command on each", series, "wall_s")
    section.bar = "ahead of parallel-ssh and Fabric"
    others = series[len(own) + 1 :]
    section.verdict = (
        f"Seen: {seen[0]} against {seen[1]} and {seen[2]}. With engine and journal: {_ahead(series[1], others)}; "
        f"from the consent: {_ahead(series[2], others)}."
    )
    return section


def p3(bench: Bench) -> Section:
    """One slow node among ten."""
    even = bench.scene("p3-even", Workload(10, 6, pause_s=0.5))
    slow = bench.scene("p3-slow", Workload(10, 6, pause_s=0.5, slow_pause_s=5.0))
    contenders = bench.contenders(engine())
    runs = max(3, bench.runs // 2)
    without = compare(contenders, even, runs, bench.rng)
    with_slow = compare(contenders, slow, runs, bench.rng)
    section = Section(
        "P3",
        "one of ten nodes takes 5 s for each of 6 steps, the others 0.5 s: when are the others finished?",
        "the slow node adds at most 2 % for the others",
        ("contender", "all even, s", "one slow, s", "added", "runs"),
    )
    for before, after in zip(without, with_slow, strict=True):
        first, second = before.median("finished_s"), after.median("finished_s")
        added = f"{(second / first - 1) * 100:+.1f} %"
        title = before.contender.title
        section.rows.append([title, f"{first:.2f}", f"{second:.2f}", added, str(len(after.runs))])
        section.raw += _raw(f"{before.contender.name} even", before.values("finished_s"))
        section.raw += _raw(f"{before.contender.name} slow", after.values("finished_s"))
    section.verdict = f"Seen: {section.rows[0][3]}."
    return section


def p10(bench: Bench) -> Section:
    """Killed and taken up again."""
    scene = bench.scene("p10", Workload(10, 20, pause_s=0.05))
    seen = [kill_and_resume(scene, bench.rng) for _ in range(bench.runs)]
    seconds = [one.first_step_s for one in seen]
    repeated = sum(one.repeated for one in seen)
    finished = sum(one.finished_before for one in seen)
    section = Section(
        "P10",
        "the runner is killed (kill -9) in the middle of 20 steps on 10 nodes and taken up by a new process",
        "first new step within 2 s, no finished step repeated",
        ("first new step, median s", "slowest s", "finished steps", "repeated", "runs"),
        [[f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}", str(finished), str(repeated), str(len(seen))]],
        f"Seen: {statistics.median(seconds):.2f} s, {repeated} of {finished} repeated.",
        _raw("rbdtui", seconds),
    )
    return section


def _section(name: str, title: str, series: list[Series], what: str) -> Section:
    reference = next(one for one in series if one.contender.name == "asyncssh")
    rows = [series_row(one, what, reference) for one in series]
    section = Section(name, title, "", SERIES_HEADER, list(rows))
    for one in series:
        section.raw += _raw(one.contender.name, one.values(what))
    return section


def _raw(who: str, values: list[float]) -> list[tuple[str, int, float]]:
    return [(who, number, seconds) for number, seconds in enumerate(values, 1)]


def p7(bench: Bench) -> Section:
    """First picture and memory of the terminal UI."""
    return screen.p7(bench.directory, bench.runs)


def p8(bench: Bench) -> Section:
    """From a key to its picture."""
    return screen.p8(bench.directory, bench.runs)


def p9(bench: Bench) -> Section:
    """Bytes to the terminal."""
    return screen.p9(bench.directory, bench.runs)


def p16(bench: Bench) -> Section:
    """From a key to its picture while servers are asked."""
    return screen.p16(bench.directory, bench.runs)


def p11(bench: Bench) -> Section:
    """The whole installation on real hosts."""
    return whole_run(bench.peers, bench.directory, min(bench.runs, MOST_INSTALLATIONS))


WORKLOADS: Mapping[str, Callable[[Bench], Section]] = {
    "P1": p1,
    "P1-100": p1_100,
    "P2": p2,
    "P3": p3,
    "P7": p7,
    "P8": p8,
    "P9": p9,
    "P16": p16,
    "P10": p10,
    "P11": p11,
}

ALONE: Mapping[str, Callable[[], Section]] = {
    "P6": p6,
    "P13": p13,
    "P14": p14,
    "P15": idle,
    "P12": whole_rainbond,
    "P17": starting,
}
"""What needs neither servers of its own nor contenders."""
