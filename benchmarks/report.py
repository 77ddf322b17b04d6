"""The table of results with machine, date and versions."""

from __future__ import annotations

import csv
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import Series

RESULTS = Path(__file__).with_name("results.md")
RAW = Path(__file__).with_name("results.csv")


@dataclass
class Section:
    """The results of one workload."""

    id: str
    title: str
    bar: str
    """What is promised."""
    header: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    verdict: str = ""
    """What was seen against the bar."""
    raw: list[tuple[str, int, float]] = field(default_factory=list)
    """Contender, number of the run, seconds."""

    def markdown(self) -> str:
        """Heading, bar, table and verdict."""
        lines = [f"### {self.id}: {self.title}", "", f"Bar: {self.bar}. {self.verdict}", ""]
        lines.append(f"| {' | '.join(self.header)} |")
        lines.append(f"|{'---|' * len(self.header)}")
        lines += [f"| {' | '.join(row)} |" for row in self.rows]
        return "\n".join(lines)


def series_row(series: Series, what: str, reference: Series) -> list[str]:
    """Median, quartiles, share of the reference, CPU, memory, runs."""
    first, third = series.quartiles(what)
    ratio = series.median(what) / reference.median(what)
    return [
        series.contender.title,
        f"{series.median(what):.2f}",
        f"{first:.2f}-{third:.2f}",
        f"{ratio:.2f}",
        f"{series.median('cpu_s'):.2f}",
        f"{series.median('memory_mib'):.0f}",
        str(len(series.runs)),
    ]


SERIES_HEADER = ("contender", "median s", "quartiles s", "of bare asyncssh", "CPU s", "memory MiB", "runs")


def machine() -> str:
    """What this was measured on, in one line; names nobody's machine."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, timeout=10).stderr.split(",")[0].strip()
    python, kernel = platform.python_version(), platform.release().split("-")[0]
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} x {model}, {memory_gib:.0f} GiB, Linux {kernel}, {ssh}, Python {python}; "
        f"all servers and the contender share these processors; load average at the start {load:.1f}"
    )


def write(sections: Iterable[Section], versions: Mapping[str, str], machine_line: str) -> None:
    """Write ``results.md`` and ``results.csv``; sections that were not measured now are kept as they were."""
    kept = _known_sections()
    dated = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    for section in sections:
        against = f"Measured {dated} on {machine_line}."
        kept[section.id] = f"{section.markdown()}\n\n{against}"
    order = sorted(kept, key=lambda name: (len(name), name))
    named = ", ".join(f"{title} ({what})" for title, what in versions.items())
    head = f"Contenders: {named}." if named else _known_head()
    text = "\n\n".join([head, *(kept[name] for name in order)]) + "\n"
    RESULTS.write_text(text, encoding="utf-8")
    _write_raw(sections)


def _known_sections() -> dict[str, str]:
    """Sections of the last results, by id."""
    if not RESULTS.exists():
        return {}
    parts = RESULTS.read_text(encoding="utf-8").split("### ")[1:]
    return {part.partition(":")[0]: f"### {part.strip()}" for part in parts}


def _known_head() -> str:
    """The line of contenders of the last results; those that were not asked now are as they were."""
    return RESULTS.read_text(encoding="utf-8").partition("\n")[0] if RESULTS.exists() else ""


def _write_raw(sections: Iterable[Section]) -> None:
    measured = {section.id: section for section in sections}
    old: list[list[str]] = []
    if RAW.exists():
        with RAW.open(encoding="utf-8", newline="") as file:
            old = [row for row in list(csv.reader(file))[1:] if row[0] not in measured]
    new = [[s.id, who, str(number), f"{seconds:.4f}"] for s in measured.values() for who, number, seconds in s.raw]
    rows = sorted([*old, *new], key=lambda row: (len(row[0]), row[0], row[1], int(row[2])))
    with RAW.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([["workload", "contender", "run", "seconds"], *rows])
