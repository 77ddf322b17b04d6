"""What all contenders are given: nodes with their commands, and how to log in; and the proof that all was done.

Every command leaves a file behind, so that a run counts only when each command was carried out on each node, and the
time of the last file tells when a node was finished, whatever tool did it.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.farm import Farm


class BenchmarkError(Exception):
    """A contender did not do its work, or a benchmark cannot be run here."""


@dataclass(frozen=True)
class Workload:
    """How many nodes, how many commands each, and how long they take."""

    nodes: int
    steps: int
    pause_s: float = 0.0
    """What every command waits, beside its work."""
    slow_pause_s: float = 0.0
    """What the commands of the last node wait instead; 0 for none."""


@dataclass(frozen=True)
class Scene:
    """One workload laid out in a directory."""

    workload: Workload
    directory: Path
    farm: Farm

    @property
    def file(self) -> Path:
        """The JSON that contenders read."""
        return self.directory / "scene.json"

    @property
    def markers(self) -> Path:
        """Where commands leave their files."""
        return self.directory / "done"

    @property
    def names(self) -> list[str]:
        """Names of the nodes."""
        return [node.name for node in self.farm.nodes[: self.workload.nodes]]

    def lay_out(self) -> None:
        """Write the scene; every run starts without files of the one before."""
        shutil.rmtree(self.markers, ignore_errors=True)
        for name in self.names:
            (self.markers / name).mkdir(parents=True)
        nodes = [
            {"name": node.name, "address": node.address, "commands": self._commands(node.name)}
            for node in self.farm.nodes[: self.workload.nodes]
        ]
        scene = {
            "port": self.farm.port,
            "user": self.farm.user,
            "key": str(self.farm.key),
            "known_hosts": str(self.farm.known_hosts),
            "nodes": nodes,
        }
        self.file.write_text(json.dumps(scene), encoding="utf-8")

    def _commands(self, name: str) -> list[str]:
        slow = self.workload.slow_pause_s and name == self.names[-1]
        pause_s = self.workload.slow_pause_s if slow else self.workload.pause_s
        before = f"sleep {pause_s:g}; " if pause_s else ""
        return [f"{before}echo x >> {self.markers}/{name}/{step}" for step in range(self.workload.steps)]

    def times_done(self) -> dict[str, int]:
        """How often each command was carried out, by node and number."""
        counts = {}
        for name in self.names:
            for step in range(self.workload.steps):
                marker = self.markers / name / str(step)
                counts[f"{name}/{step}"] = marker.read_text().count("x") if marker.exists() else 0
        return counts

    def check(self) -> None:
        """Raise `BenchmarkError` unless every command was carried out, once."""
        wrong = {what: count for what, count in self.times_done().items() if count != 1}
        if wrong:
            raise BenchmarkError(f"{len(wrong)} commands were not carried out once: {dict(list(wrong.items())[:3])}")

    def finished_at(self) -> float:
        """Unix time at which the last command of the last node that is not the slow one was done."""
        others = self.names[:-1] if self.workload.slow_pause_s else self.names
        last = str(self.workload.steps - 1)
        return max((self.markers / name / last).stat().st_mtime for name in others)
