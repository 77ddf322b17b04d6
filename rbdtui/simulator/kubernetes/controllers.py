"""The controller manager and the scheduler of a simulated cluster: from workloads to pods on nodes, one pass a time."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any, Final

from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.kubernetes.selectors import Object, matches_labels
from rbdtui.simulator.kubernetes.store import Kind, Store
from rbdtui.simulator.kubernetes.telling import condition, event, is_ready, now
from rbdtui.simulator.kubernetes.volumes import Volumes, binds_at_once, claims_of, is_bound

HASH: Final = "pod-template-hash"
"""The label that tells pods of a workload's newest form from older ones."""


def owned(store: Store, kind: Kind, owner: Object) -> list[Object]:
    """What an object owns."""
    uid = owner["metadata"]["uid"]
    items = store.listed(kind, owner["metadata"].get("namespace", ""))
    return [each for each in items if uid in [o["uid"] for o in each["metadata"].get("ownerReferences", ())]]


def owner_of(item: Object) -> list[Object]:
    """The reference that makes something an object's own."""
    names = {"apiVersion": item["apiVersion"], "kind": item["kind"], "name": item["metadata"]["name"]}
    return [names | {"uid": item["metadata"]["uid"], "controller": True}]


class Controllers:
    """All controllers of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._store = cluster, cluster.store
        kind = self._store.kind
        self._pods, self._claims = kind("", "pods"), kind("", "persistentvolumeclaims")
        self._sets, self._storage = kind("apps", "replicasets"), Volumes(self._store)

    def step(self) -> None:
        """One pass over everything."""
        self._cluster.sync_nodes()
        store = self._store
        work: tuple[tuple[str, str, Callable[[Object], None]], ...] = (
            ("apps", "deployments", self._deployment),
            ("apps", "statefulsets", self._stateful_set),
            ("apps", "daemonsets", self._daemon_set),
            ("batch", "jobs", self._job),
        )
        for group, plural, look in work:
            for item in store.listed(store.kind(group, plural)):
                try:
                    look(item)
                except (KeyError, TypeError, ValueError, AttributeError) as error:
                    event(store, item, "FailedCreate", f"the object is not whole: {type(error).__name__}: {error}")
        for pod in store.listed(self._pods):
            if not pod["spec"].get("nodeName"):
                self._schedule(pod)
            elif pod["spec"]["nodeName"] not in self._cluster.nodes:
                store.delete(self._pods, pod["metadata"]["namespace"], pod["metadata"]["name"])
            else:
                self._notice_lost_node(pod)
        self._storage.step()

    # --- workloads -------------------------------------------------------------------------------------------

    def _deployment(self, item: Object) -> None:
        digest = _digest(item["spec"]["template"])
        name, namespace = f"{item['metadata']['name']}-{digest}", item["metadata"]["namespace"]
        newest = self._store.find(self._sets, namespace, name) or self._replica_set(item, name, digest)
        newest_pods = owned(self._store, self._pods, newest)
        older = [s for s in owned(self._store, self._sets, item) if s["metadata"]["name"] != name]
        old_pods = [pod for each in older for pod in owned(self._store, self._pods, each)]
        desired = int(item["spec"].get("replicas", 1))
        strategy = item["spec"].get("strategy", {})
        rolling = strategy.get("type") != "Recreate"
        surge = int(strategy.get("rollingUpdate", {}).get("maxSurge", 1))
        if not rolling:
            self._remove(old_pods)
            old_pods = []
        room = desired + (surge if old_pods else 0) - len(old_pods)
        for _ in range(min(desired, room) - len(newest_pods)):
            newest_pods.append(self._pod(newest, f"{name}-", item["spec"]["template"], digest))
        self._remove(newest_pods[desired:])
        ready = sum(map(is_ready, [*newest_pods, *old_pods]))
        if old_pods and (ready > desired or (not surge and ready >= desired)):
            self._remove(old_pods[:1])
        for each in older:
            if not owned(self._store, self._pods, each):
                self._store.delete(self._sets, namespace, each["metadata"]["name"])
        self._report(item, newest_pods[:desired], [*newest_pods[:desired], *old_pods], desired)

    def _replica_set(self, item: Object, name: str, digest: str) -> Object:
        labels = item["spec"]["template"]["metadata"].get("labels", {}) | {HASH: digest}
        spec = {"replicas": item["spec"].get("replicas", 1), "selector": {"matchLabels": labels}}
        metadata = {"name": name, "labels": labels, "ownerReferences": owner_of(item)}
        return self._store.create(self._sets, item["metadata"]["namespace"], {"metadata": metadata, "spec": spec})

    def _report(self, item: Object, newest: list[Object], pods: list[Object], desired: int) -> None:
        ready = sum(map(is_ready, pods))
        status: Object = {
            "observedGeneration": item["metadata"]["generation"],
            "replicas": len(pods),
            "updatedReplicas": len(newest),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": max(0, desired - ready),
        }
        if item["kind"] == "Deployment":
            status["conditions"] = [condition("Available", ready >= desired), condition("Progressing", True)]
        self._set_status(item, status)

    def _stateful_set(self, item: Object) -> None:
        digest = _digest(item["spec"]["template"])
        name = item["metadata"]["name"]
        desired = int(item["spec"].get("replicas", 1))
        self._adopt(item)
        pods = {pod["metadata"]["name"]: pod for pod in owned(self._store, self._pods, item)}
        for number in range(desired):
            wanted = f"{name}-{number}"
            pod = pods.get(wanted)
            if pod is None:
                template = self._with_claims(item, wanted)
                pods[wanted] = self._pod(item, "", template, digest, name=wanted)
                break
            if pod["metadata"]["labels"].get(HASH) != digest:
                self._remove([pod])
                del pods[wanted]
                break
            if not is_ready(pod):
                break
        extra = [pod for pod_name, pod in pods.items() if int(pod_name.rpartition("-")[2]) >= desired]
        self._remove(extra)
        kept = [pod for pod in pods.values() if pod not in extra]
        self._report(item, [p for p in kept if p["metadata"]["labels"].get(HASH) == digest], kept, desired)

    def _adopt(self, item: Object) -> None:
        """Pods of its name and labels that are nobody's become its own: kubernetes, controller_ref_manager.go."""
        wanted = re.compile(re.escape(item["metadata"]["name"]) + r"-\d+")
        for pod in self._store.listed(self._pods, item["metadata"]["namespace"]):
            metadata = pod["metadata"]
            if metadata.get("ownerReferences") or not wanted.fullmatch(metadata["name"]):
                continue
            if matches_labels(item["spec"]["selector"], metadata.get("labels", {})):
                self._store.put(self._pods, pod | {"metadata": metadata | {"ownerReferences": owner_of(item)}})

    def _with_claims(self, item: Object, pod: str) -> Object:
        template: Object = copy.deepcopy(item["spec"]["template"])
        for wanted in item["spec"].get("volumeClaimTemplates", []):
            name = f"{wanted['metadata']['name']}-{pod}"
            if self._store.find(self._claims, item["metadata"]["namespace"], name) is None:
                claim = {"metadata": {"name": name}, "spec": wanted["spec"]}
                self._store.create(self._claims, item["metadata"]["namespace"], claim)
            volume = {"name": wanted["metadata"]["name"], "persistentVolumeClaim": {"claimName": name}}
            template["spec"].setdefault("volumes", []).append(volume)
        return template

    def _daemon_set(self, item: Object) -> None:
        template = item["spec"]["template"]
        digest = _digest(template)
        nodes = [node for node in sorted(self._cluster.nodes) if self._suits(template["spec"], node, any_state=True)]
        pods = owned(self._store, self._pods, item)
        astray = [p for p in pods if p["spec"]["nodeName"] not in nodes]
        stale = [p for p in pods if p["metadata"]["labels"].get(HASH) != digest and is_ready(p) and p not in astray]
        self._remove([*astray, *stale[:1]])
        pods = owned(self._store, self._pods, item)
        covered = {pod["spec"]["nodeName"] for pod in pods}
        for node in nodes:
            if node not in covered:
                pinned = copy.deepcopy(template)
                pinned["spec"]["nodeName"] = node
                pods.append(self._pod(item, f"{item['metadata']['name']}-", pinned, digest))
        ready = sum(map(is_ready, pods))
        status = {
            "observedGeneration": item["metadata"]["generation"],
            "desiredNumberScheduled": len(nodes),
            "currentNumberScheduled": len(pods),
            "updatedNumberScheduled": sum(p["metadata"]["labels"].get(HASH) == digest for p in pods),
            "numberReady": ready,
            "numberAvailable": ready,
            "numberUnavailable": len(nodes) - ready,
            "numberMisscheduled": 0,
        }
        self._set_status(item, status)

    def _job(self, item: Object) -> None:
        store, spec = self._store, item["spec"]
        pods = owned(store, self._pods, item)
        done = sum(pod.get("status", {}).get("phase") == "Succeeded" for pod in pods)
        wanted = int(spec.get("completions", 1))
        for _ in range(wanted - len(pods)):
            self._pod(item, f"{item['metadata']['name']}-", spec["template"], "")
        status: Object = {"succeeded": done, "active": wanted - done}
        status["startTime"] = item.get("status", {}).get("startTime") or now()
        if done >= wanted:
            status |= {"active": 0, "conditions": [condition("Complete", True)]}
            status["completionTime"] = item["status"].get("completionTime") or now()
            store.ended_jobs.setdefault(item["metadata"]["uid"], self._cluster.network.pace.now_s)
        self._set_status(item, status)
        ended_s = store.ended_jobs.get(item["metadata"]["uid"])
        limit_s = spec.get("ttlSecondsAfterFinished")
        if ended_s is not None and limit_s is not None and self._cluster.network.pace.now_s > ended_s + limit_s:
            store.delete(store.kind("batch", "jobs"), item["metadata"]["namespace"], item["metadata"]["name"])

    def _set_status(self, item: Object, status: Object) -> None:
        kind = self._store.kind_of(item)
        self._store.set_status(kind, item["metadata"]["namespace"], item["metadata"]["name"], status)

    def _pod(self, owner: Object, prefix: str, template: Object, digest: str, *, name: str = "") -> Object:
        own = template.get("metadata") or {}
        labels: Object = own.get("labels", {}) | ({HASH: digest} if digest else {})
        metadata: Object = {"labels": labels, "ownerReferences": owner_of(owner)}
        metadata |= {"name": name} if name else {"generateName": prefix}
        metadata |= {key: own[key] for key in ("annotations",) if key in own}
        return self._store.create(
            self._pods, owner["metadata"]["namespace"], {"metadata": metadata, "spec": template["spec"]}
        )

    def _remove(self, pods: list[Object]) -> None:
        for pod in pods:
            if pod["metadata"].get("labels", {}).get("name") not in self._cluster.faults.staying:
                self._store.delete(self._pods, pod["metadata"]["namespace"], pod["metadata"]["name"])

    # --- scheduling ------------------------------------------------------------------------------------------

    def _schedule(self, pod: Object) -> None:
        store, namespace = self._store, pod["metadata"]["namespace"]
        nodes = sorted(self._cluster.nodes)
        for claim in claims_of(store, pod):
            if claim is None or (binds_at_once(store, claim) and not is_bound(claim)):
                words = "pod has unbound immediate PersistentVolumeClaims"
                self._unplaced(pod, f"0/{len(nodes)} nodes are available: {words}.")
                return
        tied = {node for claim in claims_of(store, pod) if claim and (node := self._storage.tied_to(claim))}
        fits = [n for n in nodes if self._suits(pod["spec"], n) and (not tied or tied == {n})]
        if not fits:
            words = f"{len(nodes)} node(s) didn't match Pod's node affinity/selector"
            self._unplaced(pod, f"0/{len(nodes)} nodes are available: {words}.")
            return
        load = {node: self._load(pod, node) for node in fits}
        node = min(fits, key=lambda each: (load[each], each))
        placed = copy.deepcopy(pod)
        placed["spec"]["nodeName"] = node
        placed["status"] = {"phase": "Pending", "conditions": [condition("PodScheduled", True)]}
        store.put(self._pods, placed)
        words = f"Successfully assigned {namespace}/{pod['metadata']['name']} to {node}"
        event(store, placed, "Scheduled", words, warning=False)

    def _load(self, pod: Object, node: str) -> tuple[int, int]:
        """How many pods of the same workload a node has, and how many at all."""
        there = [each for each in self._store.listed(self._pods) if each["spec"].get("nodeName") == node]
        owner = [each["uid"] for each in pod["metadata"].get("ownerReferences", [])]
        same = [p for p in there if [o["uid"] for o in p["metadata"].get("ownerReferences", [])] == owner]
        return len(same), len(there)

    def _unplaced(self, pod: Object, message: str) -> None:
        status = {"phase": "Pending", "conditions": [condition("PodScheduled", False, "Unschedulable", message)]}
        if pod.get("status") != status:
            self._store.set_status(self._pods, pod["metadata"]["namespace"], pod["metadata"]["name"], status)
            event(self._store, pod, "FailedScheduling", message)

    def _suits(self, spec: Object, name: str, *, any_state: bool = False) -> bool:
        node = self._cluster.nodes[name]
        if not any_state and (self._cluster.ready(node) != "True" or node.spec.get("unschedulable")):
            return False
        if any(node.labels.get(key) != value for key, value in spec.get("nodeSelector", {}).items()):
            return False
        affinity = spec.get("affinity", {}).get("nodeAffinity", {})
        terms = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {}).get("nodeSelectorTerms", [])
        return not terms or any(_term_holds(term, node.labels) for term in terms)

    def _notice_lost_node(self, pod: Object) -> None:
        if is_ready(pod) and self._cluster.ready(self._cluster.nodes[pod["spec"]["nodeName"]]) == "Unknown":
            status = copy.deepcopy(pod["status"])
            status["conditions"] = [
                each | {"status": "False"} if each["type"] == "Ready" else each for each in status["conditions"]
            ]
            self._store.set_status(self._pods, pod["metadata"]["namespace"], pod["metadata"]["name"], status)
            event(self._store, pod, "NodeNotReady", "Node is not ready")


def _term_holds(term: Object, labels: dict[str, str]) -> bool:
    def holds(wanted: Object) -> bool:
        value, values = labels.get(wanted["key"]), wanted.get("values", [])
        words: dict[str, bool] = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        return words.get(wanted["operator"], False)

    return all(holds(wanted) for wanted in term.get("matchExpressions", []))


def pods_behind(store: Store, namespace: str, service: str) -> list[Object]:
    """The ready pods that a Service leads to."""
    found = store.find(store.kind("", "services"), namespace, service)
    if found is None:
        return []
    selector: dict[str, Any] = {"matchLabels": found["spec"].get("selector", {})}
    pods = store.listed(store.kind("", "pods"), namespace)
    return [pod for pod in pods if is_ready(pod) and matches_labels(selector, pod["metadata"].get("labels", {}))]


def _digest(template: Object) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
