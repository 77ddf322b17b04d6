"""Journals as real runs write them, cut off at any moment: the real plan, played through with made-up durations."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from rbdtui.engine.events import (
    Choice,
    Event,
    FailurePolicy,
    Outcome,
    ProbeChanged,
    QuestionAsked,
    Record,
    RunCreated,
    RunFinished,
    RunnerStarted,
    RunOutcome,
    StepDescribed,
    StepFailed,
    StepFinished,
    StepInfo,
    StepNoted,
    StepProgressed,
    StepStalled,
    StepStarted,
)
from rbdtui.engine.inputs import JOURNAL_NAME
from rbdtui.engine.logs import log_file
from rbdtui.plan.builder import build_plan
from rbdtui.plan.step import StepKind
from rbdtui.probes.model import VIP, ProbeState
from rbdtui.profiles import RAINBOND_6, Reach
from rbdtui.site import Site
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import T, Text

T0 = 1_772_460_000.0
"""When every run begins: 2026-03-02 14:00:00 UTC."""
RUN_ID = "20260302-1400-7f3a"
MIB = 2**20
BUNDLE_BYTES = 1_240 * MIB
UPLOAD_BYTES_PER_S = 62 * MIB
SECONDS: Mapping[str, float] = {
    "claim": 0.9, "hosts-file": 0.6, "os-prepare": 2.7, "host-packages": 4.2, "keepalived": 1.4, "ship-bundle": 20.0,
    "rke2-unpack": 11.0, "rke2-config": 0.7, "vip-up": 6.5, "rke2-first-server": 74.0, "vip-to-server": 4.0,
    "api-reached": 0.2, "rke2-server": 40.0, "rke2-ready": 1.0, "rke2-agent": 23.0, "node-labels": 0.3,
    "keepalived-check": 1.6, "kubeconfig": 0.3, "cluster-proof": 2.4,
}  # fmt: skip
EVIDENCE = (
    "dpkg: error processing archive keepalived_2.2.7-1+b2_amd64.deb (--install):\n"
    " cannot copy extracted data for './usr/sbin/keepalived': No space left on device\n"
    "dpkg-deb: error: paste subprocess was killed by signal (Broken pipe)\n"
)


def spec_text(nodes: int, *, profile: str = "kubernetes-only") -> str:
    """A plan with three servers and otherwise agents."""
    lines = [
        "apiVersion: rbdtui/v1", "name: site-a", f"profile: {profile}", "bundle: bundle",
        "ssh: {user: root, port: 22, key: ~/.ssh/id_ed25519}", "nodes:",
    ]  # fmt: skip
    for number in range(1, nodes + 1):
        roles = "control-plane, etcd, worker, gateway" if number <= 3 else "worker"
        lines.append(f"  - {{name: node{number}, address: 127.88.0.{number + 10}, roles: [{roles}]}}")
    lines += [
        "kubernetes: {distribution: rke2, api: {mode: vip, address: 127.88.0.100, port: 6443}}",
        "gateway: {mode: keepalived, vip: 127.88.0.100/24, virtual_router_id: 87, interface: auto, unicast: true}",
    ]
    return "\n".join(lines) + "\n"


def spec_of(nodes: int) -> ClusterSpec:
    """The same, read."""
    loaded = parse_spec(spec_text(nodes))
    assert loaded.spec is not None, loaded.findings
    return loaded.spec


def infos(nodes: int) -> tuple[StepInfo, ...]:
    """The steps of that plan, as the runner puts them into the journal."""
    plan = build_plan(spec_of(nodes), {})
    return tuple(
        StepInfo(step.id, step.name, step.node, step.title, step.kind.value, step.after, step.skippable)
        for step in plan.steps
    )


@dataclass
class Story:
    """A run as it goes on by itself; `records` gives the journal up to a moment."""

    nodes: int = 3
    fails: Mapping[str, Callable[[str], list[Event]]] = field(default_factory=dict)
    """By step: what follows its start instead of its end."""
    hangs: frozenset[str] = frozenset()
    """Steps that never end."""
    unchanged: bool = False
    """Whether everything is up to date."""
    extra: Sequence[tuple[float, Event]] = ()
    """Further events with their seconds from the beginning."""

    def events(self) -> list[tuple[float, Event]]:
        """All that happens, with seconds from the beginning."""
        steps = {info.id: info for info in infos(self.nodes)}
        told: list[tuple[float, Event]] = [(0.0, self._created(tuple(steps.values()))), (0.0, runner())]
        told += [(0.8, event) for event in closed_ports(self.nodes)]
        done: set[str] = set()
        begun: set[str] = set()
        uploads = 0
        order = count()
        heap: list[tuple[float, int, str]] = []
        now = 0.1
        while True:
            for info in steps.values():
                upload = info.name == "ship-bundle"
                if info.id in begun or not set(info.after) <= done or (upload and uploads >= 2 and not self.unchanged):
                    continue
                begun.add(info.id)
                uploads += upload
                end = self._begin(info, now, told)
                if end is not None:
                    heapq.heappush(heap, (end, next(order), info.id))
            if not heap:
                break
            now, _, step_id = heapq.heappop(heap)
            done.add(step_id)
            uploads -= steps[step_id].name == "ship-bundle"
            still = self.unchanged or steps[step_id].kind == StepKind.GATE
            outcome = Outcome.UNCHANGED if still else Outcome.CHANGED
            told.append((now, StepFinished(step_id, outcome, self._lasts(steps[step_id]))))
            told += [(now + 0.3, event) for event in self._after(steps[step_id])]
        if len(done) == len(steps):
            changed = 0 if self.unchanged else sum(info.kind != StepKind.GATE for info in steps.values())
            told.append((now + 0.1, RunFinished(RunOutcome.DONE, changed, now)))
        return sorted([*told, *self.extra], key=lambda pair: pair[0])

    def _created(self, steps: tuple[StepInfo, ...]) -> RunCreated:
        return RunCreated(RUN_ID, "site-a", "kubernetes-only", steps, "0" * 64, "0.1.0")

    def _lasts(self, info: StepInfo) -> float:
        if self.unchanged:
            return 0.2
        number = int("".join(c for c in info.node if c.isdigit()) or 0)
        return round(SECONDS[info.name] * (1 + (number % 5) * 0.06), 3)

    def _begin(self, info: StepInfo, now: float, told: list[tuple[float, Event]]) -> float | None:
        """Tell of a step that begins; when it ends, or None when it does not."""
        told.append((now, StepStarted(info.id, 1)))
        if not self.unchanged and info.kind != "gate":
            told.append((now + 0.1, described(info)))
        if info.id in self.fails:
            told += [(now + 1.2, event) for event in self.fails[info.id](info.id)]
            return None
        end = now + self._lasts(info)
        if info.name == "ship-bundle" and not self.unchanged:
            told += progress(info.id, now, None if info.id in self.hangs else end)
        return None if info.id in self.hangs else end

    def _after(self, info: StepInfo) -> Iterable[Event]:
        if info.name == "vip-up":
            yield holder("node1")

    def records(self, until_s: float = 1e9) -> list[Record]:
        """The journal up to so many seconds from the beginning."""
        kept = [(at, event) for at, event in self.events() if at <= until_s]
        return [Record(seq, T0 + at, event) for seq, (at, event) in enumerate(kept, 1)]


def runner() -> RunnerStarted:
    return RunnerStarted(4711, "jump", "ops", "10.9.0.5 50000 22", FailurePolicy.ASK)


def described(info: StepInfo) -> StepDescribed:
    title = T("plan.change.block", path="/etc/hosts")
    detail = "--- /etc/hosts\n+++ /etc/hosts\n@@ -1,2 +1,4 @@\n+# BEGIN rbdtui\n+10.0.0.11 node1\n 127.0.0.1 localhost"
    return StepDescribed(info.id, ({"kind": "file", "title": title.to_json(), "detail": detail},))


def progress(step: str, begin: float, end: float | None) -> Iterable[tuple[float, Event]]:
    """How a transfer comes on, twice a second; one that hangs stands still at 31 %."""
    length = (end - begin) if end is not None else 6.5
    for tick in range(1, int(length * 2)):
        sent = int(BUNDLE_BYTES * tick / 2 / ((end - begin) if end is not None else 21))
        yield begin + tick / 2, StepProgressed(step, sent, BUNDLE_BYTES, float(UPLOAD_BYTES_PER_S))


def failed(text: Text, remedy: Text, evidence: str = EVIDENCE, code: str = "packages_refused") -> StepFailed:
    return StepFailed("", 1, code, text, remedy, evidence, None)


def asks(step_id: str) -> list[Event]:
    """A step has failed, and the operator is asked."""
    node = step_id.partition("@")[2]
    text = T("error.packages_refused.message", node=node)
    failure = StepFailed(step_id, 1, "packages_refused", text, T("error.packages_refused.remedy"), EVIDENCE, None)
    question = T("question.step_failed_on", step=T("step.host-packages.title"), node=node, reason=text)
    choices = (Choice.RETRY, Choice.SKIP, Choice.QUARANTINE, Choice.STOP)
    return [failure, QuestionAsked(f"{step_id}#1", step_id, question, choices)]


def retries(step_id: str) -> list[Event]:
    """A step has failed and is tried again by itself."""
    node = step_id.partition("@")[2]
    text = T("finding.RBD-SSH-007.message", node=node, detail="timeout")
    return [StepFailed(step_id, 1, "RBD-SSH-007", text, T("finding.RBD-SSH-007.remedy", node=node), "", 8.0)]


def fails_and_ends(step_id: str) -> list[Event]:
    """A step has failed, and the policy ends the run."""
    return [asks(step_id)[0], RunFinished(RunOutcome.FAILED, 11, 9.0)]


def stalled(step_id: str, silent_s: float = 75.0) -> StepStalled:
    return StepStalled(step_id, silent_s, 'level=info msg="Waiting for API server to become available"')


def noted(step_id: str) -> StepNoted:
    return StepNoted(step_id, T("plan.note.vip_away", node="node2"))


def closed_ports(nodes: int) -> Iterable[ProbeChanged]:
    """Nothing is installed behind the gateways yet."""
    closed = T("probe.gateway.not_installed", trouble=T("probe.trouble.refused"))
    for target in ("node1", "node2", "node3", VIP):
        for port in RAINBOND_6.ports(Reach.USERS):
            yield port_changed(target, port, ProbeState.EXPECTED, closed, None)
    yield ProbeChanged("vip-holder", "CLUSTER", 0, "expected", T("probe.vip.not_yet", address="10.0.0.100"), None)


def port_changed(target: str, port: int, state: ProbeState, detail: Text, latency_ms: float | None) -> ProbeChanged:
    return ProbeChanged(f"gateway-{port}@{target}", target, port, state.value, detail, latency_ms)


def open_ports(*, broken: bool = False) -> Iterable[ProbeChanged]:
    """Rainbond answers everywhere; the console of node2 does not when something is broken."""
    for number, target in enumerate(("node1", "node2", "node3", VIP)):
        for place, port in enumerate(RAINBOND_6.ports(Reach.USERS)):
            if broken and (target, port) == ("node2", 7070):
                yield port_changed(target, port, ProbeState.DOWN, T("probe.gateway.console_status", status=502), None)
            else:
                latency_ms = 1.2 + place * 1.7 + number * 0.4
                yield port_changed(target, port, ProbeState.OK, T("probe.gateway.http", status=200), latency_ms)


def holder(node: str) -> ProbeChanged:
    return ProbeChanged("vip-holder", "CLUSTER", 0, "ok", T("probe.vip.held", address="10.0.0.100", node=node), None)


LOG_LINES = (
    'level=info msg="Starting rke2 server v1.30.4+rke2r1"',
    'level=info msg="Running containerd -c /var/lib/rancher/rke2/agent/etc/containerd/config.toml"',
    'level=info msg="Importing images from /var/lib/rancher/rke2/agent/images/rke2-images.linux-amd64.tar.zst"',
    'level=info msg="Managed etcd cluster initializing"',
    'level=info msg="Waiting for API server to become available"',
)


def write_run(site: Site, records: Sequence[Record], run_id: str = RUN_ID) -> Path:
    """Put a run into a site: journal, and logs of the steps that have begun; its directory."""
    run_dir = site.run_dir(run_id)
    (run_dir / "logs").mkdir(parents=True, mode=0o700)
    site.runs_dir.chmod(0o700)
    with open(run_dir / JOURNAL_NAME, "w", encoding="utf-8") as journal:
        for record in records:
            journal.write(json.dumps(record.to_json(), ensure_ascii=False) + "\n")
    for record in records:
        if isinstance(record.event, StepStarted):
            write_log(run_dir, record.event.step, record.at, records[-1].at)
    return run_dir


def append(run_dir: Path, *events: Event, at: float = 0.0) -> None:
    """Let a run go on: add to its journal what has happened, at seconds from its beginning (0: at its last line)."""
    journal = run_dir / JOURNAL_NAME
    last = json.loads(journal.read_bytes().splitlines()[-1])
    with open(journal, "a", encoding="utf-8") as stream:
        for seq, event in enumerate(events, last["seq"] + 1):
            record = Record(seq, T0 + at if at else last["at"], event)
            stream.write(json.dumps(record.to_json(), ensure_ascii=False) + "\n")


def write_log(run_dir: Path, step_id: str, begin: float, end: float) -> None:
    """A log with a line for every second that a step has been under way, at most a minute."""
    lines = [f"--- attempt 1, {_stamp(begin)} ---"]
    for second in range(min(60, int(end - begin))):
        at = begin + second
        text = LOG_LINES[min(second, len(LOG_LINES) - 1)]
        lines.append(f'{_stamp(at)} time="{_stamp(at)[:-5]}Z" {text}')
    log_file(run_dir, step_id).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _stamp(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
