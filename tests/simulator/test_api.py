"""The API of a simulated cluster keeps objects as a real API server does, asked by the client that the product uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.simulator.kubernetes.cluster import Cluster
from tests.simulator.kubernetes_api import Api, bare_cluster, client_of

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CLUSTERS = "/apis/rainbond.io/v1alpha1/namespaces/default/rainbondclusters"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


@pytest.fixture
def cluster() -> Cluster:
    return bare_cluster(SimulatedFleet(3, speed=50.0))


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[Api]:
    async with client_of(cluster, "node1") as opened:
        yield opened


def config_map(name: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "labels": {"app": name, "tier": "a" if name < "m" else "b"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(name: str) -> dict[str, Any]:
    containers = [{"name": "main", "image": "one:1"}, {"name": "side", "image": "two:1"}]
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": labels}, "template": template}}


CRD = {
    "metadata": {"name": "rainbondclusters.rainbond.io"},
    "spec": {
        "group": "rainbond.io",
        "scope": "Namespaced",
        "names": {"plural": "rainbondclusters", "kind": "RainbondCluster"},
        "versions": [{"name": "v1alpha1", "served": True, "storage": True, "subresources": {"status": {}}}],
    },
}


async def test_objects_are_made_read_changed_and_gone(api: Api) -> None:
    made = await api.good("POST", CONFIG_MAPS, config_map("one", key="a"))
    assert made["metadata"]["namespace"] == "default"
    read = await api.good("GET", f"{CONFIG_MAPS}/one")
    assert read == made
    replaced = await api.good("PUT", f"{CONFIG_MAPS}/one", made | {"data": {"key": "b"}})
    assert int(replaced["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    assert replaced["metadata"]["uid"] == made["metadata"]["uid"]
    patch = {"data": {"key": None, "more": "c"}}
    patched = await api.good("PATCH", f"{CONFIG_MAPS}/one", patch, content_type=MERGE)
    assert patched["data"] == {"more": "c"}
    gone = await api.good("DELETE", f"{CONFIG_MAPS}/one")
    assert (gone["kind"], gone["status"]) == ("Status", "Success")
    assert (await api("GET", f"{CONFIG_MAPS}/one"))[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "reason", "message"),
    [
        ("GET", f"{CONFIG_MAPS}/none", None, 404, "NotFound", 'configmaps "none" not found'),
        ("GET", f"{DEPLOYMENTS}/none", None, 404, "NotFound", 'deployments.apps "none" not found'),
        ("DELETE", f"{DEPLOYMENTS}/none", None, 404, "NotFound", 'deployments.apps "none" not found'),
        ("POST", CONFIG_MAPS, config_map("there"), 409, "AlreadyExists", 'configmaps "there" already exists'),
        (
            "PUT",
            f"{CONFIG_MAPS}/there",
            config_map("there") | {"metadata": {"name": "there", "resourceVersion": "1"}},
            409,
            "Conflict",
            'Operation cannot be fulfilled on configmaps "there": the object has been modified; '
            "please apply your changes to the latest version and try again",
        ),
        ("GET", CLUSTERS, None, 404, "NotFound", "the server could not find the requested resource"),
        (
            "POST",
            "/api/v1/namespaces/none/configmaps",
            config_map("x"),
            404,
            "NotFound",
            'namespaces "none" not found',
        ),
    ],
)
async def test_refusals_are_the_api_servers_own(
    api: Api, method: str, path: str, body: Any, code: int, reason: str, message: str
) -> None:
    await api.good("POST", CONFIG_MAPS, config_map("there"))
    status, answer = await api(method, path, body)
    assert (status, answer["code"], answer["reason"], answer["message"]) == (code, code, reason, message)
    assert (answer["kind"], answer["status"]) == ("Status", "Failure")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["alpha", "beta", "zeta"]),
        ("?labelSelector=tier%3Da", ["alpha", "beta"]),
        ("?labelSelector=app+in+(beta,zeta),tier%21%3Da", ["zeta"]),
        ("?labelSelector=!app", []),
        ("?fieldSelector=metadata.name%3Dbeta", ["beta"]),
        ("?limit=2", ["alpha", "beta"]),
    ],
)
async def test_lists_are_selected_and_cut(api: Api, query: str, names: list[str]) -> None:
    for name in ("zeta", "alpha", "beta"):
        await api.good("POST", CONFIG_MAPS, config_map(name))
    listed = await api.good("GET", CONFIG_MAPS + query)
    assert [item["metadata"]["name"] for item in listed["items"]] == names
    assert listed["kind"] == "ConfigMapList"
    if going_on := listed["metadata"].get("continue"):
        rest = await api.good("GET", f"{CONFIG_MAPS}{query}&continue={going_on}")
        assert [item["metadata"]["name"] for item in rest["items"]] == ["zeta"]


async def test_apply_makes_changes_and_takes_back_only_what_was_its_own(api: Api) -> None:
    path = f"{DEPLOYMENTS}/web?fieldManager=rbdtui&force=true"
    assert (await api("PATCH", path, deployment("web"), content_type=APPLY))[0] == 201
    note = {"metadata": {"annotations": {"theirs": "stays"}}}
    await api.good("PATCH", f"{DEPLOYMENTS}/web", note, content_type=MERGE)
    wanted = deployment("web")
    wanted["spec"]["template"]["spec"]["containers"] = [{"name": "main", "image": "one:2"}]
    status, after = await api("PATCH", path, wanted, content_type=APPLY)
    assert status == 200
    assert [c["image"] for c in after["spec"]["template"]["spec"]["containers"]] == ["one:2"]
    assert after["metadata"]["annotations"] == {"theirs": "stays"}
    assert after["metadata"]["generation"] == 2
    again = await api.good("PATCH", path, wanted, content_type=APPLY)
    assert again == after


async def test_custom_resources_come_with_their_definition_and_go_with_it(api: Api) -> None:
    await api.good("POST", CRDS, CRD)
    made = await api.good("POST", CLUSTERS, {"metadata": {"name": "one"}, "spec": {"a": 1}, "status": {"no": 1}})
    assert (made["apiVersion"], made["kind"]) == ("rainbond.io/v1alpha1", "RainbondCluster")
    assert "status" not in made
    status = await api.good("PATCH", f"{CLUSTERS}/one/status", {"status": {"yes": 1}}, content_type=MERGE)
    assert (status["status"], status["metadata"]["generation"]) == ({"yes": 1}, 1)
    patch = {"spec": {"a": 2}, "status": {"no": 1}}
    patched = await api.good("PATCH", f"{CLUSTERS}/one", patch, content_type=MERGE)
    assert (patched["status"], patched["metadata"]["generation"]) == ({"yes": 1}, 2)
    await api.good("DELETE", f"{CRDS}/rainbondclusters.rainbond.io")
    assert (await api("GET", f"{CLUSTERS}/one"))[0] == 404


async def test_what_is_owned_goes_with_its_owner_unless_it_is_orphaned(api: Api) -> None:
    for word, policy in (("one", "Background"), ("two", "Orphan")):
        owner = await api.good("POST", CONFIG_MAPS, config_map(word))
        owned = config_map(f"{word}-owned")
        owned["metadata"]["ownerReferences"] = [{"kind": "ConfigMap", "name": word, "uid": owner["metadata"]["uid"]}]
        await api.good("POST", CONFIG_MAPS, owned)
        await api.good("DELETE", f"{CONFIG_MAPS}/{word}", {"propagationPolicy": policy})
    left = await api.good("GET", CONFIG_MAPS)
    assert [item["metadata"]["name"] for item in left["items"]] == ["two-owned"]


async def test_a_namespace_takes_all_in_it_along(api: Api) -> None:
    await api.good("POST", "/api/v1/namespaces", {"metadata": {"name": "rbd-system"}})
    path = "/api/v1/namespaces/rbd-system"
    await api.good("POST", f"{path}/secrets", {"metadata": {"name": "s"}, "stringData": {"key": "a word"}})
    assert (await api.good("GET", f"{path}/secrets/s"))["data"] == {"key": "YSB3b3Jk"}
    assert (await api.good("GET", path))["status"]["phase"] == "Active"
    await api.good("DELETE", path)
    assert (await api("GET", f"{path}/secrets/s"))[0] == 404


async def test_a_watch_tells_what_happens_from_a_version_on(api: Api) -> None:
    await api.good("POST", CONFIG_MAPS, config_map("before"))
    version = (await api.good("GET", CONFIG_MAPS))["metadata"]["resourceVersion"]
    await api.good("POST", CONFIG_MAPS, config_map("alpha"))
    seen = []

    async def change() -> None:
        await api.good("PATCH", f"{CONFIG_MAPS}/alpha", {"data": {"a": "b"}}, content_type=MERGE)
        await api.good("PATCH", f"{CONFIG_MAPS}/alpha", {"metadata": {"labels": {"tier": "b"}}}, content_type=MERGE)

    query = f"?watch=true&labelSelector=tier%3Da&resourceVersion={version}"
    async with asyncio.timeout(5), aclosing(api.watch(CONFIG_MAPS + query)) as events:
        async for event in events:
            seen.append((event["type"], event["object"]["metadata"]["name"]))
            if len(seen) == 1:
                await change()
            if len(seen) == 3:
                break
    assert seen == [("ADDED", "alpha"), ("MODIFIED", "alpha"), ("DELETED", "alpha")]


async def test_who_wants_bookmarks_is_told_how_far_a_watch_has_come(api: Api, cluster: Cluster) -> None:
    """A watch that tells nothing still gets newer than what the server remembers."""
    version = (await api.good("GET", CONFIG_MAPS))["metadata"]["resourceVersion"]
    cluster.network.pace.speed = 100.0
    await api.good("POST", "/api/v1/namespaces/default/secrets", {"metadata": {"name": "none of its business"}})
    for query, kinds in (("&allowWatchBookmarks=true", {"BOOKMARK"}), ("", set())):
        query = f"?watch=true&resourceVersion={version}&timeoutSeconds=0.3{query}"
        async with asyncio.timeout(5), aclosing(api.watch(CONFIG_MAPS + query)) as events:
            told = [event async for event in events]
        assert {event["type"] for event in told} == kinds
        for event in told:
            assert event["object"]["kind"] == "ConfigMap"
            assert int(event["object"]["metadata"]["resourceVersion"]) == cluster.store.version > int(version)


async def test_nodes_are_the_clusters_and_labels_are_anybodys(api: Api, cluster: Cluster) -> None:
    listed = await api.good("GET", "/api/v1/nodes")
    assert [item["metadata"]["name"] for item in listed["items"]] == ["node1", "node2", "node3"]
    patch = {"metadata": {"labels": {"zone": "a"}}, "spec": {"unschedulable": True}}
    await api.good("PATCH", "/api/v1/nodes/node2", patch, content_type=MERGE)
    assert cluster.nodes["node2"].labels["zone"] == "a"
    read = await api.good("GET", "/api/v1/nodes/node2")
    assert (read["spec"]["unschedulable"], read["metadata"]["labels"]["zone"]) == (True, "a")
    cluster.nodes["node2"].beat_s = -100.0
    read = await api.good("GET", "/api/v1/nodes/node2")
    assert {c["type"]: c["status"] for c in read["status"]["conditions"]}["Ready"] == "Unknown"


async def test_all_servers_show_the_same_also_after_one_has_died_and_none_without_quorum(
    api: Api, cluster: Cluster
) -> None:
    await api.good("POST", CONFIG_MAPS, config_map("kept"))
    async with client_of(cluster, "node2") as other:
        cluster.network.machines[0].powered = False
        assert (await other.good("GET", f"{CONFIG_MAPS}/kept"))["metadata"]["name"] == "kept"
        cluster.network.machines[2].powered = False
        assert (await other("GET", f"{CONFIG_MAPS}/kept"))[0] == 500


async def test_a_log_is_read_by_container(api: Api, cluster: Cluster) -> None:
    containers = {"containers": [{"name": "a"}, {"name": "b"}]}
    pods = "/api/v1/namespaces/default/pods"
    await api.good("POST", pods, {"metadata": {"name": "p"}, "spec": containers})
    cluster.store.logs["default", "p", "a"] = ["one", "two", "three"]
    assert await api.good("GET", f"{pods}/p/log?container=a&tailLines=2") == "two\nthree\n"
    answers = {
        "": "a container name must be specified for pod p, choose one of: [a b]",
        "?container=b": 'container "b" in pod "p" is waiting to start: ContainerCreating',
        "?container=a&previous=true": 'previous terminated container "a" in pod "p" not found',
    }
    for query, words in answers.items():
        status, answer = await api("GET", f"{pods}/p/log{query}")
        assert (status, answer["message"]) == (400, words)
