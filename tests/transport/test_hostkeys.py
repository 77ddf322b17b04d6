"""Pinned host keys: a file of OpenSSH's form that may be edited by hand, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import asyncssh
import pytest

from rbdtui.transport.base import HostKeyFileError
from rbdtui.transport.hostkeys import (
    KnownHosts,
    SeenHostKey,
    fingerprint,
    public_text,
    signature_algorithms,
)

ED25519 = asyncssh.generate_private_key("ssh-ed25519")
OTHER = asyncssh.generate_private_key("ssh-ed25519")
ECDSA = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
RSA = asyncssh.generate_private_key("ssh-rsa", key_size=2048)


def seen(key: asyncssh.SSHKey, address: str = "10.0.0.1", port: int = 22) -> SeenHostKey:
    return SeenHostKey("n1", address, port, key.get_algorithm(), fingerprint(key), public_text(key))


def prints(keys: list[asyncssh.SSHKey]) -> list[str]:
    return [fingerprint(key) for key in keys]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


def test_nothing_is_pinned_without_a_file(file: Path) -> None:
    assert KnownHosts(file).pinned_keys("10.0.0.1", 22) == []


def test_what_is_pinned_is_found_again_by_address_and_port(file: Path) -> None:
    KnownHosts(file).pin([seen(ED25519), seen(RSA), seen(OTHER, port=2222), seen(ECDSA, "10.0.0.2")])
    known = KnownHosts(file)
    assert prints(known.pinned_keys("10.0.0.1", 22)) == prints([ED25519, RSA])
    assert prints(known.pinned_keys("10.0.0.1", 2222)) == prints([OTHER])
    assert prints(known.pinned_keys("10.0.0.2", 22)) == prints([ECDSA])
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_the_file_and_the_fingerprint_are_those_of_openssh(file: Path) -> None:
    KnownHosts(file).pin([seen(ED25519, port=2222)])
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-F", "[10.0.0.1]:2222", "-f", str(file)], capture_output=True, text=True, check=True
    )
    assert fingerprint(ED25519) in shown.stdout


def test_pinning_again_replaces_all_that_the_host_had_and_nothing_else(file: Path) -> None:
    file.write_text(f"# mine\n\n10.0.0.9 {public_text(RSA)} comment\n")
    known = KnownHosts(file)
    known.pin([seen(ED25519), seen(RSA)])
    known.pin([seen(OTHER)])
    assert prints(known.pinned_keys("10.0.0.1", 22)) == prints([OTHER])
    assert file.read_text().startswith(f"# mine\n\n10.0.0.9 {public_text(RSA)} comment\n")


def test_forgetting_says_whether_there_was_something(file: Path) -> None:
    known = KnownHosts(file)
    known.pin([seen(ED25519), seen(RSA, port=2222)])
    assert known.forget("10.0.0.1", 22)
    assert not known.forget("10.0.0.1", 22)
    assert known.pinned_keys("10.0.0.1", 22) == []
    assert len(known.pinned_keys("10.0.0.1", 2222)) == 1


def test_another_programs_change_is_seen_at_once(file: Path) -> None:
    known = KnownHosts(file)
    known.pin([seen(ED25519)])
    known.pinned_keys("10.0.0.1", 22)
    KnownHosts(file).pin([seen(OTHER)])
    assert prints(known.pinned_keys("10.0.0.1", 22)) == prints([OTHER])
    file.unlink()
    assert known.pinned_keys("10.0.0.1", 22) == []


def test_hashed_names_shared_lines_and_revoked_keys_of_a_file_made_elsewhere_count(file: Path) -> None:
    file.write_text(f"10.0.0.1 {public_text(ED25519)}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    text = file.read_text()
    assert "10.0.0.1" not in text
    file.write_text(f"{text}10.0.0.2,10.0.0.3 {public_text(RSA)}\n@revoked 10.0.0.2 {public_text(OTHER)}\n")
    known = KnownHosts(file)
    assert prints(known.pinned_keys("10.0.0.1", 22)) == prints([ED25519])
    assert prints(known.pinned_keys("10.0.0.3", 22)) == prints([RSA])
    assert prints(known.revoked_keys("10.0.0.2", 22)) == prints([OTHER])


@pytest.mark.parametrize("content", [b"10.0.0.1\n", b"\xff\xfe\x00", b"@strange 10.0.0.1 ssh-rsa AAAA\n"])
def test_a_broken_file_is_an_error_and_trusts_nobody(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(HostKeyFileError) as caught:
        KnownHosts(file).pinned_keys("10.0.0.1", 22)
    assert str(file) in str(caught.value)


def test_only_the_pinned_types_are_asked_for_and_sha1_comes_last() -> None:
    assert signature_algorithms([RSA]) == ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"]
    assert signature_algorithms([ECDSA, RSA])[0] == "ecdsa-sha2-nistp256"
    every = signature_algorithms([])
    assert (every[0], every[-1]) == ("ssh-ed25519", "ssh-rsa")
