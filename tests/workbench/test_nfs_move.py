"""How Rainbond 5.17's own NFS server goes to another node: the commands, for what is in the cluster now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rbdtui.site import SiteError
from rbdtui.words import LANGUAGES, say
from rbdtui.workbench.upkeep.nfs_move import NfsMove, look_at_nfs
from tests.kube.api import Api
from tests.plan.rainbond_support import stage
from tests.probes.conftest import authority as authority
from tests.probes.targets import Authority

PATH = "/opt/rainbond/data/nfs"
STILL = '{"spec":{"template":{"spec":{"nodeSelector":{"rbdtui/still":"yes"}}}}}'
VOLUMES = "/api/v1/persistentvolumes"


def named(name: str, namespace: str = "rbd-system", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, **more.pop("metadata", {})}
    return {"metadata": metadata, **more}


def pod(name: str, owner: tuple[str, str], *claims: str, namespace: str = "rbd-system") -> dict[str, Any]:
    volumes = [{"name": each, "persistentVolumeClaim": {"claimName": each}} for each in claims]
    owners = [{"kind": owner[0], "name": owner[1]}]
    return named(name, namespace, metadata={"ownerReferences": owners}, spec={"volumes": volumes})


def volume(name: str, claim: str, namespace: str = "rbd-system") -> dict[str, Any]:
    made = {"annotations": {"pv.kubernetes.io/provisioned-by": "rainbond.io/nfs"}}
    return {"metadata": {"name": name, **made}, "spec": {"claimRef": {"namespace": namespace, "name": claim}}}


def cluster(node: str = "n1") -> Api:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    own = {
        "metadata": {"name": "nfs-provisioner", "labels": {"name": "nfs-provisioner", "belongTo": "rainbond-operator"}},
        "spec": {"hostPath": {"path": PATH}, "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}},
    }
    pods = [
        pod("rbd-hub-5d8-x", ("ReplicaSet", "rbd-hub-5d8"), "rbd-hub"),
        pod("rbd-chaos-a", ("DaemonSet", "rbd-chaos"), "grdata"),
        pod("rbd-mq-7f-y", ("ReplicaSet", "rbd-mq-7f")),
        pod("shop-0", ("StatefulSet", "shop"), "shop-data", namespace="team"),
        pod("local-0", ("StatefulSet", "local"), "local-data", namespace="team"),
    ]
    apps, core = "/apis/apps/v1/namespaces/rbd-system", "/api/v1/namespaces/rbd-system"
    lists: dict[str, list[dict[str, Any]]] = {
        VOLUMES: [
            own, volume("pvc-1", "rbd-hub"), volume("pvc-2", "grdata"), volume("pvc-3", "shop-data", "team"),
            {"metadata": {"name": "pvc-4"}, "spec": {"claimRef": {"namespace": "team", "name": "local-data"}}},
        ],
        "/api/v1/pods": pods,
        f"{core}/pods": [each for each in pods if each["metadata"]["namespace"] == "rbd-system"],
        f"{core}/persistentvolumeclaims": [],
        f"{apps}/deployments": [named("rbd-hub", spec={"replicas": 2}), named("rbd-mq", spec={"replicas": 1})],
        f"{apps}/statefulsets": [],
        f"{apps}/daemonsets": [named("rbd-chaos", spec={})],
    }  # fmt: skip
    answers: dict[tuple[str, str], tuple[int, object]] = {
        ("GET", path): (200, {"items": items}) for path, items in lists.items()
    }
    answers["GET", f"{VOLUMES}/nfs-provisioner"] = (200, own)
    return Api(answers)


async def told(authority: Authority, tmp_path: Path, api: Api, node: str) -> NfsMove:
    async with stage(authority, tmp_path, api) as there:
        return await look_at_nfs(there.context, node)


async def test_who_stands_still_and_what_is_typed_is_of_this_cluster(authority: Authority, tmp_path: Path) -> None:
    api = cluster()
    move = await told(authority, tmp_path, api, "n2")
    assert move.source == "n1"
    assert {asked.method for asked in api.asked} == {"GET"}, "nothing is done"
    for language in LANGUAGES:
        said = "\n".join(say(step.what, language) for step in move.steps)
        assert "team/shop-0" in said
        assert "local-0" not in said
        assert "{" not in said
    before, applications, still, copy, made, server, again, old = (step.commands.splitlines() for step in move.steps)
    assert applications == []
    assert before[-1] == f"rsync -aHAX --numeric-ids --delete root@10.0.0.11:{PATH}/ {PATH}/"
    assert copy[1] == f"rsync -aHAXnci --numeric-ids --delete root@10.0.0.11:{PATH}/ {PATH}/"
    assert [line.partition(" ")[2] for line in still[1:]] == [
        "-n rbd-system scale deployment/rainbond-operator --replicas=0",
        "-n rbd-system scale deployment/rbd-hub --replicas=0",
        f"-n rbd-system patch daemonset/rbd-chaos -p '{STILL}'",
        "-n rbd-system wait --for=delete --timeout=300s pod/rbd-chaos-a pod/rbd-hub-5d8-x",
        "-n rbd-system scale statefulset/nfs-provisioner --replicas=0",
    ]  # fmt: skip
    assert again[0].endswith("deployment/rbd-hub --replicas=2")
    assert again[-1].endswith("deployment/rainbond-operator --replicas=1")
    assert server[0].endswith("statefulset/nfs-provisioner --replicas=1")
    assert old == [f"rm -r {PATH}"]
    assert made[:2] == ["kubectl -n rbd-system delete pvc data-nfs-provisioner-0", "kubectl delete pv nfs-provisioner"]
    first, second = yaml.safe_load_all("\n".join(made[3:-1]))
    terms = first["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert [each["matchExpressions"][0]["values"] for each in terms] == [["n2"], ["n2"]]
    assert first["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert first["metadata"]["labels"] == second["metadata"]["labels"]
    assert (second["spec"]["volumeName"], second["metadata"]["name"]) == ("nfs-provisioner", "data-nfs-provisioner-0")


async def test_where_there_is_none_or_it_is_there_already_nothing_is_told(authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="n1"):
        await told(authority, tmp_path, cluster(), "n1")
    (tmp_path / "other").mkdir()
    with pytest.raises(SiteError, match=r"5\.17"):
        await told(authority, tmp_path / "other", Api({}), "n2")
