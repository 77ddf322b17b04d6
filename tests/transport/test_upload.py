"""Uploads: verified on both ends, continued where they stopped, and never in place before they are whole."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from rbdtui.transport import upload
from rbdtui.transport.base import NoSpaceError, ReadOnlyError, SourceError, UploadProgress
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.meter import Meter
from rbdtui.transport.pool import HostPool
from rbdtui.transport.scripts import Script
from rbdtui.transport.ssh import SshHost
from tests.transport.conftest import QUICK, Connect, StartSshd
from tests.transport.openssh import RealSshd
from tests.transport.test_files import MOUNTS
from tests.transport.wire import Wire, known_by
from tests.waiting import until

MIB = 1024 * 1024


def make_source(path: Path, size_bytes: int) -> str:
    """A file of random bytes; its digest."""
    content = random.Random(size_bytes).randbytes(size_bytes)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("size_bytes", [0, 1, MIB, 3 * MIB + 17])
async def test_a_file_of_any_size_arrives_once(host: SshHost, workplace: Path, tmp_path: Path, size_bytes: int) -> None:
    source, target = tmp_path / "source", workplace / "new" / "target"
    digest = make_source(source, size_bytes)
    assert await host.upload(source, str(target), sha256=digest, mode=0o755)
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_mode & 0o7777 == 0o755
    assert [file.name for file in target.parent.iterdir()] == ["target"]
    assert not await host.upload(source, str(target), sha256=digest, mode=0o700)
    assert target.stat().st_mode & 0o7777 == 0o700


async def test_a_target_with_other_content_is_replaced_at_the_end_only(
    host: SshHost, workplace: Path, tmp_path: Path
) -> None:
    digest = make_source(tmp_path / "source", MIB)
    target = workplace / "target"
    target.write_bytes(bytes(MIB))
    assert await host.upload(tmp_path / "source", str(target), sha256=digest)
    assert hashlib.sha256(target.read_bytes()).hexdigest() == digest


async def test_what_an_earlier_try_left_is_not_sent_again(
    sshd: RealSshd, connect: Connect, workplace: Path, tmp_path: Path
) -> None:
    digest = make_source(tmp_path / "source", 8 * MIB)
    target = workplace / "target"
    (workplace / "target.part").write_bytes((tmp_path / "source").read_bytes()[: 6 * MIB])
    async with Wire(sshd.port) as wire:
        host = connect(sshd.endpoint(port=wire.port), known_by(wire, sshd))
        assert await host.upload(tmp_path / "source", str(target), sha256=digest)
        assert 2 * MIB < wire.bytes_to_host < 2.5 * MIB
    assert hashlib.sha256(target.read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("left", [b"other bytes" * 1000, bytes(9 * MIB)], ids=["another prefix", "too long"])
async def test_what_something_else_left_is_not_continued(
    host: SshHost, workplace: Path, tmp_path: Path, left: bytes
) -> None:
    digest = make_source(tmp_path / "source", 2 * MIB)
    (workplace / "target.part").write_bytes(left)
    assert await host.upload(tmp_path / "source", str(workplace / "target"), sha256=digest)
    assert hashlib.sha256((workplace / "target").read_bytes()).hexdigest() == digest


async def test_a_link_that_breaks_again_and_again_costs_only_what_was_in_flight(
    sshd: RealSshd, connect: Connect, workplace: Path, tmp_path: Path
) -> None:
    digest = make_source(tmp_path / "source", 24 * MIB)
    async with Wire(sshd.port) as wire:
        host = connect(sshd.endpoint(port=wire.port), known_by(wire, sshd))
        uploading = asyncio.create_task(host.upload(tmp_path / "source", str(workplace / "target"), sha256=digest))
        for at_mib in (6, 12, 18):
            await until(lambda at=at_mib: wire.bytes_to_host > at * MIB)  # type: ignore[misc]
            wire.break_connections()
        assert await uploading
        assert wire.connections == 4
        assert wire.bytes_to_host < 24 * MIB + 3 * 6 * MIB
    assert hashlib.sha256((workplace / "target").read_bytes()).hexdigest() == digest
    assert [file.name for file in workplace.iterdir()] == ["target"]


async def test_a_receiver_that_hangs_on_a_dead_link_is_ended_by_the_next_try(
    sshd: RealSshd, connect: Connect, workplace: Path, tmp_path: Path
) -> None:
    digest = make_source(tmp_path / "source", 8 * MIB)
    part = workplace / "target.part"
    async with Wire(sshd.port) as wire:
        lost = connect(sshd.endpoint(port=wire.port), known_by(wire, sshd))
        first = asyncio.create_task(lost.upload(tmp_path / "source", str(workplace / "target"), sha256=digest))
        await until(lambda: part.exists() and part.stat().st_size > MIB)
        wire.freeze()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert Path(f"{part}.by").exists()
        assert _receivers_of(workplace / "target") != []
        other = connect(sshd.endpoint(), sshd.known_hosts())
        assert await other.upload(tmp_path / "source", str(workplace / "target"), sha256=digest)
        assert _receivers_of(workplace / "target") == []


def _receivers_of(target: Path) -> list[str]:
    """Processes of this machine that receive a file."""
    words = {b"rbdtui/upload-receive", str(target).encode()}
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if words <= set(file.read_bytes().split(b"\0")):
                found.append(file.parent.name)
    return found


async def test_a_source_that_is_not_what_was_verified_is_refused(
    host: SshHost, workplace: Path, tmp_path: Path
) -> None:
    digest = make_source(tmp_path / "source", 2 * MIB)
    make_source(tmp_path / "source", 2 * MIB - 1)
    with pytest.raises(SourceError, match="no longer the file"):
        await host.upload(tmp_path / "source", str(workplace / "target"), sha256=digest)
    assert list(workplace.iterdir()) == []


async def test_a_source_that_shrinks_or_is_gone_is_named(
    sshd: RealSshd, connect: Connect, workplace: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    digest = make_source(source, 16 * MIB)
    async with Wire(sshd.port) as wire:
        wire.bytes_per_s = 8 * MIB
        host = connect(sshd.endpoint(port=wire.port), known_by(wire, sshd))
        uploading = asyncio.create_task(host.upload(source, str(workplace / "target"), sha256=digest))
        await until(lambda: wire.bytes_to_host > MIB)
        with source.open("r+b") as file:
            file.truncate(4 * MIB)
        with pytest.raises(SourceError, match="became shorter"):
            await uploading
        source.unlink()
        with pytest.raises(SourceError, match="No such file"):
            await host.upload(source, str(workplace / "target"), sha256=digest)
    assert not (workplace / "target").exists()


async def test_progress_comes_at_most_twice_a_second_and_ends_at_the_total(
    sshd: RealSshd, connect: Connect, workplace: Path, tmp_path: Path
) -> None:
    digest = make_source(tmp_path / "source", 6 * MIB)
    told: list[tuple[float, UploadProgress]] = []
    async with Wire(sshd.port) as wire:
        wire.bytes_per_s = 3 * MIB
        host = connect(sshd.endpoint(port=wire.port), known_by(wire, sshd))
        await host.upload(
            tmp_path / "source",
            str(workplace / "target"),
            sha256=digest,
            on_progress=lambda progress: told.append((time.monotonic(), progress)),
        )
    times = [at for at, _ in told]
    sent = [progress.sent_bytes for _, progress in told]
    assert all(later - earlier > 0.45 for earlier, later in pairwise(times[:-1]))
    assert sent == sorted(sent)
    assert (sent[0], sent[-1]) == (0, 6 * MIB)
    middle = told[len(told) // 2][1]
    assert 0.2 * MIB < middle.bytes_per_s < 30 * MIB
    assert middle.eta_s is not None


async def test_uploads_take_turns_and_leave_commands_alone(
    sshd: RealSshd, connect: Connect, workplace: Path, tmp_path: Path
) -> None:
    digest = make_source(tmp_path / "source", 2 * MIB)
    async with Wire(sshd.port) as wire:
        wire.bytes_per_s = 4 * MIB
        host = connect(sshd.endpoint(port=wire.port), known_by(wire, sshd))
        uploads = [
            asyncio.create_task(host.upload(tmp_path / "source", str(workplace / f"t{number}"), sha256=digest))
            for number in range(5)
        ]
        most = 0
        while not all(upload.done() for upload in uploads):
            most = max(most, len(list(workplace.glob("*.part"))))
            assert (await host.run(Script("work", "echo ok\n"))).ok
        assert await asyncio.gather(*uploads) == [True] * 5
    assert 1 <= most <= 2


async def test_uploads_that_go_slowly_give_their_places_back_and_others_keep_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upload, "SLOW_UPLOAD_AFTER_S", 0.05)
    monkeypatch.setattr(upload, "SLOW_UPLOAD_BYTES_PER_S", 1000)
    places = upload.Places(2)
    slow, quick, third = (Meter(10**9, None) for _ in range(3))
    release, under_way = asyncio.Event(), 0

    async def hold(meter: Meter) -> None:
        nonlocal under_way
        async with places.place_for(meter):
            under_way += 1
            await release.wait()

    async def send() -> None:
        while not release.is_set():
            quick.sent_bytes += 1000
            third.sent_bytes += 1000
            await asyncio.sleep(0.005)

    sending = asyncio.create_task(send())
    holding = [asyncio.create_task(hold(meter)) for meter in (slow, quick, third, Meter(1, None))]
    await until(lambda: under_way == 3)
    await asyncio.sleep(0.3)
    assert under_way == 3
    release.set()
    await asyncio.gather(sending, *holding)
    async with places.place_for(quick), places.place_for(third):
        pass


async def test_two_slow_servers_do_not_hold_up_a_third(
    start_sshd: StartSshd, tmp_path: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "SLOW_UPLOAD_AFTER_S", 1.0)
    digest = make_source(tmp_path / "source", 4 * MIB)
    sshd = await start_sshd()
    async with Wire(sshd.port) as slow:
        known = KnownHosts(tmp_path / "known_hosts")
        lines = [
            line.replace(f":{sshd.port}", f":{port}")
            for line in sshd.known_hosts_lines
            for port in (sshd.port, slow.port)
        ]
        (tmp_path / "known_hosts").write_text("\n".join(lines) + "\n")
        endpoints = {name: sshd.endpoint(name, port=slow.port) for name in ("slow1", "slow2")}
        async with HostPool({**endpoints, "n3": sshd.endpoint("n3")}, known, str, replace(QUICK, uploads=2)) as pool:
            await asyncio.gather(*(host.connect() for host in pool.values()))
            slow.bytes_per_s = 8 * 1024
            uploads = {
                name: asyncio.create_task(host.upload(tmp_path / "source", str(workplace / name), sha256=digest))
                for name, host in pool.items()
            }
            async with asyncio.timeout(30):
                assert await uploads["n3"]
            assert not uploads["slow1"].done()
            assert not uploads["slow2"].done()
            slow.bytes_per_s = None
            assert await asyncio.gather(*uploads.values()) == [True] * 3


async def test_too_little_space_is_found_before_anything_is_sent(
    start_sshd: StartSshd, connect: Connect, tmp_path: Path
) -> None:
    sshd = await start_sshd(mounts=MOUNTS)
    digest = make_source(tmp_path / "source", 3 * MIB)
    async with Wire(sshd.port) as wire:
        host = connect(sshd.endpoint(port=wire.port), known_by(wire, sshd))
        with pytest.raises(NoSpaceError) as caught:
            await host.upload(tmp_path / "source", "/mnt/target", sha256=digest)
        assert wire.bytes_to_host < 200_000
        assert str(caught.value) == "n1: no space left for /mnt/target (needs 3 MiB, has 0 MiB)."
        with pytest.raises(ReadOnlyError):
            await host.upload(tmp_path / "source", "/media/target", sha256=digest)


async def test_a_disk_that_fills_up_meanwhile_is_named(start_sshd: StartSshd, connect: Connect, tmp_path: Path) -> None:
    sshd = await start_sshd(mounts=("mount -t tmpfs -o size=8m tmpfs /mnt",))
    digest = make_source(tmp_path / "source", 6 * MIB)
    async with Wire(sshd.port) as wire:
        wire.bytes_per_s = MIB
        host = connect(sshd.endpoint(port=wire.port), known_by(wire, sshd))
        uploading = asyncio.create_task(host.upload(tmp_path / "source", "/mnt/target", sha256=digest))
        await until(lambda: wire.bytes_to_host > MIB / 2)
        other = connect(sshd.endpoint(), sshd.known_hosts())
        await other.run(Script("work", "cat /dev/zero > /mnt/filler || true\n"))
        wire.bytes_per_s = None
        with pytest.raises(NoSpaceError) as caught:
            await uploading
    assert caught.value.params["path"] == "/mnt/target"
