"""The certificates of a cluster's own etcd: the script on made-up hosts, and what its answers give rise to."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from rbdtui.checks.services.etcd_reuse import CHECK, ReuseAnswer, ReuseQuestion, read_certificates
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.profiles import RAINBOND_6, profile_named
from rbdtui.transport.answers import parse_answer
from rbdtui.transport.base import RemoteAnswerError
from rbdtui.transport.scripts import script
from tests.checks.support import place, spec_of
from tests.lab.servers.certificates import CertificateAuthority, Pair

LAYOUTS = {
    "rke2": ("var/lib/rancher/rke2/server/tls/etcd", "server-ca.crt", "client.crt", "client.key"),
    "rke1": ("etc/kubernetes/ssl", "kube-ca.pem", "kube-node.pem", "kube-node-key.pem"),
    "kubeadm": ("etc/kubernetes/pki/etcd", "ca.crt", "healthcheck-client.crt", "healthcheck-client.key"),
}
LAB = CertificateAuthority()
PAIR = LAB.issue()
V5 = profile_named("rainbond-5.17")
assert V5 is not None
SPEC = spec_of(profile=V5)

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="NOT TESTED: openssl is missing")


def host(root: Path, layout: str, pair: Pair = PAIR, key: bytes = b"") -> Path:
    directory, ca, cert, key_name = LAYOUTS[layout]
    (root / directory).mkdir(parents=True)
    (root / directory / ca).write_bytes(LAB.pem)
    (root / directory / cert).write_bytes(pair.cert_pem)
    (root / directory / key_name).write_bytes(key or pair.key_pem)
    return root / directory


def looked(root: Path, path: str = "/usr/sbin:/usr/bin:/sbin:/bin") -> ReuseAnswer:
    command = ["/bin/sh", "-c", script("etcd-certificates").text, "rbdtui/etcd-certificates", str(root)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=30, check=True, env={"PATH": path}, stdin=subprocess.DEVNULL
    )
    assert b"PRIVATE KEY" not in done.stdout.encode()
    return read_certificates(done.stdout)


def judged(**answers: ReuseAnswer) -> list[Finding]:
    return list(CHECK.judge(ReuseQuestion(), answers, ClusterView(SPEC, {}, place, SPEC.profile.limits)))


@needs_openssl
@pytest.mark.parametrize("layout", LAYOUTS)
def test_certificates_are_found_by_each_layout(tmp_path: Path, layout: str) -> None:
    host(tmp_path, layout)
    answer = looked(tmp_path)
    assert (answer.layout, answer.absent, answer.flaws) == (layout, (), ())
    assert answer.paths == tuple(f"/{LAYOUTS[layout][0]}/{name}" for name in LAYOUTS[layout][1:])
    (finding,) = judged(node1=answer, node2=answer)
    assert (finding.code, finding.severity, finding.params["hosts"]) == ("RBD-ETCD-132", Severity.INFO, "node1, node2")
    for word in ("rbd-etcd-secret", "rbd-system", "ca-file", "cert-file", "key-file"):
        assert word in str(finding.message)


def test_a_host_without_kubernetes_has_nothing_to_tell(tmp_path: Path) -> None:
    assert looked(tmp_path) == ReuseAnswer()
    assert judged(node1=ReuseAnswer()) == []


@needs_openssl
@pytest.mark.parametrize("passphrase", [b"", b"a passphrase"], ids=["another key", "encrypted key"])
def test_a_key_that_does_not_fit_is_told_with_its_node(tmp_path: Path, passphrase: bytes) -> None:
    key = PAIR.key_bytes(passphrase=passphrase) if passphrase else LAB.issue().key_pem
    host(tmp_path, "rke2", key=key)
    findings = judged(node2=looked(tmp_path))
    assert [each.code for each in findings] == ["RBD-ETCD-124"]
    assert "node2:/var/lib/rancher" in str(findings[0].message)


def test_what_is_missing_and_what_expired_is_told(tmp_path: Path) -> None:
    directory = host(tmp_path / "a", "rke2")
    (directory / "client.crt").unlink()
    (directory / "client.key").write_bytes(b"")
    (finding,) = judged(node1=looked(tmp_path / "a"))
    assert finding.code == "RBD-ETCD-131"
    assert "client.crt" in str(finding.message)
    assert "client.key" in str(finding.message)
    host(tmp_path / "b", "rke1", LAB.issue(days=(-9, -1)))
    assert [each.code for each in judged(node1=looked(tmp_path / "b"))] == ["RBD-ETCD-126"]


def test_only_a_plan_that_uses_it_asks() -> None:
    assert CHECK.question(SPEC) == ReuseQuestion()
    assert CHECK.question(spec_of(profile=RAINBOND_6)) is None
    assert CHECK.hosts(SPEC) == ["node1", "node2", "node3"]


@pytest.mark.parametrize(
    "text", ["nonsense", "layout rke2\n", "layout rke2 a b c\nca %%%\n", "layout rke2 a b c\ncert\n"]
)
def test_an_answer_that_is_none_is_the_hosts_own_fault(text: str) -> None:
    with pytest.raises(RemoteAnswerError):
        parse_answer("node1", "etcd-certificates", lambda: read_certificates(text))
