"""What a spec names outside itself: secrets, keys, the bundle."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rbdtui.findings import Severity
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.references import bundle_directory, check_local, missing_secrets, secret_references
from rbdtui.spec.types import Section
from tests.spec.samples import changed, loaded_good

SECRETS = (
    (
        "  port: 22\n",
        "  password: secret:ssh\n  passphrase: secret:key\n  bastion: {address: a.b, password: secret:jump}\n",
    ),
    (
        "    address: 10.0.0.13\n",
        "    address: 10.0.0.13\n    ssh: {bastion: [{address: a.c, passphrase: secret:key}]}\n",
    ),
)


def test_every_reference_is_found_with_its_path() -> None:
    spec = loaded_good(*SECRETS).spec
    assert spec is not None
    assert list(secret_references(spec)) == [
        ("ssh.password", "ssh"),
        ("ssh.passphrase", "key"),
        ("ssh.sudo_password", "sudo"),
        ("ssh.bastion.password", "jump"),
        ("nodes[2].ssh.bastion[0].passphrase", "key"),
    ]


def test_a_section_with_a_password_needs_no_line_of_its_own() -> None:
    spec = loaded_good().spec
    assert spec is not None
    sections = {
        name: part for name, part in spec if isinstance(part, Section) and "password" in type(part).model_fields
    }
    assert {"ssh", "registry", "mysql"} <= sections.keys()
    known = {name: part.model_copy(update={"password": f"secret:of-{name}"}) for name, part in sections.items()}
    found = set(secret_references(spec.model_copy(update=known)))
    assert {(f"{name}.password", f"of-{name}") for name in sections} <= found


def test_missing_secrets_are_told_once_each_at_their_first_place() -> None:
    loaded = loaded_good(*SECRETS)
    assert loaded.spec is not None
    findings = missing_secrets(loaded.spec, {"ssh", "other"}, loaded.place)
    assert [(finding.params["secret"], finding.place.field) for finding in findings] == [
        ("key", "ssh.passphrase"),
        ("sudo", "ssh.sudo_password"),
        ("jump", "ssh.bastion.password"),
    ]
    assert all(finding.place.line > 0 for finding in findings)
    assert "rbdtui secret set SITE sudo" in str(findings[1].remedy)
    assert missing_secrets(loaded.spec, ["ssh", "key", "sudo", "jump"], loaded.place) == []


def local_codes(site: Path, *replacements: tuple[str, str]) -> list[tuple[str, str]]:
    loaded = loaded_good(*replacements)
    assert loaded.spec is not None
    findings = check_local(loaded.spec, site, loaded.place)
    for finding in findings:
        assert not str(finding.message).startswith("finding.")
        assert "{" not in f"{finding.message}{finding.remedy}"
    return [(finding.code, finding.place.field) for finding in findings]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "bundle").mkdir()
    return tmp_path


BUNDLE = ("/data/offline-packages", "bundle")


def test_a_private_key_and_a_bundle_are_fine(site: Path) -> None:
    key = site / "id"
    key.write_text("key", encoding="utf-8")
    key.chmod(0o600)
    assert local_codes(site, BUNDLE, ("port: 22", f"key: {key}")) == []


@pytest.mark.parametrize(
    ("name", "make", "code"),
    [
        ("none", lambda path: None, "RBD-LOCAL-001"),
        ("open", lambda path: (path.write_text("x"), path.chmod(0o644)), "RBD-LOCAL-003"),
        ("id.pub", lambda path: path.write_text("x"), "RBD-LOCAL-004"),
        ("dir", lambda path: path.mkdir(), "RBD-LOCAL-002"),
        ("loop", lambda path: path.symlink_to(path), "RBD-LOCAL-002"),
        ("pipe", lambda path: os.mkfifo(path, 0o600), "RBD-LOCAL-002"),
    ],
)
def test_keys_that_cannot_be_used(site: Path, name: str, make: object, code: str) -> None:
    assert callable(make)
    make(site / name)
    assert local_codes(site, BUNDLE, ("port: 22", f"key: {site / name}")) == [(code, "ssh.key")]


def test_a_key_is_judged_once_however_often_it_is_named(site: Path) -> None:
    nodes = ("    address: 10.0.0.13\n", f"    address: 10.0.0.13\n    ssh: {{key: {site}/none}}\n")
    assert local_codes(site, BUNDLE, ("port: 22", f"key: {site}/none"), nodes) == [("RBD-LOCAL-001", "ssh.key")]


def test_a_bundle_that_cannot_be_used(site: Path) -> None:
    (site / "file").write_text("x", encoding="utf-8")
    assert local_codes(site, ("/data/offline-packages", "none")) == [("RBD-LOCAL-005", "bundle")]
    assert local_codes(site, ("/data/offline-packages", "file")) == [("RBD-LOCAL-006", "bundle")]
    assert local_codes(site, ("/data/offline-packages", "~nobody-of-that-name/x")) == [("RBD-LOCAL-005", "bundle")]


def test_where_the_bundle_is(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    for written, expected in (("/data/x", "/data/x"), ("~/x", "/home/me/x"), ("x/y", f"{site}/x/y")):
        spec = loaded_good(("/data/offline-packages", written)).spec
        assert spec is not None
        assert str(bundle_directory(spec, site)) == expected


def test_others_may_read_is_a_warning_only(site: Path) -> None:
    (site / "id").write_text("x", encoding="utf-8")
    (site / "id").chmod(0o640)
    loaded = loaded_good(BUNDLE, ("port: 22", f"key: {site}/id"))
    assert loaded.spec is not None
    (finding,) = check_local(loaded.spec, site, loaded.place)
    assert finding.severity is Severity.WARNING
    assert "0640" in str(finding.message)


@pytest.mark.parametrize(
    ("make", "field", "expected"),
    [
        (lambda path: None, "etcd.ca", "RBD-LOCAL-009"),
        (lambda path: path.mkdir(), "etcd.cert", "RBD-LOCAL-010"),
        (lambda path: os.mkfifo(path, 0o600), "etcd.ca", "RBD-LOCAL-010"),
        (lambda path: path.symlink_to(path), "etcd.key", "RBD-LOCAL-010"),
        (lambda path: (path.write_text("x"), path.chmod(0o644)), "etcd.key", "RBD-LOCAL-003"),
        (lambda path: (path.write_text("x"), path.chmod(0o644)), "etcd.cert", ""),
    ],
)
def test_files_that_services_are_met_with_can_be_read(
    tmp_path: Path, make: Callable[[Path], object], field: str, expected: str
) -> None:
    for name in ("ca", "cert", "key"):
        if field == f"etcd.{name}":
            make(tmp_path / name)
        else:
            (tmp_path / name).write_text("x")
            (tmp_path / name).chmod(0o600)
    files = ", ".join(f"{name}: {tmp_path}/{name}" for name in ("ca", "cert", "key"))
    text = changed(
        ("profile: kubernetes-only", "profile: rainbond-5.17"),
        ("bundle: /data/offline-packages", f"bundle: {tmp_path}"),
    )
    loaded = parse_spec(text + f'etcd: {{mode: external, endpoints: ["a:2379"], {files}}}\n')
    assert loaded.spec is not None, loaded.findings
    findings = check_local(loaded.spec, tmp_path, loaded.place)
    assert [(each.code, each.place.field) for each in findings] == ([(expected, field)] if expected else [])
