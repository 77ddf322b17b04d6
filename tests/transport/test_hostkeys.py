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


def hashed(tmp_path: Path, line: str) -> str:
    """The line as ``ssh-keygen -H`` hides its host."""
    other = tmp_path / "hashed"
    other.write_text(line)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(other)], check=True, capture_output=True)
    assert "10.0.0.1" not in other.read_text()
    return other.read_text()


FORMS = {
    "plain": "10.0.0.1 {key}\n",
    "with a comment": "10.0.0.1 {key} root@n1\n",
    "in a list": "n1,10.0.0.1 {key}\n",
    "last of a long list": "n1,n1.example.com,10.0.0.7,10.0.0.1 {key}\n",
    "by a star": "10.0.0.* {key}\n",
    "by question marks": "10.0.0.? {key}\n",
    "by everything": "* {key}\n",
    "by a list of patterns": "!10.0.0.9,10.0.0.* {key}\n",
    "by a network": "10.0.0.0/24 {key}\n",
    "twice": "10.0.0.1 {key}\nn1,10.0.0.1 {key}\n",
    "after blanks": "   10.0.0.1   {key}\n",
}


@pytest.mark.parametrize("hide", [False, True], ids=["readable", "hashed"])
@pytest.mark.parametrize("form", FORMS)
def test_no_old_key_stays_trusted_however_the_file_names_the_host(file: Path, form: str, hide: bool) -> None:
    line = FORMS[form].format(key=public_text(OTHER))
    if hide and not any(sign in line for sign in "*?!/"):
        line = hashed(file.parent, line)
    file.write_text(line)
    known = KnownHosts(file)
    assert set(prints(known.pinned_keys("10.0.0.1", 22))) == {fingerprint(OTHER)}
    known.pin([seen(ED25519)])
    assert prints(known.pinned_keys("10.0.0.1", 22)) == prints([ED25519])
    file.write_text(line)
    assert known.forget("10.0.0.1", 22)
    assert known.pinned_keys("10.0.0.1", 22) == []


@pytest.mark.parametrize("form", ["[10.0.0.1]:2222 {key}\n", "n1,[10.0.0.1]:2222 {key}\n", "[10.0.0.1]:* {key}\n"])
def test_a_port_of_its_own_counts_in_every_form_and_leaves_the_common_one_alone(file: Path, form: str) -> None:
    file.write_text(f"10.0.0.1 {public_text(RSA)}\n" + form.format(key=public_text(OTHER)))
    known = KnownHosts(file)
    known.pin([seen(ED25519, port=2222)])
    assert prints(known.pinned_keys("10.0.0.1", 2222)) == prints([ED25519])
    assert prints(known.pinned_keys("10.0.0.1", 22)) == prints([RSA])


def test_what_openssh_takes_out_goes_here_too_and_what_it_leaves_stays(file: Path) -> None:
    key = public_text(OTHER)
    lines = ["# mine\n", f"n1,10.0.0.1 {key}\n", f"@revoked 10.0.0.1 {key}\n", f"@cert-authority * {key}\n"]
    lines += [f"!10.0.0.1,10.0.0.* {key}\n", f"10.0.0.2 {key}\n", f"10.0.0.* {key}\n", hashed(file.parent, lines[1])]
    theirs = file.parent / "theirs"
    theirs.write_text("".join(lines))
    file.write_text("".join(lines))
    subprocess.run(["ssh-keygen", "-R", "10.0.0.1", "-f", str(theirs)], check=True, capture_output=True)
    KnownHosts(file).forget("10.0.0.1", 22)
    assert file.read_text() == theirs.read_text()


def test_a_line_that_cannot_be_understood_is_named_and_nothing_is_written(file: Path) -> None:
    before = f"10.0.0.1 {public_text(OTHER)}\n@strange 10.0.0.1 {public_text(OTHER)}\n"
    file.write_text(before)
    with pytest.raises(HostKeyFileError, match="known_hosts:2:"):
        KnownHosts(file).pin([seen(ED25519)])
    with pytest.raises(HostKeyFileError, match="known_hosts:2:"):
        KnownHosts(file).forget("10.0.0.1", 22)
    assert file.read_text() == before


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
