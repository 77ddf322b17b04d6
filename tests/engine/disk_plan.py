"""A runner of its own for tests: a plan whose steps write files into the site, started as a program by the tests.

Arguments: ``--kill-after=N`` ends the process with SIGKILL behind its N-th journal line, ``--fail=STEP`` makes a step
fail until ``SITE/repaired`` exists, ``--pace=SECONDS`` is what a step takes, ``--gate=SECONDS`` how long the gate
waits, ``--slow=SECONDS`` how long it takes to begin, ``--absent`` finds no bundle, ``--health`` watches, ``--hang`` has
hosts that never let go; then the run directory.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rbdtui.bundle.model import Chart
from rbdtui.engine import runner
from rbdtui.engine.events import Event, ProbeChanged, Record
from rbdtui.engine.inputs import RunInputs
from rbdtui.engine.journal import Journal
from rbdtui.engine.parts import RunParts
from rbdtui.plan.step import BundleFile, Change, ChangeKind, Pending, Plan, Step, StepContext, StepError, StepKind
from rbdtui.rke2_version import Rke2Version
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import T

NODES = ("n1", "n2", "n3")


class NoBundle:
    def file(self, kind: str, arch: str) -> BundleFile:
        raise StepError("unused")

    def images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        return []

    def packages(self, os_id: str, os_version: str, arch: str) -> list[BundleFile]:
        return []

    def rke2_version(self, arch: str) -> Rke2Version | None:
        return None

    def chart(self, spec: ClusterSpec) -> Chart:
        raise StepError("unused")

    def helm(self, arch: str) -> BundleFile:
        raise StepError("unused")

    def rainbond_images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        return []

    def kubesphere_chart(self) -> Chart:
        raise NotImplementedError

    def kubesphere_images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        return []

    def rook_chart(self) -> Chart:
        raise NotImplementedError

    def rook_images(self, arch: str) -> list[BundleFile]:
        return []

    def ceph_image(self, arch: str) -> str:
        raise NotImplementedError

    def rainbond_releases(self) -> tuple[str, ...]:
        return ()


class DiskStep(Step):
    """Its result is a file; every begin of the work is a line in another."""

    __slots__ = ()
    pace_s: ClassVar[float] = 0.01
    failing: ClassVar[str] = ""

    def result(self, context: StepContext) -> Path:
        return context.site_dir / "world" / self.id

    async def pending(self, context: StepContext) -> Pending[None]:
        if self.result(context).exists():
            return Pending()
        return Pending((Change(ChangeKind.FILE, T("test.change"), str(self.result(context))),))

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        site = context.site_dir
        append(site / "applied", f"{self.id} {context.run_id}\n")
        context.report.line(f"the password is {context.secret('canary')}")
        if self.failing == self.id and not (site / "repaired").exists():
            raise RuntimeError(f"a defect that shows {context.secret('canary')}")
        await asyncio.sleep(self.pace_s)
        self.result(context).touch()


class A(DiskStep):
    __slots__ = ()
    name = "a"


class B(DiskStep):
    __slots__ = ()
    name = "b"


class Gate(DiskStep):
    __slots__ = ()
    name = "gate"
    kind = StepKind.GATE
    wait_s: ClassVar[float] = 0.0

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        await asyncio.sleep(self.wait_s)
        await super().apply(context, pending)


class C(DiskStep):
    __slots__ = ()
    name = "c"


def the_plan() -> Plan:
    steps: list[Step] = []
    for node in NODES:
        steps += [A(node), B(node, after=(f"a@{node}",))]
    steps.append(Gate("", after=tuple(f"b@{node}" for node in NODES)))
    return Plan((*steps, *(C(node, after=("gate",)) for node in NODES)))


def append(path: Path, text: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, text.encode())
    os.close(file)


@dataclass(frozen=True, slots=True)
class Health:
    async def changes(self) -> AsyncGenerator[ProbeChanged, None]:
        yield ProbeChanged("api@VIP", "VIP", 6443, "expected", T("test.health"), None)
        yield ProbeChanged("api@VIP", "VIP", 6443, "ok", T("test.health"), 1.5)
        raise RuntimeError("a probe that breaks")


def assembler(options: argparse.Namespace) -> Callable[..., object]:
    @asynccontextmanager
    async def assemble(inputs: RunInputs, secret: Callable[[str], str]) -> AsyncIterator[RunParts]:
        await asyncio.sleep(options.slow)
        if options.absent:
            raise StepError("step_not_proven", step=T("test.step"), node="n1")
        (inputs.site.path / "world").mkdir(exist_ok=True)
        yield RunParts(the_plan(), {}, NoBundle(), Health() if options.health else None)
        if options.hang:
            await asyncio.sleep(3600)

    return assemble


def kill_after(lines: int) -> None:
    """Die as nobody can prepare for, right behind a journal line."""
    real, written = Journal.append, 0

    def append_and_die(self: Journal, *events: Event) -> list[Record]:
        nonlocal written
        records = real(self, *events)
        written += len(records)
        if written >= lines:
            os.kill(os.getpid(), signal.SIGKILL)
        return records

    Journal.append = append_and_die  # type: ignore[method-assign]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kill-after", type=int, default=0)
    parser.add_argument("--fail", default="")
    parser.add_argument("--pace", type=float, default=0.01)
    parser.add_argument("--gate", type=float, default=0.0)
    parser.add_argument("--slow", type=float, default=0.0)
    parser.add_argument("--absent", action="store_true")
    parser.add_argument("--health", action="store_true")
    parser.add_argument("--hang", action="store_true")
    parser.add_argument("run_dir", nargs="?")
    given = parser.parse_args()
    DiskStep.pace_s, DiskStep.failing, Gate.wait_s = given.pace, given.fail, given.gate
    if given.hang:
        runner.LET_GO_LIMIT_S = 0.2  # type: ignore[misc]
    if given.kill_after:
        kill_after(given.kill_after)
    sys.exit(runner.main([given.run_dir] if given.run_dir else [], assembler(given)))  # type: ignore[arg-type]
