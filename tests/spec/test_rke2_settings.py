"""Settings of RKE2 in a plan: which are let through, and why others are not."""

from __future__ import annotations

import pytest

from tests.spec.samples import assert_found, by_code, changed, codes

RAINBOND = ("profile: kubernetes-only\n", "profile: rainbond-6\n")
CASES = [
    ("RBD-API-020", "error", [("{mode: vip}", "{}\n  settings: {node-ip: x}")], "kubernetes.settings.node-ip", ""),
    ("RBD-API-021", "error", [("{mode: vip}", "{}\n  settings: {token: x}")], "kubernetes.settings.token", ""),
    ("RBD-API-020", "error", [("{mode: vip}", "{}\n  settings: {server: x}")], "kubernetes.settings.server", ""),
    (
        "RBD-API-021",
        "error",
        [("{mode: vip}", "{}\n  settings: {etcd-s3-proxy: http://u:pw@10.0.0.9}")],
        "kubernetes.settings.etcd-s3-proxy",
        "",
    ),
    (
        "RBD-API-021",
        "error",
        [("{mode: vip}", "{}\n  settings: {datastore-endpoint: mysql://u:pw@tcp(10.0.0.9)/k}")],
        "kubernetes.settings.datastore-endpoint",
        "",
    ),
    (
        "RBD-API-022",
        "error",
        [("{mode: vip}", "{}\n  settings: {data-dir: /data/rke2}")],
        "kubernetes.settings.data-dir",
        "",
    ),
    (
        "RBD-API-022",
        "error",
        [("{mode: vip}", "{}\n  settings: {with-node-id: true}")],
        "kubernetes.settings.with-node-id",
        "",
    ),
    (
        "RBD-API-022",
        "error",
        [("{mode: vip}", "{}\n  settings: {disable-agent: true}")],
        "kubernetes.settings.disable-agent",
        "",
    ),
    (
        "RBD-API-022",
        "error",
        [("{mode: vip}", "{}\n  settings: {cluster-reset: true}")],
        "kubernetes.settings.cluster-reset",
        "",
    ),
    (
        "RBD-API-022",
        "error",
        [("{mode: vip}", "{}\n  settings: {cluster-reset-restore-path: /s}")],
        "kubernetes.settings.cluster-reset-restore-path",
        "",
    ),
    (
        "RBD-API-022",
        "error",
        [("{mode: vip}", "{}\n  settings: {datastore-endpoint: etcd://10.0.0.9}")],
        "kubernetes.settings.datastore-endpoint",
        "",
    ),
    (
        "RBD-API-022",
        "error",
        [("{mode: vip}", "{}\n  settings: {write-kubeconfig: /root/k}")],
        "kubernetes.settings.write-kubeconfig",
        "",
    ),
    (
        "RBD-API-022",
        "error",
        [("{mode: vip}", "{}\n  settings: {bind-address: 10.0.0.11}")],
        "kubernetes.settings.bind-address",
        "",
    ),
    (
        "RBD-API-022",
        "error",
        [("{mode: vip}", "{}\n  settings: {advertise-address: 10.0.0.11}")],
        "kubernetes.settings.advertise-address",
        "",
    ),
    (
        "RBD-API-022",
        "error",
        [("{mode: vip}", "{}\n  settings: {lb-server-port: 7444}")],
        "kubernetes.settings.lb-server-port",
        "",
    ),
    (
        "RBD-API-022",
        "error",
        [("{mode: vip}", "{}\n  settings: {container-runtime-endpoint: /run/c.sock}")],
        "kubernetes.settings.container-runtime-endpoint",
        "",
    ),
    (
        "RBD-API-023",
        "error",
        [("{mode: vip}", "{}\n  settings: {kubelet-args: [v=2]}")],
        "kubernetes.settings.kubelet-args",
        "",
    ),
    (
        "RBD-API-023",
        "error",
        [("{mode: vip}", "{}\n  settings: {node_label: [a=b]}")],
        "kubernetes.settings.node_label",
        "",
    ),
    (
        "RBD-API-023",
        "error",
        [("{mode: vip}", "{}\n  settings: {disable-kubeproxy: true}")],
        "kubernetes.settings.disable-kubeproxy",
        "",
    ),
    (
        "RBD-API-024",
        "warning",
        [("{mode: vip}", "{}\n  settings: {quite-another: 1}")],
        "kubernetes.settings.quite-another",
        "",
    ),
    (
        "RBD-API-025",
        "error",
        [("{mode: vip}", "{}\n  settings: {flannel-iface: eth1}")],
        "kubernetes.settings.flannel-iface",
        "",
    ),
    (
        "RBD-API-025",
        "error",
        [("{mode: vip}", "{}\n  settings: {advertise-port: 7443}")],
        "kubernetes.settings.advertise-port",
        "",
    ),
    (
        "RBD-API-026",
        "error",
        [("{mode: vip}", "{}\n  settings: {disable: [rke2-canal]}")],
        "kubernetes.settings.disable",
        "",
    ),
    ("RBD-API-027", "error", [("{mode: vip}", "{}\n  settings: {profile: cis-2}")], "kubernetes.settings.profile", ""),
    ("RBD-API-030", "warning", [("{mode: vip}", "{}\n  settings: {profile: cis}")], "kubernetes.settings.profile", ""),
    (
        "RBD-API-028",
        "error",
        [("{mode: vip}", "{}\n  settings: {disable-kube-proxy: true}")],
        "kubernetes.settings.disable-kube-proxy",
        "",
    ),
    (
        "RBD-API-029",
        "error",
        [("{mode: vip}", "{}\n  settings: {cluster-dns: 10.96.0.10}")],
        "kubernetes.settings.cluster-dns",
        "",
    ),
    (
        "RBD-API-029",
        "error",
        [("{mode: vip}", "{}\n  settings: {cluster-dns: fd00::10}")],
        "kubernetes.settings.cluster-dns",
        "",
    ),
]


