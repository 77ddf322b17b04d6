"""Sites in every state between a plan and its start, for tests of Review."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from rbdtui.checks import check_cluster, check_node
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding, Place, Severity
from rbdtui.plan.builder import build_plan
from rbdtui.plan.preview import PreviewedStep
from rbdtui.plan.step import Change, ChangeKind, Plan, StepKind
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import T, Text
from rbdtui.workbench.review.preflight_view import Preflight
from rbdtui.workbench.survey import SurveyStatus
from rbdtui.workbench.workbench import Workbench
from tests.screens.answers import answered, denied, facts_of, weak
from tests.screens.conftest import bench, make_site
from tests.screens.journals import T0, spec_text

HOSTS_DIFF: Final = """--- /etc/hosts
+++ /etc/hosts
@@ -0,0 +1,5 @@
+# BEGIN rbdtui site-a
+127.88.0.11 node1
+127.88.0.12 node2
+127.88.0.13 node3
+# END rbdtui site-a
"""
KEEPALIVED_DIFF: Final = """--- /etc/keepalived/keepalived.conf
+++ /etc/keepalived/keepalived.conf
@@ -1,6 +1,6 @@
 vrrp_instance rbdtui {{
   interface eth0
-  virtual_router_id 51
+  virtual_router_id 87
-  priority 100
+  priority {priority}
   authentication {{
     auth_type PASS
     auth_pass secret:vrrp-password
"""
CONFIG_DIFF: Final = """--- /dev/null
+++ /etc/rancher/rke2/config.yaml
@@ -0,0 +1,4 @@
+server: https://127.88.0.100:9345
+token: secret:rke2-token
+node-name: {node}
+tls-san: [127.88.0.100]
"""


def _file(path: str, diff: str, *, new: bool = False) -> Change:
    block = path == "/etc/hosts"
    kind = "block" if block else "file_new" if new else "file"
    title = Text(f"plan.change.{kind}", {"path": path} if block else {"path": path, "how": "root:root 0600"})
    return Change(ChangeKind.FILE, title, diff)


def _uploads() -> tuple[Change, ...]:
    files = {"/var/lib/rbdtui/bundle/rke2.linux-amd64.tar.gz": 48.3,
             "/var/lib/rancher/rke2/agent/images/rke2-images.linux-amd64.tar.zst": 1191.6}  # fmt: skip
    return tuple(
        Change(
            ChangeKind.UPLOAD, T("plan.change.upload", path=path, size_mib=size),
            f"sha256 {'5e2c0a' * 10}{index}f1b",
        )
        for index, (path, size) in enumerate(files.items())
    )  # fmt: skip


def _changes(name: str, node: str) -> tuple[Change, ...]:
    known: Mapping[str, tuple[Change, ...]] = {
        "hosts-file": (_file("/etc/hosts", HOSTS_DIFF),),
        "os-prepare": (
            Change(
                ChangeKind.COMMAND, T("plan.change.modules", modules="overlay, br_netfilter"),
                "modprobe overlay\nmodprobe br_netfilter",
            ),
            Change(ChangeKind.COMMAND, T("plan.change.sysctl", count=3), "sysctl --system"),
        ),
        "keepalived": (
            _file("/etc/keepalived/keepalived.conf", KEEPALIVED_DIFF.format(priority=160 - 10 * int(node[-1] or 0))),
            Change(
                ChangeKind.SERVICE, T("plan.change.unit_restart", unit="keepalived.service"),
                "systemctl restart keepalived.service",
            ),
        ),
        "ship-bundle": _uploads(),
        "rke2-unpack": (
            Change(
                ChangeKind.COMMAND, T("plan.change.unpack", archive="rke2.linux-amd64.tar.gz"),
                "tar -xzf rke2.linux-amd64.tar.gz",
            ),
        ),
        "rke2-config": (_file("/etc/rancher/rke2/config.yaml", CONFIG_DIFF.format(node=node), new=True),),
    }  # fmt: skip
    return known.get(
        name,
        (
            Change(
                ChangeKind.SERVICE,
                T("plan.change.unit_start", unit="rke2-server.service"),
                "systemctl start rke2-server.service",
            ),
        ),
    )


def previewed(plan: Plan, *, done: bool = False) -> tuple[PreviewedStep, ...]:
    """What every step would change: on clean servers, or where everything is up to date."""
    seen: list[PreviewedStep] = []
    for step in plan.steps:
        if done or step.kind is StepKind.GATE or step.name == "host-packages":
            seen.append(PreviewedStep(step, satisfied=done or step.kind is not StepKind.GATE))
        elif step.name in ("node-labels", "kubeconfig", "cluster-proof"):
            seen.append(PreviewedStep(step, satisfied=False, unknown=T("review.later")))
        else:
            seen.append(PreviewedStep(step, satisfied=False, changes=_changes(step.name, step.node or "0")))
    return tuple(seen)


def checked(
    spec: ClusterSpec, *, spoilt: Mapping[str, Callable[[NodeFacts], NodeFacts]] | None = None
) -> tuple[dict[str, NodeFacts], list[Finding]]:
    """What a check of all servers brings: facts and findings; some servers are spoilt."""
    facts = {node.name: facts_of(spec, node.name) for node in spec.nodes}
    for name, spoil in (spoilt or {}).items():
        facts[name] = spoil(facts[name])
    found = [finding for known in facts.values() for finding in check_node(spec, known, Place)]
    return facts, [*found, *check_cluster(spec, facts, Place)]


MISSING: Final = Finding(
    "RBD-BUNDLE-001", Severity.ERROR, Place("bundle"),
    {"names": "rke2-images.linux-amd64.tar.zst", "path": "/media/usb/offline-packages"},
    evidence="rke2.linux-amd64.tar.gz\nsha256sum-amd64.txt",
)  # fmt: skip


def begun(home: Path, nodes: int = 3) -> Workbench:
    """A site with a good plan; all servers have answered, but nobody has checked them."""
    key = home / ".ssh" / "id_ed25519"
    key.parent.mkdir(mode=0o700, exist_ok=True)
    key.touch(mode=0o600)
    workbench = bench(make_site(home / "site-a", spec_text(nodes)))
    spec = workbench.draft.spec
    assert spec is not None
    workbench.show_live(answered(spec))
    return workbench


def _good(workbench: Workbench) -> Preflight:
    spec = workbench.draft.spec
    assert spec is not None
    facts, findings = checked(spec)
    return Preflight(
        SurveyStatus.DONE, tuple(findings), facts, len(spec.nodes), build_plan(spec, facts), at=T0,
        of=workbench.draft.fingerprint,
    )  # fmt: skip


def _looking(workbench: Workbench) -> Preflight:
    good = _good(workbench)
    early = dict(list(good.facts.items())[:-1])
    return replace(good, state=SurveyStatus.LOOKING, facts=early, plan=None, at=0.0)


def _bad(workbench: Workbench) -> Preflight:
    spec = workbench.draft.spec
    assert spec is not None
    facts, findings = checked(spec, spoilt={"node2": weak})
    down = denied("node3", "127.88.0.13")
    workbench.show_live(answered(spec, facts={"node2": facts["node2"]}, others={"node3": down}))
    del facts["node3"]
    findings = [finding for finding in findings if finding.place.node != "node3"]
    return replace(_good(workbench), findings=(*findings, *down.findings, MISSING), facts=facts)


def _warned(workbench: Workbench) -> Preflight:
    good = _good(workbench)
    spec = workbench.draft.spec
    assert spec is not None
    old = replace(facts_of(spec, "node2"), kernel="3.10.0-1160.el7.x86_64")
    warning = next(found for found in check_node(spec, old, Place) if found.severity is Severity.WARNING)
    return replace(good, findings=(*good.findings, warning))


def _failed(workbench: Workbench) -> Preflight:
    return replace(
        _looking(workbench), state=SurveyStatus.FAILED, at=T0, error=T("site.no_vault", path="site-a")
    )  # fmt: skip


def _given_up(workbench: Workbench) -> Preflight:
    return replace(_looking(workbench), state=SurveyStatus.GIVEN_UP, at=T0)


def _outdated(workbench: Workbench) -> Preflight:
    spec = workbench.draft.spec
    assert spec is not None
    bad = _bad(workbench)
    workbench.show_live(answered(spec))
    return replace(bad, outdated=True, of="another")


def _previewed(workbench: Workbench) -> Preflight:
    good = _good(workbench)
    assert good.plan is not None
    return replace(good, previewed=previewed(good.plan))


def _nothing_to_do(workbench: Workbench) -> Preflight:
    good = _good(workbench)
    assert good.plan is not None
    return replace(good, previewed=previewed(good.plan, done=True))


STATES: Final[Mapping[str, tuple[int, Callable[[Workbench], Preflight]]]] = {
    "unchecked": (3, lambda _: Preflight()),
    "looking": (3, _looking),
    "good": (3, _good),
    "bad": (3, _bad),
    "warned": (3, _warned),
    "failed": (3, _failed),
    "given-up": (3, _given_up),
    "outdated": (3, _outdated),
    "fifty": (50, _good),
    "plan": (4, _previewed),
    "asking": (4, lambda workbench: replace(_good(workbench), previewing=True)),
    "unchanged": (4, _nothing_to_do),
    "plan-fifty": (50, _previewed),
}
"""By name: how many nodes there are, and what the check has found."""


def in_state(home: Path, name: str) -> Workbench:
    """A workbench in a state."""
    nodes, find = STATES[name]
    workbench = begun(home, nodes)
    workbench.show_preflight(find(workbench))
    return workbench
