"""Looking at host keys before trusting them."""

from __future__ import annotations

from pathlib import Path

from rbdtui.transport.base import ConnectRefusedError, HostKeyUnknownError
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.hostkeys import KeyState, KnownHosts, SeenHostKey
from rbdtui.transport.scan import scan_host_keys
from tests.transport.conftest import QUICK, StartSshd
from tests.transport.openssh import RealSshd, free_port


async def scan(known: KnownHosts, *endpoints: Endpoint) -> list[SeenHostKey]:
    return await scan_host_keys(endpoints, known, str, limits=QUICK)


def states(seen: list[SeenHostKey]) -> dict[str, KeyState]:
    return {key.algorithm: key.state for key in seen}


async def test_every_type_of_key_is_seen_and_nobody_logs_in(start_sshd: StartSshd, tmp_path: Path) -> None:
    sshd = await start_sshd(keys="ed25519 rsa ecdsa")
    known = KnownHosts(tmp_path / "known_hosts")
    seen = await scan(known, sshd.endpoint())
    assert states(seen) == dict.fromkeys(["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"], KeyState.NEW)
    assert {f"[127.0.0.1]:{sshd.port} {key.public_key}" for key in seen} == set(sshd.known_hosts_lines)
    assert "Accepted" not in sshd.log
    assert "Failed" not in sshd.log

    known.pin(seen)
    assert set(states(await scan(known, sshd.endpoint())).values()) == {KeyState.PINNED}


async def test_new_keys_of_a_host_are_told_from_an_additional_one(start_sshd: StartSshd, tmp_path: Path) -> None:
    sshd = await start_sshd(keys="ed25519 rsa")
    known = KnownHosts(tmp_path / "known_hosts")
    first = await scan(known, sshd.endpoint())
    known.pin(key for key in first if key.algorithm == "ssh-ed25519")
    assert states(await scan(known, sshd.endpoint())) == {
        "ssh-ed25519": KeyState.PINNED,
        "ssh-rsa": KeyState.NEW,
    }
    sshd.stop()
    sshd.rekey("ed25519", "ecdsa")
    await sshd.start()
    again = await scan(known, sshd.endpoint())
    assert states(again) == {"ssh-ed25519": KeyState.CHANGED, "ecdsa-sha2-nistp256": KeyState.CHANGED}
    old = next(key.fingerprint for key in first if key.algorithm == "ssh-ed25519")
    assert {key.pinned_fingerprint for key in again} == {old}

    known.pin(again)
    assert set(states(await scan(known, sshd.endpoint())).values()) == {KeyState.PINNED}


async def test_one_host_that_is_not_there_keeps_nobody_else_from_being_seen(sshd: RealSshd, tmp_path: Path) -> None:
    gone = Endpoint("gone", "127.0.0.1", free_port())
    seen = await scan(KnownHosts(tmp_path / "known_hosts"), gone, sshd.endpoint())
    assert [key.node for key in seen] == ["gone", "n1"]
    assert isinstance(seen[0].error, ConnectRefusedError)
    assert seen[1].error is None


async def test_hosts_behind_a_bastion_are_seen_once_the_bastion_is_trusted(
    start_sshd: StartSshd, tmp_path: Path
) -> None:
    gate, inner = await start_sshd(), await start_sshd()
    known = KnownHosts(tmp_path / "known_hosts")
    bastion = gate.endpoint("gate")
    endpoints = [inner.endpoint(name, bastions=(bastion,)) for name in ("n1", "n2")]
    first = await scan(known, *endpoints)
    assert [(key.node, type(key.error)) for key in first] == [
        ("gate", type(None)),
        ("n1", HostKeyUnknownError),
        ("n2", HostKeyUnknownError),
    ]
    known.pin(first)
    second = await scan(known, *endpoints)
    assert [(key.node, key.state) for key in second] == [
        ("gate", KeyState.PINNED),
        ("n1", KeyState.NEW),
        ("n2", KeyState.NEW),
    ]
    assert gate.log.count("Accepted publickey") == 1
    assert "Accepted" not in inner.log
