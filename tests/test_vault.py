"""The vault: what goes in comes out, nothing else does, and damage is told from a wrong passphrase."""

from __future__ import annotations

import base64
import hashlib
import json
import multiprocessing
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rbdtui.vault import (
    MAX_FILE_BYTES,
    MAX_VALUE_BYTES,
    Vault,
    VaultError,
    generate_token,
    generate_vrrp_password,
)
from rbdtui.words import LANGUAGES, say

PASSPHRASE = "correct horse 电池 staple"
QUICK = 2**14


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets.enc"


@pytest.fixture
def vault(path: Path) -> Vault:
    return Vault.create(path, PASSPHRASE, work=QUICK)


def kind_of(action: Callable[[], object]) -> str:
    with pytest.raises(VaultError) as caught:
        action()
    for language in LANGUAGES:
        assert not say(caught.value.text, language).startswith("vault."), "no sentence"
        assert "{" not in say(caught.value.text, language)
    return caught.value.kind


def rewrite(path: Path, change: Callable[[list[bytes]], None]) -> None:
    """Change the lines of the file and make its checksum fit, as an attacker would."""
    lines = path.read_bytes().split(b"\n")
    change(lines)
    lines[2] = hashlib.sha256(lines[0] + b"\n" + lines[1] + b"\n").hexdigest().encode()
    path.write_bytes(b"\n".join(lines))


def test_a_secret_survives_closing_and_opening(vault: Vault, path: Path) -> None:
    vault.set("sudo", "pa$$ 'wörd'\n二行\t")
    vault.set("a.b_c-1", "x")
    again = Vault.open(path, PASSPHRASE)
    assert again.get("sudo") == "pa$$ 'wörd'\n二行\t"
    assert again.names() == ["a.b_c-1", "sudo"]
    assert "sudo" in again
    again.forget("sudo")
    assert Vault.open(path, PASSPHRASE).names() == ["a.b_c-1"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(st.characters(), min_size=1, max_size=200))
def test_any_text_is_kept_as_it_is(vault: Vault, path: Path, value: str) -> None:
    vault.set("any", value)
    assert Vault.open(path, PASSPHRASE).get("any") == value


def test_bytes_that_were_no_utf8_on_stdin_are_kept(vault: Vault, path: Path) -> None:
    typed = b"caf\xe9".decode("utf-8", "surrogateescape")
    vault.set("gbk", typed)
    assert Vault.open(path, PASSPHRASE).get("gbk") == typed


def test_the_passphrase_means_the_same_however_it_was_composed(path: Path) -> None:
    Vault.create(path, "caf\u00e9", work=QUICK)
    assert Vault.open(path, "cafe\u0301").names() == []


def test_the_file_is_private_and_shows_nothing(vault: Vault, path: Path) -> None:
    os.umask(0o000)
    try:
        vault.set("sudo", "CANARY-value")
    finally:
        os.umask(0o022)
    content = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"CANARY" not in content
    assert b"CANARY" not in base64.b64decode(content.split(b"\n")[1])
    assert b"sudo" not in content
    assert "CANARY" not in repr(vault)
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["secrets.enc", "secrets.enc.lock"]


def test_the_same_secret_never_looks_the_same_twice(vault: Vault, path: Path) -> None:
    vault.set("sudo", "x")
    first = path.read_bytes().split(b"\n")[1]
    vault.set("sudo", "x")
    assert path.read_bytes().split(b"\n")[1] != first


@pytest.mark.parametrize("wrong", ["", "correct", PASSPHRASE + " ", PASSPHRASE.upper()])
def test_a_wrong_passphrase_is_told_as_such(vault: Vault, path: Path, wrong: str) -> None:
    vault.set("sudo", "x")
    assert kind_of(lambda: Vault.open(path, wrong)) == "wrong_passphrase"


def test_every_cut_is_damage_not_a_wrong_passphrase(vault: Vault, path: Path) -> None:
    vault.set("sudo", "x")
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert kind_of(lambda: Vault.open(path, PASSPHRASE)) == "damaged", length


def test_every_flipped_bit_is_noticed(vault: Vault, path: Path) -> None:
    vault.set("sudo", "x")
    content = path.read_bytes()
    for position in range(0, len(content), 3):
        changed = bytearray(content)
        changed[position] ^= 1
        path.write_bytes(changed)
        assert kind_of(lambda: Vault.open(path, PASSPHRASE)) in ("damaged", "newer", "unknown_parameters"), position


def test_a_forged_ciphertext_does_not_open(vault: Vault, path: Path) -> None:
    def change(lines: list[bytes]) -> None:
        sealed = bytearray(base64.b64decode(lines[1]))
        sealed[-1] ^= 1
        lines[1] = base64.b64encode(sealed)

    rewrite(path, change)
    assert kind_of(lambda: Vault.open(path, PASSPHRASE)) == "wrong_passphrase"


