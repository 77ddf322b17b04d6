"""Probes: each is a file and a line in the registry, and whatever shows health takes it from there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rbdtui.cli.health import health_lines
from rbdtui.probes import gateway, registry, vip
from rbdtui.probes.model import CLUSTER, Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.probes.question import Post, Probe, ProbeContext, Question
from rbdtui.probes.registry import PROBES
from rbdtui.words import LANGUAGES, T, catalogue
from rbdtui.workbench.health import gateway_view
from rbdtui.workbench.health.health_table import health_table
from tests.checks.support import spec_of
from tests.probes import standin
from tests.spec.test_balancers import spec_of as pair_of

TRIAL = ProbeKind("trial", 65, column="trial")


class TrialQuestion:
    """Every node is well, but for the second."""

    interval_s = 10.0
    limit_s = 1.0

    def __init__(self, around: ProbeContext) -> None:
        self.keys = tuple(ProbeKey(TRIAL, node.name) for node in around.spec.nodes)

    async def ask(self, post: Post) -> None:
        for index, key in enumerate(self.keys):
            post(Answer(key, ProbeState.DOWN if index == 1 else ProbeState.OK, T("probe.ssh.ok"), 7.0, "asked"))


def _questions(around: ProbeContext) -> Iterator[Question]:
    yield TrialQuestion(around)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_every_probe_can_be_shown_and_has_words(probe: Probe) -> None:
    assert probe.kinds
    for kind in probe.kinds:
        assert kind.column or kind.by_port, "a place in the table of hosts"
        needed = {f"health_screen.look.{kind.value}"}
        needed |= {f"health_screen.{name}.{kind.column}" for name in ("column", "short") if kind.column}
        for language in LANGUAGES:
            assert needed <= catalogue(language).keys()


def test_kinds_are_told_apart_and_stand_in_one_order() -> None:
    kinds = [kind for probe in PROBES for kind in probe.kinds]
    assert len({kind.value for kind in kinds}) == len({kind.rank for kind in kinds}) == len(kinds)
    assert len({probe.name for probe in PROBES}) == len(PROBES)


def test_all_kinds_are_asked_of_a_whole_cluster_in_their_order() -> None:
    outside: dict[str, Any] = {
        "mysql": {"mode": "external", "host": "db.corp", "username": "rbd", "password": "secret:mysql"},
        "registry": {"mode": "external", "domain": "hub.corp"},
    }
    every: set[ProbeKind] = set()
    old = standin.spec_of("rainbond-5.17", etcd={"mode": "reuse"}, **outside)
    made = standin.spec_of(storage={"mode": "nfs-server", "node": "node4", "copy_node": "node3", "path": "/data"})
    account = {"username": "rbd", "password": "secret:mysql"}
    databases = standin.spec_of(mysql={"mode": "pair", "source": "node3", "replica": "node4", **account})
    sphere = standin.spec_of("kubernetes-only", kubesphere={"install": True})
    disks = [{"node": f"node{i}", "device": f"/dev/disk/by-id/scsi-D{i}", "serial": f"D{i}"} for i in (1, 2, 3)]
    ceph = standin.spec_of(storage={"mode": "rook-ceph", "disks": disks})
    for spec in (standin.spec_of(**outside), old, made, databases, sphere, ceph, pair_of()):
        asked = [status.key.kind for status in HealthMonitor(spec, {}).snapshot().probes]
        assert asked == sorted(asked, key=lambda kind: kind.rank)
        every |= set(asked)
    assert every == {kind for probe in PROBES for kind in probe.kinds}


def test_the_view_of_gateways_knows_their_ids() -> None:
    assert ProbeKey(vip.VIP_HOLDER, CLUSTER).id == gateway_view.HOLDER
    assert ProbeKey(gateway.GATEWAY, "node1", 443).id.startswith(gateway_view.GATEWAY)


async def test_one_more_probe_is_asked_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Probe("trial", (TRIAL,), _questions)
    monkeypatch.setattr(registry, "PROBES", (trial,))
    snapshot = await HealthMonitor(spec_of(), {}).once()
    assert {status.key.id: status.state for status in snapshot.probes} == {
        "trial@node1": ProbeState.OK, "trial@node2": ProbeState.DOWN, "trial@node3": ProbeState.OK,
    }  # fmt: skip
    table = health_table(snapshot)
    assert table.columns == ("trial",)
    assert [row.target for row in table.rows] == ["node1", "node2", "node3"]
    lines = "\n".join(map(str, health_lines(snapshot, ascii_only=True)))
    assert "trial" in lines
    assert "trial@node2" in lines
