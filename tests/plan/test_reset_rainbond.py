"""Rainbond alone is taken back: in order, with what helm leaves, and without what others use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rbdtui.errors import StepError
from rbdtui.plan.removal.rainbond import RemoveRainbond, build_rainbond_reset
from rbdtui.plan.removal.residue import without_rainbonds
from rbdtui.rainbond import provisioner
from tests.kube.api import Api, refusal
from tests.plan.rainbond_support import plan_of, stage
from tests.plan.support import carry_out
from tests.plan.test_storage_steps import NFS
from tests.probes.conftest import authority as authority
from tests.probes.targets import Authority

NS = "/api/v1/namespaces/rbd-system"
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
OPERATOR = "/apis/apps/v1/namespaces/rbd-system/deployments/rainbond-operator"
COMPONENT = "/apis/rainbond.io/v1alpha1/namespaces/rbd-system/rbdcomponents/rbd-api"
ROUTES = "/apis/apisix.apache.org/v2/apisixroutes"
RELEASED = {"meta.helm.sh/release-name": "rainbond", "meta.helm.sh/release-namespace": "rbd-system"}


def named(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **more.pop("metadata", {})}, **more}


def definition(version: str) -> dict[str, Any]:
    return {"spec": {"versions": [{"name": version, "served": True, "storage": True}]}}


def objects() -> dict[str, dict[str, Any]]:
    """What an installation leaves in a cluster, by path."""
    return {
        NS: named("rbd-system"),
        OPERATOR: named("rainbond-operator"),
        COMPONENT: named("rbd-api"),
        f"{NS}/secrets/rbd-db": named("rbd-db", metadata={"ownerReferences": [{"name": "rbd-db"}]}),
        f"{NS}/secrets/rbd-api-server-cert": named("rbd-api-server-cert"),
        f"{NS}/secrets/rbd-etcd-secret": named("rbd-etcd-secret"),
        f"{NS}/secrets/region-config": named("region-config"),
        f"{NS}/persistentvolumeclaims/rbd-db-rbd-db-0": named("rbd-db-rbd-db-0"),
        f"{CRD}/rbdcomponents.rainbond.io": named("rbdcomponents.rainbond.io", **definition("v1alpha1")),
        f"{CRD}/apisixroutes.apisix.apache.org": named("apisixroutes.apisix.apache.org", **definition("v2")),
        f"{CRD}/servicemonitors.monitoring.coreos.com": named(
            "servicemonitors.monitoring.coreos.com", **definition("v1")
        ),
        f"{RBAC}/clusterrolebindings/rainbond-operator": named("rainbond-operator", metadata={"annotations": RELEASED}),
        f"{RBAC}/clusterrolebindings/local-path-provisioner-bind": named(
            "local-path-provisioner-bind", subjects=[{"namespace": "rbd-system"}]
        ),
        f"{RBAC}/clusterroles/local-path-provisioner-role": named("local-path-provisioner-role"),
        f"{RBAC}/clusterroles/admin": named("admin"),
        "/apis/storage.k8s.io/v1/storageclasses/rainbondvolumerwx": named(
            "rainbondvolumerwx", provisioner="rainbond.io/nfs"
        ),
        "/apis/storage.k8s.io/v1/storageclasses/local-path": named("local-path", provisioner="rancher.io/local-path"),
        "/api/v1/persistentvolumes/pvc-1": named(
            "pvc-1", spec={"claimRef": {"namespace": "rbd-system"}, "hostPath": {"path": "/opt/rainbond/x/pvc-1"}}
        ),
        "/api/v1/persistentvolumes/pvc-2": named("pvc-2", spec={"claimRef": {"namespace": "shop"}}),
    }


class Store(Mapping[tuple[str, str], tuple[int, object]]):
    """The answers of an API to whose objects things happen; what is deleted is noted in order."""

    def __init__(self, kept: dict[str, dict[str, Any]]) -> None:
        self.kept = kept
        self.deleted: list[str] = []
        self.slow: dict[str, int] = {}
        """How often what was deleted is still seen, by path."""

    def __getitem__(self, key: tuple[str, str]) -> tuple[int, object]:
        method, path = key
        if method == "DELETE" and path in self.kept:
            self.deleted.append(path)
            if path in self.slow:
                return 200, self.kept[path]
            within = (f"{path}/", f"/apis/apps/v1/namespaces/{path.rsplit('/', 1)[1]}/")
            is_namespace = path == NS
            self.kept = {
                each: item
                for each, item in self.kept.items()
                if each != path and not (is_namespace and each.startswith(within))
            }
            return 200, {"kind": "Status", "status": "Success"}
        if method == "GET" and path in self.slow and path in self.deleted:
            self.slow[path] -= 1
            if self.slow[path] < 0:
                self.kept.pop(path, None)
        if method in ("GET", "PATCH") and path in self.kept:
            return 200, self.kept[path]
        items = [item for each, item in self.kept.items() if each.rpartition("/")[0] == path]
        if method == "GET" and (items or path in (f"{NS}/pods", "/api/v1/persistentvolumes", CRD, ROUTES)):
            return 200, {"items": items}
        raise KeyError(key)

    def get(self, key: tuple[str, str], default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default if default is not None else (404, refusal(404, "NotFound", key[1]))

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


async def test_all_of_it_goes_and_nothing_of_others(authority: Authority, tmp_path: Path) -> None:
    store = Store(objects())
    store.kept[f"{CRD}/prometheuses.monitoring.coreos.com"] = named(
        "prometheuses.monitoring.coreos.com", **definition("v1")
    )
    async with stage(authority, tmp_path, Api(store)) as there:
        changes = await carry_out(RemoveRainbond(""), there.context)
    assert any("rbdcomponents.rainbond.io" in change for change in changes)
    assert store.deleted[:3] == [OPERATOR, COMPONENT, NS], "nobody makes again what is deleted"
    left = {path.rpartition("/")[2] for path in store.kept}
    assert left == {
        "admin", "pvc-2", "prometheuses.monitoring.coreos.com", "servicemonitors.monitoring.coreos.com"
    }  # fmt: skip


async def test_what_goes_slowly_is_waited_for_and_what_stays_is_named(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RemoveRainbond, "look_every_s", 0.01)
    volume, kind = "/api/v1/persistentvolumes/pvc-1", f"{CRD}/rbdcomponents.rainbond.io"
    store = Store(objects())
    store.slow |= {volume: 5, kind: 3}
    async with stage(authority, tmp_path, Api(store)) as there:
        await carry_out(RemoveRainbond(""), there.context)
    assert {volume, kind}.isdisjoint(store.kept)
    monkeypatch.setattr(RemoveRainbond, "gone_s", 0.1)
    store = Store(objects())
    store.slow[volume] = 1_000_000
    (tmp_path / "again").mkdir()
    async with stage(authority, tmp_path / "again", Api(store)) as there:
        with pytest.raises(StepError) as caught:
            await carry_out(RemoveRainbond(""), there.context)
    assert (caught.value.code, caught.value.evidence) == ("rainbond_objects_stay", "persistentvolumes/pvc-1")


async def test_the_provisioner_of_nfs_volumes_goes_but_none_of_others(authority: Authority, tmp_path: Path) -> None:
    classes = "/apis/storage.k8s.io/v1/storageclasses"
    made = provisioner.objects(plan_of(storage=NFS), "image:1")
    ours = {path: body for path, body in made.items() if "/namespaces/" not in path}
    theirs = {
        f"{classes}/theirs": named("theirs", provisioner="cluster.local/nfs"),
        f"{RBAC}/clusterroles/nfs-client-provisioner": named("nfs-client-provisioner"),
    }
    store = Store({**objects(), **ours})
    async with stage(authority, tmp_path, Api(store)) as there:
        await carry_out(RemoveRainbond(""), there.context)
    assert not any("nfs" in path for path in store.kept)
    assert store.deleted.index(NS) < store.deleted.index(f"{classes}/nfs-storage"), "it is there while volumes go"
    store = Store({**objects(), **theirs})
    (tmp_path / "other").mkdir()
    async with stage(authority, tmp_path / "other", Api(store)) as there:
        await carry_out(RemoveRainbond(""), there.context)
    assert theirs.keys() <= store.kept.keys()


async def test_secrets_that_go_with_kept_databases_can_be_kept(authority: Authority, tmp_path: Path) -> None:
    store = Store(objects())
    async with stage(authority, tmp_path, Api(store)) as there:
        step = RemoveRainbond("", keep_secrets=True)
        await carry_out(step, there.context)
        assert (await step.pending(there.context)).is_done
    inside = sorted(path.removeprefix(f"{NS}/") for path in store.kept if path.startswith(f"{NS}/"))
    assert inside == ["secrets/rbd-api-server-cert", "secrets/rbd-db"]
    assert NS in store.kept


async def test_volumes_of_others_in_rainbonds_directory_are_not_lost(authority: Authority, tmp_path: Path) -> None:
    store = Store(objects())
    store.kept["/api/v1/persistentvolumes/pvc-2"]["spec"]["hostPath"] = {"path": "/opt/rainbond/x/pvc-2"}
    async with stage(authority, tmp_path, Api(store)) as there:
        with pytest.raises(StepError) as caught:
            await RemoveRainbond("").pending(there.context)
    assert caught.value.code == "rainbond_data_of_others"
    assert caught.value.evidence == "pvc-2: shop"
    assert store.deleted == []


async def test_a_cluster_without_rainbond_has_nothing_to_remove(authority: Authority, tmp_path: Path) -> None:
    async with stage(authority, tmp_path, Api(Store({}))) as there:
        assert (await RemoveRainbond("").pending(there.context)).is_done


def test_nodes_wait_until_nothing_runs_there_any_more() -> None:
    plan = build_rainbond_reset(plan_of(), ["n1", "n3"], keep_secrets=False)
    assert [(step.id, step.after) for step in plan.steps] == [
        ("rainbond-remove", ()),
        ("rainbond-data@n1", ("rainbond-remove",)),
        ("rainbond-data@n3", ("rainbond-remove",)),
    ]


def test_our_block_of_the_hosts_file_stays_with_the_cluster() -> None:
    block = b"# BEGIN rbdtui\n10.0.0.100 goodrain.me region.goodrain.me\n# END rbdtui\n127.0.0.1 localhost\n"
    assert without_rainbonds(block + b"10.0.0.11 goodrain.me\n", b"127.0.0.1 localhost\n") == block
    names = b"10.0.0.11 goodrain.me\n10.0.0.11 region.goodrain.me\n"
    section = b"# Generate by Rainbond. DO NOT EDIT\n" + names + b"# End of Section\n"
    assert without_rainbonds(block + section, b"127.0.0.1 localhost\n") == block, "of rbd-node, 5.17"
    kept = b"127.0.0.1 localhost\n# End of Section\n"
    assert without_rainbonds(kept, b"127.0.0.1 localhost\n") == kept, "somebody else's"
