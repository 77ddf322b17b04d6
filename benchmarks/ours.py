"""The workload by rbdtui's own engine and transport: journal with fsync, events, lock, control socket, logs.

``python -m benchmarks.ours run SCENE`` carries a run out in this process as the runner does; ``waiting SCENE LOADED``
does so when its stdin is closed, once it has loaded all and made the file LOADED; ``runner RUN_DIR`` is the detached
runner that is killed and taken up again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmarks.connect import COMMAND, Scene, commands_of, nodes_of, pool_of
from rbdtui.engine.inputs import RunInputs, RunOptions, create_run_dir
from rbdtui.engine.parts import RunParts
from rbdtui.engine.runner import Runner, StartReport, load_words, main
from rbdtui.plan.step import Bundle, BundleFile, Change, ChangeKind, Pending, Plan, Step, StepContext, StepError
from rbdtui.rke2_version import Rke2Version
from rbdtui.site import Site
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import Text

SCENE_NAME = "scene.json"


@dataclass(frozen=True, slots=True)
class CommandStep(Step):
    """One command of the workload; its exit status is its proof, so that it costs one command as everywhere else."""

    name: ClassVar[str] = "benchmark"
    time_limit_s: ClassVar[float] = 600.0
    number: int
    command: str

    @property
    def id(self) -> str:
        return f"{self.name}-{self.number}@{self.node}"

    @property
    def title(self) -> Text:
        return Text("benchmark.step")

    async def pending(self, context: StepContext) -> Pending[None]:
        return Pending((Change(ChangeKind.COMMAND, self.title, self.command),))

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        await context.hosts[self.node].must(COMMAND, self.command, timeout_s=self.time_limit_s)

    async def verify(self, context: StepContext) -> None:
        return None


class NoBundle:
    """No step here ships anything."""

    def file(self, kind: str, arch: str) -> BundleFile:
        raise StepError("benchmark_without_bundle")

    def images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        return []

    def packages(self, os_id: str, os_version: str, arch: str) -> list[BundleFile]:
        return []

    def rke2_version(self, arch: str) -> Rke2Version | None:
        return None


def plan_of(scene: Scene) -> Plan:
    """A lane for each node, a step for each of its commands."""
    steps: list[Step] = []
    for node in nodes_of(scene):
        before: tuple[str, ...] = ()
        for number, command in enumerate(commands_of(node)):
            step = CommandStep(str(node["name"]), number=number, command=command, after=before)
            steps.append(step)
            before = (step.id,)
    return Plan(tuple(steps))


@asynccontextmanager
async def assemble(inputs: RunInputs, secret: Callable[[str], str]) -> AsyncIterator[RunParts]:
    """The parts of a run whose scene lies in its site directory."""
    scene = json.loads((inputs.site.path / SCENE_NAME).read_text(encoding="utf-8"))
    bundle: Bundle = NoBundle()
    async with pool_of(scene) as hosts:
        yield RunParts(plan_of(scene), hosts, bundle)


def make_site(scene_file: Path) -> Site:
    """A site directory beside the scene, with a spec that names the scene's nodes."""
    scene = json.loads(scene_file.read_text(encoding="utf-8"))
    path = scene_file.with_suffix(".site")
    path.mkdir(mode=0o700, exist_ok=True)
    (path / SCENE_NAME).write_text(json.dumps(scene), encoding="utf-8")
    roles = "[control-plane, etcd, worker, gateway]"
    nodes = "".join(f"  - {{name: {n['name']}, address: {n['address']}, roles: {roles}}}\n" for n in scene["nodes"])
    spec = f"apiVersion: rbdtui/v1\nname: benchmark\nprofile: kubernetes-only\nbundle: /\nnodes:\n{nodes}"
    spec += "gateway: {mode: none}\nkubernetes: {api: {mode: first-server}}\n"
    (path / "cluster.yaml").write_text(spec, encoding="utf-8")
    return Site(path)


def make_run(site: Site) -> Path:
    """The directory of a new run of a site."""
    return create_run_dir(site, site.spec_file.read_bytes(), {}, RunOptions())


def run(scene_file: Path) -> int:
    """A run of a scene in this process, its site and its directory made first."""
    return Runner(make_run(make_site(scene_file)), {}, assemble, StartReport(-1)).carry_out()


if __name__ == "__main__":
    verb, place, *loaded = sys.argv[1:]
    if verb == "run":
        sys.exit(run(Path(place)))
    elif verb == "waiting":
        load_words()
        Path(*loaded).touch()
        sys.stdin.read()
        sys.exit(run(Path(place)))
    elif verb == "runner":
        sys.exit(main([place], assemble))
