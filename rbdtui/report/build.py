"""Puts a report together from a site's files, and from what servers have answered where they were asked.

Nothing here asks a server or needs a secret: what the vault would add is handed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rbdtui import __version__
from rbdtui.bundle.inspection import Inspector
from rbdtui.checks import check_cluster, check_node
from rbdtui.engine.client import find_active
from rbdtui.engine.events import Record
from rbdtui.engine.inputs import JOURNAL_NAME, RunInputError, RunInputs, is_given_up, read_inputs
from rbdtui.engine.journal import JournalError, read_journal
from rbdtui.facts.model import NodeFacts
from rbdtui.facts.store import load_all_facts
from rbdtui.findings import Finding, Severity
from rbdtui.kubesphere import chart as kubesphere
from rbdtui.masking import mask
from rbdtui.paths import as_typed
from rbdtui.probes.model import HealthSnapshot
from rbdtui.rainbond.console import CONSOLE_PORT, console_url
from rbdtui.rainbond.provisioner import class_name
from rbdtui.redact import Redactor
from rbdtui.report.drills import drill_lines
from rbdtui.report.history import Sent, run_part, sent_files
from rbdtui.report.model import (
    Box,
    BoxKind,
    NodeLine,
    Report,
    Row,
    RunPart,
    ShippedFile,
    Topology,
)
from rbdtui.session import Session
from rbdtui.site import Site
from rbdtui.spec.acknowledged import weighed
from rbdtui.spec.model import ApiMode, ClusterSpec, GatewayMode, Node
from rbdtui.spec.sections.etcd import EtcdMode
from rbdtui.spec.sections.mysql import MysqlMode
from rbdtui.spec.sections.registry import RegistryMode
from rbdtui.spec.sections.storage import StorageMode
from rbdtui.spec.single_points import single_points
from rbdtui.words import T, Text
from rbdtui.workbench.run.run_phase import RunPhase

MOST_RUNS = 20
"""The newest; a site that was installed again and again has hundreds."""
DATA_PATH = "/var/lib/rancher"


@dataclass(frozen=True, slots=True)
class Asked:
    """What servers answered just now."""

    why_not: Text | None = None
    """Why nobody was asked; None when they were."""
    health: HealthSnapshot | None = None
    findings: tuple[Finding, ...] | None = None
    """Of the check; None when it was not made."""
    facts: Mapping[str, NodeFacts] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    """Digest by image."""


def build_report(session: Session, asked: Asked, *, now: float, redactor: Redactor | None = None) -> Report:
    """The report of a site; whatever of it cannot be read is said in it."""
    site, clean = session.site, _Cleaner(redactor or Redactor())
    journals, unreadable = _journals(site)
    active = find_active(site)
    parts = [
        clean.run(run_part(records, given_up=is_given_up(site.run_dir(run)), alive=_is(active, run)))
        for run, records in journals.items()
    ]
    spec, inputs = session.loaded.spec, _inputs_of_installed(site, parts)
    shown = inputs.spec if inputs is not None else spec
    facts = _facts(site, shown, inputs, asked.facts)
    findings, since = _findings(session, facts, asked)
    told = [clean.finding(finding) for finding in findings]
    nodes = tuple(_node_line(node, facts) for node in shown.nodes) if shown is not None else ()
    files = _files(site, journals.values())
    return Report(
        site=shown.name if shown is not None else site.path.name,
        profile=shown.profile.name if shown is not None else "",
        version=__version__,
        made_at=now,
        simulated=site.simulated_servers is not None,
        problem=_problem(session, spec, inputs),
        installed=tuple(_installed(shown, files, facts, inputs)) if shown is not None else (),
        files=tuple(files),
        images=asked.images,
        topology=_topology(shown, nodes) if shown is not None else None,
        nodes=nodes,
        findings=tuple(f for f in told if not f.acknowledged and f.severity is not Severity.INFO),
        acknowledged=tuple(f for f in told if f.acknowledged),
        unseen_acknowledged=_unseen(spec, told),
        findings_from=since,
        single_points=tuple(single_points(shown)) if shown is not None else (),
        runs=tuple(reversed(parts)),
        unreadable_runs=tuple(unreadable),
        health=clean.health(asked.health),
        no_health=asked.why_not,
        drills=tuple(drill_lines(site.path)),
        next_steps=tuple(_next_steps(site, shown, parts)) if shown is not None else (),
    )


def _is(active: object, run: str) -> bool:
    return getattr(active, "run_id", None) == run


@dataclass(frozen=True, slots=True)
class _Cleaner:
    """Takes secrets out of what servers, journals and findings say."""

    redactor: Redactor

    def words(self, text: Text) -> Text:
        redacted = self.redactor.words(text)
        return Text(redacted.key, {name: self._param(value) for name, value in redacted.params.items()})

    def _param(self, value: str | int | float | Text) -> str | int | float | Text:
        if isinstance(value, Text):
            return self.words(value)
        return mask(value) if isinstance(value, str) else value

    def raw(self, text: str) -> str:
        return mask(self.redactor.text(text))

    def finding(self, finding: Finding) -> Finding:
        params = {name: self._param(value) for name, value in self.redactor.words(finding.message).params.items()}
        return replace(
            finding,
            params=params,
            evidence=self.raw(finding.evidence),
            acknowledged=self.raw(finding.acknowledged),
        )

    def run(self, part: RunPart) -> RunPart:
        incidents = (replace(incident, text=self.words(incident.text)) for incident in part.incidents)
        return replace(part, incidents=tuple(incidents))

    def health(self, snapshot: HealthSnapshot | None) -> HealthSnapshot | None:
        if snapshot is None:
            return None
        probes = tuple(replace(status, detail=self.words(status.detail), newest=None) for status in snapshot.probes)
        return replace(snapshot, headline=self.words(snapshot.headline), probes=probes, changes=())


def _journals(site: Site) -> tuple[dict[str, list[Record]], list[tuple[str, Text]]]:
    """The newest journals, the oldest of them first, and those that cannot be read with the reason."""
    found: dict[str, list[Record]] = {}
    unreadable: list[tuple[str, Text]] = []
    for run_id in site.run_ids()[-MOST_RUNS:]:
        try:
            records = read_journal(site.run_dir(run_id) / JOURNAL_NAME)
        except JournalError as error:
            unreadable.append((run_id, error.text))
            continue
        if records:
            found[run_id] = records
    return found, unreadable


def _inputs_of_installed(site: Site, parts: Sequence[RunPart]) -> RunInputs | None:
    """What the newest run that ended well was made from: that is what stands there now."""
    for part in reversed(parts):
        if part.phase in (RunPhase.DONE, RunPhase.PARTIAL):
            try:
                return read_inputs(site.run_dir(part.run_id))
            except RunInputError:
                return None
    return None


def _problem(session: Session, spec: ClusterSpec | None, inputs: RunInputs | None) -> Text | None:
    if spec is None:
        return T("report.spec_unreadable") if inputs is None else T("report.spec_unreadable_then_run")
    if inputs is not None and inputs.spec != spec:
        return T("report.spec_changed")
    return None


def _facts(
    site: Site, spec: ClusterSpec | None, inputs: RunInputs | None, fresh: Mapping[str, NodeFacts]
) -> dict[str, NodeFacts]:
    """The newest that is known of each server."""
    if spec is None:
        return {}
    kept = load_all_facts(site.facts_dir, [node.name for node in spec.nodes])
    every = [inputs.facts if inputs is not None else {}, kept, fresh]
    found: dict[str, NodeFacts] = {}
    for known in every:
        for name, facts in known.items():
            if name not in found or facts.gathered_at >= found[name].gathered_at:
                found[name] = facts
    return {node.name: found[node.name] for node in spec.nodes if node.name in found}


def _findings(session: Session, facts: Mapping[str, NodeFacts], asked: Asked) -> tuple[list[Finding], Text]:
    """What there is to say about the plan and its servers, worst first, and how fresh it is."""
    findings = session.rule_findings()
    since = T("report.findings_now")
    spec = session.loaded.spec
    if asked.findings is not None:
        findings += asked.findings
    elif spec is not None:
        known = {node.name: facts[node.name] for node in spec.nodes if node.name in facts}
        judged = [finding for each in known.values() for finding in check_node(spec, each, session.loaded.place)]
        judged += check_cluster(spec, known, session.loaded.place) if known else []
        findings += weighed(judged, spec, session.loaded.place)
        since = T("report.findings_kept") if known else T("report.findings_rules")
    once = {finding.identity: finding for finding in findings}
    return sorted(once.values(), key=lambda f: (f.severity.rank, f.place.node, f.code)), since


def _unseen(spec: ClusterSpec | None, findings: Iterable[Finding]) -> tuple[tuple[str, str, str], ...]:
    seen = {(finding.code, finding.acknowledged) for finding in findings if finding.acknowledged}
    accepted = spec.acknowledged if spec is not None else []
    return tuple((each.code, each.node or "", each.reason) for each in accepted if (each.code, each.reason) not in seen)


def _files(site: Site, journals: Iterable[Sequence[Record]]) -> list[ShippedFile]:
    """What runs have sent, and of it what is remembered of the bundle; without any run, what is remembered."""
    remembered = Inspector(site.path / "bundle-hashes.json").remembered()
    by_digest = {found.sha256: found for found in remembered.values() if found.sha256}
    sent = sent_files(journals) or [
        Sent(path.name, each.sha256, each.size_bytes, ()) for path, each in remembered.items()
    ]
    files = []
    for each in sent:
        known = by_digest.get(each.sha256)
        version = known.contents.version if known is not None and known.contents is not None else ""
        size = known.size_bytes if known is not None else each.size_bytes
        files.append(ShippedFile(each.name, each.sha256, size, version, each.nodes))
    return sorted(files, key=lambda file: file.name)


def _rainbond_of(spec: ClusterSpec, facts: Mapping[str, NodeFacts]) -> str:
    """What the cluster was told to have, else what the plan names; empty where only the bundle knows."""
    told = (facts[node.name].rainbond for node in spec.nodes if node.name in facts)
    return next(filter(None, told), "") or spec.rainbond.version or ""


def _installed(
    spec: ClusterSpec, files: Sequence[ShippedFile], facts: Mapping[str, NodeFacts], inputs: RunInputs | None
) -> Iterable[Row]:
    yield Row(T("report.installed.profile"), spec.profile.name)
    versions = sorted({file.version for file in files if file.version and file.name.startswith("rke2")})
    yield Row(
        T("report.installed.kubernetes"), f"RKE2 {', '.join(versions)}".strip() if versions else T("report.unknown")
    )
    if spec.profile.versions is not None:
        yield Row(T("report.installed.rainbond"), _rainbond_of(spec, facts) or T("report.unknown"))
    if spec.has_vip and spec.gateway.vip is not None:
        kind = "vip_balanced" if spec.has_balancers else "vip"
        balancers = ", ".join(node.name for node in spec.balancers)
        value = Text(f"report.installed.{kind}", {  # words: report.installed.*
            "vip": str(spec.gateway.vip), "id": spec.gateway.virtual_router_id or 0, "balancers": balancers,
        })  # fmt: skip
        yield Row(T("report.installed.entry"), value)
    elif spec.gateway.mode is GatewayMode.EXTERNAL:
        yield Row(T("report.installed.entry"), T("report.installed.balancer", address=str(spec.gateway.address)))
    else:
        yield Row(T("report.installed.entry"), T("report.installed.no_entry"))
    api = spec.kubernetes.api
    yield Row(T("report.installed.api"), f"https://{spec.api_address}:{api.port}")
    yield Row(T("report.installed.networks"), f"{spec.kubernetes.pod_cidr}, {spec.kubernetes.service_cidr}")
    beside = {"storage": _storage(spec), "registry": spec.registry.domain, "mysql": spec.mysql_host}
    for name in ("storage", "registry", "mysql", "etcd"):
        if name in spec.profile.sections:
            mode = getattr(spec, name).mode.value
            yield Row(Text(f"section.{name}"), f"{mode} {beside.get(name) or ''}".strip())  # words: section.*


def _storage(spec: ClusterSpec) -> str:
    """Where data is kept, and the class that stands for it."""
    storage = spec.storage
    place = f"{spec.nfs_server}:{storage.path}" if storage.is_on_nfs else ""
    return ", ".join(filter(None, (place, class_name(spec))))


def _node_line(node: Node, facts: Mapping[str, NodeFacts]) -> NodeLine:
    known = facts.get(node.name)
    if known is None:
        return NodeLine(node.name, str(node.address), tuple(node.roles), "", 0, 0, 0, 0.0)
    mount = known.mount_of(DATA_PATH)
    system = " · ".join(filter(None, (known.os.pretty_name or known.os.id, known.kernel, known.arch)))
    disk = mount.size_bytes if mount is not None else 0
    figures = (known.cpu_count, known.memory.total_bytes, disk, known.gathered_at)
    return NodeLine(node.name, str(node.address), tuple(node.roles), system, *figures)


def _topology(spec: ClusterSpec, nodes: tuple[NodeLine, ...]) -> Topology:
    entry = api = None
    if spec.has_vip and spec.gateway.vip is not None:
        entry = Box(BoxKind.VIP, str(spec.gateway.vip.ip))
    elif spec.gateway.mode is GatewayMode.EXTERNAL and spec.gateway.address is not None:
        entry = Box(BoxKind.BALANCER, str(spec.gateway.address))
    if spec.kubernetes.api.mode is ApiMode.EXTERNAL and (entry is None or str(spec.api_address) != entry.at):
        api = Box(BoxKind.BALANCER, str(spec.api_address))
    outside = []
    if "mysql" in spec.profile.sections:
        if spec.mysql.mode is MysqlMode.EXTERNAL:
            outside.append(Box(BoxKind.DATABASE, spec.mysql.host or ""))
        if spec.registry.mode is RegistryMode.EXTERNAL:
            outside.append(Box(BoxKind.REGISTRY, spec.registry.domain or ""))
        if spec.storage.mode is StorageMode.NFS:
            outside.append(Box(BoxKind.STORAGE, spec.storage.server or ""))
        if "etcd" in spec.profile.sections and spec.etcd.mode is EtcdMode.EXTERNAL:
            outside.append(Box(BoxKind.ETCD, ", ".join(spec.etcd.endpoints)))
    return Topology(entry, api, nodes, tuple(outside))


def _next_steps(site: Site, spec: ClusterSpec, parts: Sequence[RunPart]) -> Iterable[Row]:
    typed = as_typed(site.path)
    if console_url(spec):
        yield Row(T("report.next.console"), T("report.next.console_how", address=_front(spec), port=CONSOLE_PORT))
        yield Row(T("report.next.login"), T("report.next.login_how"))
    if url := kubesphere.console_url(spec):
        yield Row(T("report.next.kubesphere"), T("report.next.kubesphere_how", url=url))
    if site.kubeconfig_file.is_file():
        yield Row(T("report.next.kubeconfig"), T("report.next.kubeconfig_how", file=as_typed(site.kubeconfig_file)))
    yield Row(T("report.next.health"), f"rbdtui health {typed} --watch")
    yield Row(T("report.next.logs"), T("report.next.logs_how", command=f"rbdtui logs {typed}"))
    haproxy = " -u haproxy" if spec.has_balancers else ""
    yield Row(T("report.next.node_logs"), f"journalctl -u rke2-server -u rke2-agent -u keepalived{haproxy}")
    yield Row(T("report.next.help"), f"rbdtui support-bundle {typed}")


def _front(spec: ClusterSpec) -> str:
    if spec.has_vip and spec.gateway.vip is not None:
        return str(spec.gateway.vip.ip)
    if spec.gateway.mode is GatewayMode.EXTERNAL and spec.gateway.address is not None:
        return str(spec.gateway.address)
    return str((spec.gateways or spec.nodes)[0].address)
