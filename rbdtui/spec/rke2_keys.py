"""The keys of RKE2's config.yaml: which exist, which belong to K3s, and which of them a site cannot change.

RKE2 skips a key that it does not know with nothing but a warning in its journal (k3s-io/k3s, pkg/configfilearg), so a
misspelt one has to be found before. Source of the lists: rancher/rke2, pkg/cli/cmds/{server,agent,root}.go, the last
release of each of 1.28 to 1.36 taken together.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

_KNOWN: Final = """
    advertise-address agent-token agent-token-file airgap-extra-registry audit-policy-file bind-address
    cloud-controller-manager-extra-env cloud-controller-manager-extra-mount cloud-controller-manager-image
    cloud-provider-config cloud-provider-name cluster-cidr cluster-dns cluster-domain cluster-reset
    cluster-reset-restore-path cni container-runtime-endpoint control-plane-probe-configuration
    control-plane-resource-limits control-plane-resource-requests data-dir datastore-cafile datastore-certfile
    datastore-endpoint datastore-keyfile debug default-runtime disable disable-agent disable-apiserver
    disable-cloud-controller disable-controller-manager disable-default-registry-endpoint disable-etcd
    disable-kube-proxy disable-scheduler egress-selector-mode embedded-registry enable-pprof enable-servicelb
    etcd-arg etcd-disable-snapshots etcd-expose-metrics etcd-extra-env etcd-extra-mount etcd-image etcd-s3
    etcd-s3-access-key etcd-s3-bucket etcd-s3-bucket-lookup-type etcd-s3-config-secret etcd-s3-endpoint
    etcd-s3-endpoint-ca etcd-s3-folder etcd-s3-insecure etcd-s3-proxy etcd-s3-region etcd-s3-retention
    etcd-s3-secret-key etcd-s3-session-token etcd-s3-skip-ssl-verify etcd-s3-timeout etcd-snapshot-compress
    etcd-snapshot-dir etcd-snapshot-name etcd-snapshot-reconcile-interval etcd-snapshot-retention
    etcd-snapshot-schedule-cron helm-controller-arg helm-job-image image-credential-provider-bin-dir
    image-credential-provider-config ingress-controller kube-apiserver-arg kube-apiserver-extra-env
    kube-apiserver-extra-mount kube-apiserver-image kube-cloud-controller-manager-arg
    kube-controller-manager-arg kube-controller-manager-extra-env kube-controller-manager-extra-mount
    kube-controller-manager-image kube-proxy-arg kube-proxy-extra-env kube-proxy-extra-mount kube-proxy-image
    kube-scheduler-arg kube-scheduler-extra-env kube-scheduler-extra-mount kube-scheduler-image kubelet-arg
    kubelet-path lb-server-port multi-cluster-cidr node-external-dns node-external-ip node-internal-dns node-ip
    node-label node-name node-name-from-cloud-provider-metadata node-taint nonroot-devices pause-image
    pod-security-admission-config-file private-registry profile protect-kernel-defaults resolv-conf
    runtime-image secrets-encryption secrets-encryption-provider selinux server service-cidr
    service-node-port-range servicelb-namespace snapshotter supervisor-metrics system-default-registry tls-san
    tls-san-security token token-file with-node-id write-kubeconfig write-kubeconfig-group write-kubeconfig-mode
"""
KNOWN: Final = frozenset(_KNOWN.split())
_K3S_ONLY: Final = """
    advertise-port apiserver-bind-address apiserver-port cluster-init default-local-storage-path
    disable-apiserver-lb disable-helm-controller disable-network-policy docker flannel-backend flannel-cni-conf
    flannel-conf flannel-external-ip flannel-iface flannel-ipv6-masq https-listen-port image-service-endpoint
    kine-tls kube-cloud-controller-arg kube-controller-arg prefer-bundled-bin rootless supervisor-port vpn-auth
    vpn-auth-file
"""
K3S_ONLY: Final = frozenset(_K3S_ONLY.split())
"""Keys of K3s that RKE2 drops."""
_WRITTEN_BY_US: Final = """
    cluster-cidr disable-apiserver disable-controller-manager disable-etcd disable-scheduler node-ip node-name
    server service-cidr
"""
WRITTEN_BY_US: Final = frozenset(_WRITTEN_BY_US.split())
"""Keys that follow from the rest of the spec."""
REFUSED: Final = {
    "advertise-address": "addresses",
    "bind-address": "addresses",
    "cluster-reset": "reset",
    "cluster-reset-restore-path": "reset",
    "container-runtime-endpoint": "runtime",
    "data-dir": "paths",
    "datastore-cafile": "datastore",
    "datastore-certfile": "datastore",
    "datastore-endpoint": "datastore",
    "datastore-keyfile": "datastore",
    "disable-agent": "agent",
    "lb-server-port": "addresses",
    "node-name-from-cloud-provider-metadata": "names",
    "with-node-id": "names",
    "write-kubeconfig": "paths",
}
"""Keys that take away what rbdtui relies on, with the word for the reason: ``setting.refused.*``."""
NOT_SECRET: Final = frozenset({"etcd-s3-config-secret", "secrets-encryption", "secrets-encryption-provider"})
"""Keys with a word of secrecy in their name whose values are none."""
PROFILES: Final = frozenset({"cis", "cis-1.23", "etcd"})
"""Values of ``profile``: all versions know ``cis``, early ones ``cis-1.23``, late ones ``etcd``."""


def words_of(value: str | int | bool | list[str] | None) -> list[str]:
    """The words of a setting that is a list, or a text with commas."""
    if value is None:
        return []
    items = value if isinstance(value, list) else [str(value)]
    return [word.strip() for item in items for word in str(item).split(",") if word.strip()]


def base_key(key: str) -> str:
    """A key without the ``+`` that joins its list with that of an earlier file."""
    return key.removesuffix("+")


def nearest(key: str) -> str:
    """The key of RKE2 that an unknown one most resembles; '' when none does."""
    found = get_close_matches(base_key(key).lower().replace("_", "-"), sorted(KNOWN), n=1, cutoff=0.8)
    return found[0] if found else ""
