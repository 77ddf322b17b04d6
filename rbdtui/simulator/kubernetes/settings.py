"""RKE2's configuration files as RKE2 reads them: an unknown key ends the program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import yaml

from rbdtui.simulator.machine import Machine

CONFIG_DIR: Final = "/etc/rancher/rke2"

_KNOWN_WORDS: Final = """
    token token-file agent-token agent-token-file server tls-san tls-san-security node-name with-node-id node-ip
    node-external-ip node-internal-dns node-external-dns advertise-address advertise-port bind-address cluster-cidr
    service-cidr cluster-dns cluster-domain service-node-port-range write-kubeconfig write-kubeconfig-mode
    write-kubeconfig-group data-dir debug system-default-registry private-registry embedded-registry cni disable
    disable-kube-proxy disable-cloud-controller disable-scheduler disable-apiserver disable-controller-manager
    disable-etcd disable-default-registry-endpoint egress-selector-mode node-label node-taint profile selinux
    resolv-conf kubelet-arg kubelet-path kube-proxy-arg kube-apiserver-arg kube-controller-manager-arg
    kube-cloud-controller-manager-arg kube-scheduler-arg etcd-arg etcd-expose-metrics etcd-disable-snapshots
    etcd-snapshot-name etcd-snapshot-schedule-cron etcd-snapshot-retention etcd-snapshot-dir etcd-s3 cluster-init
    cluster-reset cluster-reset-restore-path snapshotter container-runtime-endpoint protect-kernel-defaults
    enable-servicelb servicelb-namespace ingress-controller secrets-encryption image-credential-provider-config
    image-credential-provider-bin-dir lb-server-port enable-pprof audit-policy-file control-plane-resource-requests
    control-plane-resource-limits pod-security-admission-config-file kine-tls supervisor-metrics datastore-endpoint
    airgap-extra-registry default-local-storage-path
"""
KNOWN_KEYS: Final = frozenset(_KNOWN_WORDS.split())
"""Keys of the server's and the agent's reference pages."""

SAME_EVERYWHERE: Final = (
    "agent-token", "cluster-cidr", "cluster-dns", "cluster-domain", "disable-cloud-controller", "disable-kube-proxy",
    "egress-selector-mode", "service-cidr",
)  # fmt: skip
"""Settings in which all servers must agree."""


class SettingsError(Exception):
    """The configuration cannot be used; the words are RKE2's."""


def read_settings(machine: Machine) -> dict[str, object]:
    """All keys of config.yaml and config.yaml.d; raises `SettingsError`."""
    paths = [f"{CONFIG_DIR}/config.yaml"]
    more = f"{CONFIG_DIR}/config.yaml.d"
    if machine.files.is_dir(more):
        paths += [f"{more}/{name}" for name in machine.files.listdir(more) if name.endswith((".yaml", ".yml"))]
    settings: dict[str, object] = {}
    for path in paths:
        settings |= _mapping(path, machine.files.text(path))
    for key in settings:
        if key.removesuffix("+") not in KNOWN_KEYS:
            raise SettingsError(f"flag provided but not defined: -{key}")
    return settings


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
