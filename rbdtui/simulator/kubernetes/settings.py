"""RKE2's configuration files as RKE2 reads them: a key that its kind does not know is skipped with a warning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import yaml

from rbdtui.simulator.machine import Machine

CONFIG_DIR: Final = "/etc/rancher/rke2"

_SERVER_WORDS: Final = """
    token token-file agent-token agent-token-file server tls-san tls-san-security advertise-address advertise-port
    bind-address cluster-cidr service-cidr cluster-dns cluster-domain service-node-port-range write-kubeconfig
    write-kubeconfig-mode write-kubeconfig-group embedded-registry cni disable disable-kube-proxy
    disable-cloud-controller disable-scheduler disable-apiserver disable-controller-manager disable-etcd
    egress-selector-mode kube-apiserver-arg kube-controller-manager-arg kube-cloud-controller-manager-arg
    kube-scheduler-arg etcd-arg etcd-expose-metrics etcd-disable-snapshots etcd-snapshot-name
    etcd-snapshot-schedule-cron etcd-snapshot-retention etcd-snapshot-dir etcd-s3 cluster-init cluster-reset
    cluster-reset-restore-path enable-servicelb servicelb-namespace ingress-controller secrets-encryption
    pod-security-admission-config-file kine-tls supervisor-metrics datastore-endpoint default-local-storage-path
    kube-apiserver-image kube-controller-manager-image kube-scheduler-image etcd-image
"""
_AGENT_WORDS: Final = """
    token token-file server node-name with-node-id node-ip node-external-ip node-internal-dns node-external-dns data-dir
    debug system-default-registry private-registry disable-default-registry-endpoint node-label node-taint profile
    selinux resolv-conf kubelet-arg kubelet-path kube-proxy-arg kube-proxy-image pause-image runtime-image snapshotter
    container-runtime-endpoint protect-kernel-defaults image-credential-provider-config
    image-credential-provider-bin-dir lb-server-port enable-pprof audit-policy-file control-plane-resource-requests
    control-plane-resource-limits airgap-extra-registry default-runtime bind-address cloud-provider-name
    cloud-provider-config pod-security-admission-config-file
"""
AGENT_KEYS: Final = frozenset(_AGENT_WORDS.split())
"""Keys of the agent's reference page."""
SERVER_KEYS: Final = AGENT_KEYS | frozenset(_SERVER_WORDS.split())
"""Keys of the server's: it is an agent too."""

SAME_EVERYWHERE: Final = (
    "cluster-cidr", "cluster-dns", "cluster-domain", "disable-cloud-controller", "egress-selector-mode",
    "embedded-registry", "enable-servicelb", "secrets-encryption", "service-cidr", "supervisor-metrics",
)  # fmt: skip
"""Settings in which all servers must agree (k3s-io/k3s, pkg/daemons/config/types.go, CriticalControlArgs)."""


class SettingsError(Exception):
    """The configuration cannot be used; the words are RKE2's."""


def read_settings(machine: Machine, *, server: bool) -> tuple[dict[str, object], list[str]]:
    """All keys of config.yaml and config.yaml.d that RKE2 takes, and those that it skips; raises `SettingsError`."""
    paths = [f"{CONFIG_DIR}/config.yaml"]
    more = f"{CONFIG_DIR}/config.yaml.d"
    if machine.files.is_dir(more):
        paths += [f"{more}/{name}" for name in machine.files.listdir(more) if name.endswith((".yaml", ".yml"))]
    settings: dict[str, object] = {}
    for path in paths:
        settings |= _mapping(path, machine.files.text(path))
    known = SERVER_KEYS if server else AGENT_KEYS
    skipped = [key for key in settings if key.removesuffix("+") not in known]
    return {key: value for key, value in settings.items() if key not in skipped}, skipped


def _mapping(path: str, text: str) -> Mapping[str, object]:
    try:
        data = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(data, Mapping):
        raise SettingsError(f"{path}: yaml: unmarshal errors: cannot unmarshal into a map")
    return {str(key): value for key, value in data.items()}


def words(settings: Mapping[str, object], key: str) -> list[str]:
    """A setting that may be a list or a text with commas."""
    value = settings.get(key)
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else str(value).split(",")


def text(settings: Mapping[str, object], key: str, otherwise: str = "") -> str:
    """A setting that is one word."""
    value = settings.get(key)
    return otherwise if value is None else str(value)


def switch(settings: Mapping[str, object], key: str) -> bool:
    """A setting that is on or off."""
    return text(settings, key).lower() in {"true", "1"}