@pytest.mark.parametrize(
    ("code", "severity", "replacements", "field", "node"),
    CASES,
    ids=[f"{row[0]}-{row[3].rpartition('.')[2]}" for row in CASES],
)
def test_a_setting_that_breaks_something_is_found_at_its_place(
    code: str, severity: str, replacements: list[tuple[str, str]], field: str, node: str
) -> None:
    assert_found(code, severity, replacements, field, node)


@pytest.mark.parametrize(
    "setting",
    [
        pytest.param("kubelet-arg: [max-pods=200]", id="known"),
        pytest.param("kubelet-arg+: [max-pods=200]", id="joined with a file before"),
        pytest.param("etcd-s3-retention: 5", id="of 1.31 and later"),
        pytest.param("helm-controller-arg: [x=y]", id="of 1.34 and later"),
        pytest.param("secrets-encryption: true", id="a name with secret in it"),
        pytest.param("etcd-s3-config-secret: backup", id="the name of a secret"),
        pytest.param("kube-apiserver-extra-mount: [/a:/b]", id="a composed name"),
        pytest.param("cluster-dns: 10.43.0.53", id="a DNS of the services"),
        pytest.param("disable: [rke2-metrics-server]", id="a part that is not needed"),
        pytest.param("{cni: cilium, disable-kube-proxy: true}", id="cilium instead of kube-proxy"),
        pytest.param("{cni: cilium, disable: [rke2-canal]}", id="another network"),
        pytest.param("system-default-registry: hub.corp:5000/a@b", id="no password in it"),
    ],
)
def test_a_setting_that_rke2_knows_is_let_through(setting: str) -> None:
    written = setting if setting.startswith("{") else f"{{{setting}}}"
    assert codes(changed(("{mode: vip}", f"{{}}\n  settings: {written}"))) == []


def test_a_registry_file_elsewhere_is_refused_with_rainbond_only() -> None:
    elsewhere = ("{mode: vip}", "{}\n  settings: {private-registry: /etc/hubs.yaml}")
    assert codes(changed(elsewhere)) == []
    assert "RBD-API-022" in codes(changed(RAINBOND, elsewhere))


def test_the_refusal_of_a_setting_says_why_and_the_misspelt_one_what_is_meant() -> None:
    (reset,) = by_code(changed(("{mode: vip}", "{}\n  settings: {cluster-reset: true}")), "RBD-API-022")
    assert "all etcd members but one" in str(reset.message)
    (misspelt,) = by_code(changed(("{mode: vip}", "{}\n  settings: {node-tain: [a]}")), "RBD-API-023")
    assert "`node-taint`" in str(misspelt.message)


def test_settings_for_the_controller_manager_lift_the_limit_of_the_pod_network() -> None:
    narrow = ("10.42.0.0/16", "10.42.0.0/24")
    assert "RBD-CIDR-008" in codes(changed(narrow))
    argument = '{}\n  settings: {kube-controller-manager-arg: ["node-cidr-mask-size=26"]}'
    assert "RBD-CIDR-008" not in codes(changed(narrow, ("{mode: vip}", argument)))