def test_the_header_is_authenticated(vault: Vault, path: Path) -> None:
    def change(lines: list[bytes]) -> None:
        lines[0] = json.dumps({**json.loads(lines[0]), "note": "added"}).encode()

    rewrite(path, change)
    assert kind_of(lambda: Vault.open(path, PASSPHRASE)) == "wrong_passphrase"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"version": 2}, "newer"),
        ({"version": 0}, "unknown_parameters"),
        ({"version": "1"}, "unknown_parameters"),
        ({"n": 2**30}, "unknown_parameters"),
        ({"n": 2**17 - 1}, "unknown_parameters"),
        ({"n": 2}, "unknown_parameters"),
        ({"n": "x"}, "unknown_parameters"),
        ({"n": 10**400}, "unknown_parameters"),
        ({"r": 1024}, "unknown_parameters"),
        ({"p": 1000}, "unknown_parameters"),
        ({"kdf": "none"}, "unknown_parameters"),
        ({"cipher": "rot13"}, "unknown_parameters"),
        ({"salt": ""}, "unknown_parameters"),
        ({"salt": "é"}, "damaged"),
        ({"salt": 5}, "unknown_parameters"),
        ({"format": "other"}, "damaged"),
    ],
)
def test_a_hostile_header_is_refused_before_any_work(
    vault: Vault, path: Path, fields: dict[str, object], kind: str
) -> None:
    def change(lines: list[bytes]) -> None:
        lines[0] = json.dumps({**json.loads(lines[0]), **fields}).encode()

    rewrite(path, change)
    assert kind_of(lambda: Vault.open(path, PASSPHRASE)) == kind


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "damaged"),
        (b"\n\n\n", "damaged"),
        (b"[" * 100_000, "damaged"),
        (b"\xff\xfe\x00", "damaged"),
        (b"hello\n", "damaged"),
        (b"x" * (MAX_FILE_BYTES + 1), "not_a_vault"),
    ],
)
def test_other_files_are_no_vaults(path: Path, content: bytes, kind: str) -> None:
    path.write_bytes(content)
    assert kind_of(lambda: Vault.open(path, PASSPHRASE)) == kind


def test_places_where_no_vault_can_be(tmp_path: Path, vault: Vault, path: Path) -> None:
    assert kind_of(lambda: Vault.open(tmp_path / "none", PASSPHRASE)) == "absent"
    assert kind_of(lambda: Vault.open(tmp_path, PASSPHRASE)) == "not_a_vault"
    assert kind_of(lambda: Vault.create(tmp_path / "no" / "such", PASSPHRASE, work=QUICK)) == "cannot_write"
    assert kind_of(lambda: Vault.create(path, PASSPHRASE, work=QUICK)) == "exists"
    assert kind_of(lambda: Vault.create(tmp_path / "new", "", work=QUICK)) == "no_passphrase"
    os.mkfifo(tmp_path / "pipe")
    assert kind_of(lambda: Vault.open(tmp_path / "pipe", PASSPHRASE)) == "not_a_vault"


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "secret:x", "a/b", "é", "a" * 64, "a\n"])
def test_bad_names_are_refused_and_not_repeated(vault: Vault, name: str) -> None:
    with pytest.raises(VaultError) as caught:
        vault.set(name, "x")
    assert caught.value.kind == "bad_name"
    assert not name or f"`{name}`" not in str(caught.value)


def test_values_that_cannot_be_meant(vault: Vault) -> None:
    assert kind_of(lambda: vault.set("a", "")) == "empty_value"
    assert kind_of(lambda: vault.set("a", "x" * (MAX_VALUE_BYTES + 1))) == "huge_value"
    assert kind_of(lambda: vault.get("a")) == "missing"
    assert kind_of(lambda: vault.forget("a")) == "missing"


def test_a_full_vault_stays_as_it_was(vault: Vault, path: Path) -> None:
    def fill() -> None:
        for number in range(20):
            vault.set(f"s{number}", "x" * MAX_VALUE_BYTES)

    assert kind_of(fill) == "full"
    kept = Vault.open(path, PASSPHRASE)
    assert kept.names() == vault.names()
    assert len(kept.names()) > 5


def test_a_failed_write_leaves_the_old_file(vault: Vault, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault.set("sudo", "old")

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    assert kind_of(lambda: vault.set("sudo", "new")) == "cannot_write"
    monkeypatch.undo()
    assert vault.get("sudo") == "old"
    assert Vault.open(path, PASSPHRASE).get("sudo") == "old"
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["secrets.enc", "secrets.enc.lock"]


def test_two_open_vaults_do_not_undo_each_other(vault: Vault, path: Path) -> None:
    other = Vault.open(path, PASSPHRASE)
    vault.set("a", "1")
    other.set("b", "2")
    assert other.names() == ["a", "b"]
    assert Vault.open(path, PASSPHRASE).names() == ["a", "b"]


def test_a_vault_that_was_replaced_is_not_overwritten(vault: Vault, path: Path) -> None:
    path.unlink()
    Vault.create(path, "another", work=QUICK).set("kept", "x")
    assert kind_of(lambda: vault.set("a", "1")) == "replaced"
    assert Vault.open(path, "another").names() == ["kept"]


def _write_many(path: str, prefix: str) -> None:
    vault = Vault.open(Path(path), PASSPHRASE)
    for number in range(8):
        vault.set(f"{prefix}{number}", "x")


def test_concurrent_writers_lose_nothing(vault: Vault, path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(str(path), prefix)) for prefix in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert len(Vault.open(path, PASSPHRASE).names()) == 24


def test_generated_secrets_are_long_and_differ() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", generate_token())
    passwords = {generate_vrrp_password() for _ in range(50)}
    assert len(passwords) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9]{8}", password) for password in passwords)
