"""Rainbond's operator as it is: it works on a component until that is ready, and then never looks again.

Source: goodrain/rainbond-operator v6.2.1 to v6.9.3, controllers/rbdcomponent_controller.go,
rainbondcluster_controller.go, cluster-mgr; seen in runs against a real API server.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Final

from rbdtui.simulator.chart import numbers
from rbdtui.simulator.kubernetes.certificates import Authority
from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.kubernetes.controllers import owner_of
from rbdtui.simulator.kubernetes.kubelet import image_name
from rbdtui.simulator.kubernetes.selectors import Object, matches_labels
from rbdtui.simulator.kubernetes.store import StatusError
from rbdtui.simulator.kubernetes.telling import condition, event, is_ready, now
from rbdtui.simulator.rainbond import parts_old, stages
from rbdtui.simulator.rainbond.parts import (
    BUILTIN_HUB,
    NAMESPACE,
    Settings,
    WaitError,
    extras,
    labels,
    workloads,
)

OPERATOR_IMAGE: Final = "rainbond-operator"
HUB_USER, HUB_PASSWORD = "admin", "admin1234"
_JOB_TTL_S: Final = 60
_NEVER_CHANGED: Final = frozenset({"persistentvolumeclaims", "persistentvolumes", "jobs"})
_CERTIFICATES_LAST_DAYS: Final = 99 * 365
"""goodrain/rainbond-operator, util/commonutil/cert.go."""


class Operator:
    """The logic behind the operator's pod; what it remembers goes with that pod."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._store = cluster, cluster.store
        self._life = ""
        self._settled: dict[str, int] = {}
        """Generations of components that it does not look at again."""
        self._judged = -1
        """The generation of the RainbondCluster that its conditions are about."""

    def step(self) -> None:
        """One pass, when the operator's pod is ready."""
        pod = self._pod()
        if pod is None:
            return
        restarts = sum(each["restartCount"] for each in pod["status"]["containerStatuses"])
        life = f"{pod['metadata']['uid']} {restarts}"
        if life != self._life:
            self._life, self._settled, self._judged = life, {}, -1
        try:
            clusters = self._store.kind("rainbond.io", "rainbondclusters")
            components = self._store.kind("rainbond.io", "rbdcomponents")
        except StatusError:
            return
        own = self._store.find(clusters, NAMESPACE, "rainbondcluster")
        if own is None:
            return
        is_old = parts_old.is_old(own["spec"])
        if own["metadata"]["generation"] != self._judged or is_old:
            own = self._examine(own, pod)
        if is_old:
            stages.go_on(self._cluster, own["spec"], pod)
        for component in self._store.listed(components, NAMESPACE):
            if self._settled.get(component["metadata"]["name"]) != component["metadata"]["generation"]:
                self._work_on(component, self._settings(own, pod))

    def _pod(self) -> Object | None:
        pods = self._store.listed(self._store.kind("", "pods"), NAMESPACE)
        ours = (p for p in pods if image_name(p["spec"]["containers"][0]["image"]) == OPERATOR_IMAGE)
        return next((pod for pod in ours if is_ready(pod)), None)

    def _settings(self, own: Object, pod: Object) -> Settings:
        env = {each["name"]: str(each.get("value", "")) for each in pod["spec"]["containers"][0].get("env", [])}
        version = numbers(pod["spec"]["containers"][0]["image"].rpartition(":")[2])
        return Settings(own["spec"], env, self._store, version)

    def _log(self, pod: Object, line: str) -> None:
        key = (NAMESPACE, pod["metadata"]["name"], pod["spec"]["containers"][0]["name"])
        self._store.logs.setdefault(key, []).append(line)

    # --- the RainbondCluster ---------------------------------------------------------------------------------

    def _examine(self, own: Object, pod: Object) -> Object:
        """Fill in what the chart left open, and write down conditions that nobody renews."""
        kind = self._store.kind("rainbond.io", "rainbondclusters")
        wanted = copy.deepcopy(own)
        spec = wanted["spec"]
        if not spec.get("imageHub"):
            password = self._word("registry")[:8] if parts_old.is_old(spec) else HUB_PASSWORD
            spec["imageHub"] = {"domain": BUILTIN_HUB, "username": HUB_USER, "password": password}
        if not spec.get("suffixHTTPHost") and spec.get("gatewayIngressIPs"):
            spec["suffixHTTPHost"] = f"{spec['gatewayIngressIPs'][0]}.nip.io"
        for word in ("nodesForGateway", "nodesForChaos"):
            if not spec.get(word):
                spec[word] = [
                    {"name": node.name, "internalIP": str(node.machine.ip)}
                    for node in list(self._cluster.nodes.values())[:2]
                ]
        if parts_old.is_old(spec):
            return self._examine_old(own, wanted)
        own = self._store.replace(kind, NAMESPACE, "rainbondcluster", wanted)
        hub = own["spec"]["imageHub"]
        self._log(
            pod,
            f"First login failed, login insecure repository {hub['domain']} with username {hub.get('username')} "
            f"and password {hub.get('password')}",
        )
        status = copy.deepcopy(own.get("status", {}))
        status["conditions"] = list(self._conditions(own["spec"]))
        classes = self._store.listed(self._store.kind("storage.k8s.io", "storageclasses"))
        status["storageClasses"] = [
            {"name": each["metadata"]["name"], "provisioner": each["provisioner"]} for each in classes
        ]
        own = self._store.set_status(kind, NAMESPACE, "rainbondcluster", status)
        self._judged = own["metadata"]["generation"]
        return own

    def _examine_old(self, own: Object, wanted: Object) -> Object:
        """5.17 looks again every few seconds."""
        kind = self._store.kind("rainbond.io", "rainbondclusters")
        if wanted["spec"] != own["spec"]:
            own = self._store.replace(kind, NAMESPACE, "rainbondcluster", wanted)
        status = {**own.get("status", {}), "conditions": list(stages.conditions(self._cluster, own["spec"]))}
        if status != own.get("status"):
            own = self._store.set_status(kind, NAMESPACE, "rainbondcluster", status)
        return own

    def _conditions(self, spec: Object) -> Iterator[Object]:
        moment = {"lastHeartbeatTime": now(), "lastTransitionTime": now()}
        waiting = ["Storage(InProgress): precheck for Storage is in progress"]
        for kind, word in (("DatabaseRegion", "regionDatabase"), ("DatabaseConsole", "uiDatabase")):
            chosen = spec.get(word)
            silent = self._cluster.faults.database_silent or bool(chosen)
            host = chosen["host"] if chosen else "rbd-db-rw"
            message = f"dial tcp {host}:3306: connect: connection refused" if silent else ""
            if silent:
                waiting.append(f"{kind}(DatabaseFailed): {message}")
            yield condition(kind, not silent, "DatabaseFailed" if silent else "", message) | moment
        yield condition("KubernetesVersion", True) | moment
        yield condition("Storage", False, "InProgress", "precheck for Storage is in progress") | moment
        if spec.get("installMode") != "Offline":
            host = str(spec.get("rainbondImageRepository", "")).partition("/")[0]
            message = f"lookup {host}: no such host"
            waiting.append(f"DNS(DNSFailed): {message}")
            yield condition("DNS", False, "DNSFailed", message) | moment
        yield condition("Memory", True) | moment
        yield condition("Running", False, "PrecheckNotReady", f"precheck not ready: {'; '.join(waiting)}") | moment

    # --- components ------------------------------------------------------------------------------------------

    def _work_on(self, component: Object, settings: Settings) -> None:
        name = component["metadata"]["name"]
        is_old = parts_old.is_old(settings.cluster)
        self._make_secrets(name, component, settings)
        try:
            of = parts_old.workloads if is_old else workloads
            for group, plural, item in of(component, settings):
                self._put(group, plural, item, component, settings)
            for group, plural, item in extras(name, settings) if not is_old else ():
                if plural != "storageclasses" or self._absent(group, plural, item):
                    self._put(group, plural, item, component, settings)
        except WaitError as error:
            self._say_not_ready(component, "PrerequisitesFailed", str(error))
            return
        except StatusError as error:
            self._say_not_ready(component, "ErrCreateResources", error.message)
            return
        if name == "rbd-hub" and not is_old:
            self._make_hosts_job(component, settings)
        self._report(component, settings)

    def _absent(self, group: str, plural: str, item: Object) -> bool:
        return self._store.find(self._store.kind(group, plural), "", item["metadata"]["name"]) is None

    def _put(self, group: str, plural: str, item: Object, component: Object, settings: Settings) -> None:
        """An object as the component's own: made, or brought to its newest form."""
        kind = self._store.kind(group, plural)
        namespace = NAMESPACE if kind.namespaced else ""
        name = item["metadata"]["name"]
        if namespace:
            item["metadata"]["ownerReferences"] = owner_of(component)
        live = self._store.find(kind, namespace, name)
        if live is None:
            self._store.create(kind, namespace, item)
        elif plural == "configmaps":
            self._store.replace(kind, namespace, name, item)
        elif plural not in _NEVER_CHANGED and name not in {"rbd-db", parts_old.NFS_SERVER}:
            if plural == "statefulsets" and settings.keeps_claim_templates:
                item["spec"]["volumeClaimTemplates"] = live["spec"]["volumeClaimTemplates"]
            self._store.replace(kind, namespace, name, {**live, "spec": item.get("spec", live.get("spec"))})

    def _say_not_ready(self, component: Object, reason: str, message: str) -> None:
        status = copy.deepcopy(component.get("status", {}))
        completed = condition("ClusterConfigCompeleted", True, "ConfigCompleted")
        status["conditions"] = [completed, condition("Ready", False, reason, message)]
        if status != component.get("status"):
            event(self._store, component, reason, message)
        self._set_status(component, status)

    def _report(self, component: Object, settings: Settings) -> None:
        """Counts of pods by labels, and Ready once there are enough; a wait that is over leaves its words behind."""
        name = component["metadata"]["name"]
        selector: Object = {"matchLabels": labels(name)}
        pods = [
            pod
            for pod in self._store.listed(self._store.kind("", "pods"), NAMESPACE)
            if matches_labels(selector, pod["metadata"].get("labels", {}))
        ]
        wanted = int(component["spec"].get("replicas", 1))
        if parts_old.is_old(settings.cluster):
            wanted = parts_old.wanted(component, settings, len(self._cluster.nodes))
        elif name == "rbd-chaos":
            wanted = len(settings.cluster.get("nodesForChaos") or [])
        ready = sum(map(is_ready, pods))
        before = component.get("status", {}).get("conditions", [])
        last = next((each for each in before if each["type"] == "Ready"), condition("Ready", False))
        is_good = ready >= wanted
        conditions = [
            condition("ClusterConfigCompeleted", True, "ConfigCompleted"),
            condition("Ready", True, "Ready") if is_good else last,
        ]
        names = [{"name": pod["metadata"]["name"]} for pod in pods]
        status = {"replicas": wanted, "readyReplicas": ready, "pods": names, "conditions": conditions}
        self._set_status(component, status)
        # Only with as many as it says is it let alone; the one effect that is shown here is on the ConfigMap.
        is_over = is_good and not (name == "rbd-gateway" and ready > wanted and settings.writes_gateway_config)
        if is_over:
            self._settled[name] = component["metadata"]["generation"]

    def _set_status(self, component: Object, status: Object) -> None:
        kind = self._store.kind("rainbond.io", "rbdcomponents")
        self._store.set_status(kind, NAMESPACE, component["metadata"]["name"], status)

    # --- secrets and the job ---------------------------------------------------------------------------------

    def _make_secrets(self, name: str, component: Object, settings: Settings) -> None:
        if name == "rbd-db":
            self._secret_once("rbd-db", component, {"mysql-user": "root", "mysql-password": self._word("database")})
        elif name == "rbd-hub" and settings.has_own_hub:
            authority = self._authority("hub", BUILTIN_HUB)
            pair = authority.server(BUILTIN_HUB, [], [BUILTIN_HUB])
            self._secret_once("hub-image-repository", component, {"tls.crt": pair.certificate, "tls.key": pair.key})
            self._secret_once("hub-password", component, {"HTPASSWD": "simulated", "password": ""})
        elif name == "rbd-api" and settings.cluster.get("suffixHTTPHost"):
            self._make_region_secrets(component, settings)

    @property
    def _born_at(self) -> float:
        return min((node.created_at for node in self._cluster.nodes.values()), default=0.0)

    def _authority(self, label: str, name: str) -> Authority:
        days = _CERTIFICATES_LAST_DAYS
        return Authority(self._word(label), name, self._born_at, ca_days=days, leaf_days=days)

    def _word(self, purpose: str) -> str:
        """A password or seed of this cluster: from the UID of kube-system, as the real one has it."""
        found = self._store.get(self._store.kind("", "namespaces"), "", "kube-system")
        return hashlib.sha256(f"{found['metadata']['uid']} {purpose}".encode()).hexdigest()[:16]

    def _secret_once(self, name: str, component: Object, words: dict[str, str]) -> bool:
        kind = self._store.kind("", "secrets")
        if self._store.find(kind, NAMESPACE, name) is not None:
            return False
        metadata = {"name": name, "ownerReferences": owner_of(component)}
        self._store.create(kind, NAMESPACE, {"metadata": metadata, "stringData": words})
        return True

    def _make_region_secrets(self, component: Object, settings: Settings) -> None:
        """Certificates of the region's API for its addresses, made anew when those change."""
        addresses = [str(each) for each in settings.cluster.get("gatewayIngressIPs") or []]
        label = "-".join(addresses).replace(".", "_")
        secrets, maps = self._store.kind("", "secrets"), self._store.kind("", "configmaps")
        known = self._store.find(secrets, NAMESPACE, "rbd-api-server-cert")
        if known is not None and known["metadata"].get("labels", {}).get("availableips") == label:
            return
        authority = self._authority(label, "region")
        serving = authority.server("region-api", [IPv4Address(a) for a in addresses], ["rbd-api-api"])
        client = authority.client("region-client")
        for name, key, pair in (("rbd-api-server-cert", "server", serving), ("rbd-api-client-cert", "client", client)):
            words = {f"{key}.pem": pair.certificate, f"{key}.key.pem": pair.key, "ca.pem": authority.certificate}
            metadata = {"name": name, "labels": {"availableips": label}, "ownerReferences": owner_of(component)}
            if self._store.find(secrets, NAMESPACE, name) is not None:
                self._store.delete(secrets, NAMESPACE, name)
            self._store.create(secrets, NAMESPACE, {"metadata": metadata, "stringData": words})
        made = self._store.get(secrets, NAMESPACE, "rbd-api-client-cert")
        address = addresses[0] if addresses else ""
        config = {
            "metadata": {"name": "region-config", "ownerReferences": owner_of(component)},
            "data": {
                "apiAddress": f"https://{address}:8443",
                "websocketAddress": f"ws://{address}:6060",
                "defaultDomainSuffix": settings.cluster.get("suffixHTTPHost", ""),
                "defaultTCPHost": address,
            },
            "binaryData": dict(made["data"]),
        }
        if self._store.find(maps, NAMESPACE, "region-config") is None:
            self._store.create(maps, NAMESPACE, config)
        else:
            self._store.replace(maps, NAMESPACE, "region-config", config)

    def _make_hosts_job(self, component: Object, settings: Settings) -> None:
        """The job that writes the registry's name into the hosts file of every node."""
        kind = self._store.kind("batch", "jobs")
        if self._store.find(kind, NAMESPACE, "hosts-job") is not None or not settings.has_own_hub:
            return
        gateways = settings.cluster.get("nodesForGateway") or [{}]
        line = f"{gateways[0].get('internalIP', '')} {BUILTIN_HUB}"
        helper = "alpine:3" if settings.version >= (6, 7, 2) else "alpine:latest"
        image = f"{settings.cluster.get('rainbondImageRepository', 'goodrain')}/{helper}"
        container = {"name": "hosts-job", "image": image, "env": [{"name": "LINE", "value": line}]}
        template = {"metadata": {"labels": labels("rbd-hub")}, "spec": {"containers": [container]}}
        count = len(self._cluster.nodes)
        spec = {"completions": count, "parallelism": count, "backoffLimit": 0, "template": template}
        metadata = {"name": "hosts-job", "ownerReferences": owner_of(component)}
        job = {"metadata": metadata, "spec": spec | {"ttlSecondsAfterFinished": _JOB_TTL_S}}
        self._store.create(kind, NAMESPACE, job)
