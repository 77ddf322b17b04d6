"""A component is judged by its workload: counts, generations, and where its pods are."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rbdtui.rainbond.workloads import Standing, judge
from tests.rainbond.objects import Json, pod, seen, workload


@dataclass(frozen=True)
class Part:
    """A component as planned."""

    name: str
    kind: str
    replicas: int = 1
    nodes: tuple[str, ...] = ()


API = Part("rbd-api", "Deployment", 2)
GATEWAY = Part("rbd-gateway", "Deployment", 2, ("node1", "node2"))
CHAOS = Part("rbd-chaos", "DaemonSet", 2, ("node2", "node3"))
MINIO = Part("minio", "StatefulSet")


@pytest.mark.parametrize(
    ("part", "there", "standing"),
    [
        (API, None, Standing.ABSENT),
        (API, workload("Deployment", "rbd-api", wanted=2), Standing.READY),
        (API, workload("Deployment", "rbd-api", wanted=2, observedGeneration=1), Standing.STALE),
        (API, workload("Deployment", "rbd-api", wanted=1), Standing.DIFFERENT),
        (API, workload("Deployment", "rbd-api", wanted=2, ready=1), Standing.UNREADY),
        (API, workload("Deployment", "rbd-api", wanted=2, updatedReplicas=1), Standing.UPDATING),
        (API, workload("Deployment", "rbd-api", wanted=2, replicas=3), Standing.UPDATING),
        (MINIO, workload("StatefulSet", "minio"), Standing.READY),
        (MINIO, workload("StatefulSet", "minio", updatedReplicas=0), Standing.UPDATING),
        (Part("rbd-chaos", "DaemonSet", 2), workload("DaemonSet", "rbd-chaos", wanted=2), Standing.READY),
        (Part("rbd-chaos", "DaemonSet", 2), workload("DaemonSet", "rbd-chaos", wanted=2, ready=0), Standing.UNREADY),
        (Part("rbd-chaos", "DaemonSet", 2), workload("DaemonSet", "rbd-chaos", wanted=3), Standing.DIFFERENT),
    ],
)
def test_counts_and_generations_decide(part: Part, there: Json | None, standing: Standing) -> None:
    judgement = judge(part, seen(**{part.kind: [there]} if there else {}))
    assert judgement.standing is standing
    assert judgement.is_ready is (standing is Standing.READY)


@pytest.mark.parametrize(
    ("nodes", "standing"),
    [
        (("node1", "node2"), Standing.READY),
        (("node1", "node1"), Standing.ELSEWHERE),
        (("node1", "node3"), Standing.ELSEWHERE),
    ],
)
def test_gateways_stand_one_on_each_planned_node(nodes: tuple[str, str], standing: Standing) -> None:
    """Its pods declare no ports, so the scheduler may put two on one node."""
    there = workload("Deployment", "rbd-gateway", wanted=2)
    judgement = judge(GATEWAY, seen(Deployment=[there], Pod=[pod("rbd-gateway", node) for node in nodes]))
    assert (judgement.standing, judgement.nodes) == (standing, tuple(sorted(nodes)))


def test_pods_of_a_job_and_pods_that_leave_do_not_count() -> None:
    leaving = pod("rbd-chaos", "node1", owner="DaemonSet")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    pods = [*(pod("rbd-chaos", node, owner="DaemonSet") for node in CHAOS.nodes), leaving]
    job = pod("rbd-chaos", "node1", owner="Job")
    there = workload("DaemonSet", "rbd-chaos", wanted=2)
    assert judge(CHAOS, seen(DaemonSet=[there], Pod=[*pods, job])).is_ready


def test_odd_objects_are_no_exception() -> None:
    odd: Json = {"metadata": {"name": "rbd-api"}, "spec": None, "status": {"replicas": "two", "conditions": 7}}
    assert not judge(API, seen(Deployment=[odd], Pod=[{"metadata": None, "status": None}])).is_ready
