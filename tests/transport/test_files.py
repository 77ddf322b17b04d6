"""Single files: compared before they are written, kept before they are replaced, never half there."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rbdtui.transport.base import (
    CommandResult,
    GuardedFileError,
    NoSpaceError,
    OutputTooLargeError,
    ReadOnlyError,
    RemoteScriptError,
    TransportError,
)
from rbdtui.transport.failures import check
from rbdtui.transport.files import FileState, file_states, read_file, remove_file, write_file
from rbdtui.transport.scripts import Script, script
from rbdtui.transport.ssh import SshHost
from tests.transport.conftest import Connect, StartSshd

CONTENT = b"first line\n\x00\xff bytes \n"


async def test_a_file_is_written_once_and_read_back(host: SshHost, workplace: Path) -> None:
    path = str(workplace / "deep" / "er" / "file")
    assert await read_file(host, path) is None
    assert await write_file(host, path, CONTENT, mode=0o640)
    assert not await write_file(host, path, CONTENT, mode=0o640)
    assert await read_file(host, path) == CONTENT
    assert Path(path).stat().st_mode & 0o7777 == 0o640
    assert [file.name for file in Path(path).parent.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(CONTENT + b"x"),
        lambda path: path.chmod(0o600),
        lambda path: os.chown(path, 0, 4),
        lambda path: path.unlink(),
    ],
    ids=["content", "mode", "owner", "gone"],
)
async def test_whatever_differs_is_put_right(host: SshHost, workplace: Path, change: Callable[[Path], None]) -> None:
    path = workplace / "file"
    await write_file(host, str(path), CONTENT)
    change(path)
    assert await write_file(host, str(path), CONTENT)
    assert path.read_bytes() == CONTENT
    assert (path.stat().st_mode & 0o7777, path.stat().st_gid) == (0o644, 0)


async def test_the_first_original_is_kept_and_no_later_one(host: SshHost, workplace: Path) -> None:
    path, backups = workplace / "etc" / "conf", workplace / "backup" / "run1"
    path.parent.mkdir()
    path.write_bytes(b"original")
    path.chmod(0o600)
    for content in (b"ours", b"ours again"):
        assert await write_file(host, str(path), content, backup_dir=str(backups))
    kept = Path(f"{backups}{path}")
    assert kept.read_bytes() == b"original"
    assert kept.stat().st_mode & 0o7777 == 0o600
    assert path.read_bytes() == b"ours again"


async def test_a_symbolic_link_stays_one(host: SshHost, workplace: Path) -> None:
    real, link = workplace / "real", workplace / "link"
    real.write_bytes(b"old")
    link.symlink_to("real")
    assert await write_file(host, str(link), b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_name_of_a_file_is_just_a_name(tmp_path: Path, name: str) -> None:
    if name in {".", ".."} or len(name.encode()) > 200:
        return
    path = str(tmp_path / "names") + "/" + name
    write, state = script("file-write"), script("file-state")
    digest = hashlib.sha256(CONTENT).hexdigest()
    args = (path, "644", "root:root", "")
    done = subprocess.run(
        ["sh", "-c", write.command(args, limit_s=20)],
        input=write.wire_text() + digest.encode() + b"\n" + CONTENT,
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert Path(path).read_bytes() == CONTENT
    seen = subprocess.run(
        ["sh", "-c", state.command((path,), limit_s=20)], input=state.wire_text(), capture_output=True, check=True
    )
    assert digest.encode() in seen.stdout


async def test_states_tell_content_mode_owner_and_size(host: SshHost, workplace: Path) -> None:
    path = workplace / "file"
    path.write_bytes(CONTENT)
    path.chmod(0o4755)
    paths = [str(path), str(workplace), str(workplace / "none")]
    states = await file_states(host, paths)
    assert list(states) == paths
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert states[paths[0]] == FileState(digest, 0o4755, "root:root", len(CONTENT))
    directory = states[paths[1]]
    assert directory is not None
    assert directory.sha256 == ""
    assert states[paths[2]] is None


async def test_many_states_come_in_a_few_calls(host: SshHost, workplace: Path) -> None:
    paths = [f"{workplace}/{number}" for number in range(250)]
    for path in paths[::2]:
        Path(path).touch()
    states = await file_states(host, paths)
    assert [state is not None for state in states.values()] == [True, False] * 125


async def test_a_file_is_removed_once_and_kept(host: SshHost, workplace: Path) -> None:
    path = workplace / "file"
    path.write_bytes(CONTENT)
    assert await remove_file(host, str(path), backup_dir=str(workplace / "kept"))
    assert not path.exists()
    assert Path(f"{workplace}/kept{path}").read_bytes() == CONTENT
    assert not await remove_file(host, str(path), backup_dir=str(workplace / "kept"))


async def test_a_file_that_is_too_large_to_hold_is_not_read(host: SshHost, workplace: Path) -> None:
    (workplace / "large").write_bytes(b"x" * 5000)
    assert await read_file(host, str(workplace / "large"), limit_bytes=5000) == b"x" * 5000
    with pytest.raises(OutputTooLargeError):
        await read_file(host, str(workplace / "large"), limit_bytes=4999)


async def test_a_directory_in_the_way_is_an_error(host: SshHost, workplace: Path) -> None:
    with pytest.raises(RemoteScriptError, match="is a directory"):
        await write_file(host, str(workplace), CONTENT)
    with pytest.raises(RemoteScriptError):
        await read_file(host, str(workplace))


async def test_what_arrives_damaged_is_not_put_in_place(host: SshHost, workplace: Path) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    args = (str(workplace / "file"), "644", "root:root", "")
    result = await host.run(script("file-write"), *args, payload=digest.encode() + b"\n" + CONTENT[:-1])
    assert result.exit_status == 6
    assert list(workplace.iterdir()) == []


async def test_the_digest_of_what_is_written_is_in_no_command_line(host: SshHost, workplace: Path) -> None:
    """Anybody on the host can read command lines, and a short secret in a known frame can be found from its digest."""
    content = b"auth_pass short\n"
    seen: list[str] = []

    async def look() -> None:
        lists = Script(
            "lists",
            f"until [ -e {workplace}/done ]; do grep -ah rbdtui/file /proc/[0-9]*/cmdline; done | tr '\\0' ' '\n",
        )
        seen.append((await host.run(lists)).text)

    async def write() -> None:
        for number in range(6):
            await write_file(host, str(workplace / f"f{number}"), content, mode=0o600)
        (workplace / "done").touch()

    await asyncio.gather(look(), write())
    assert "rbdtui/file-write" in seen[0]
    assert hashlib.sha256(content).hexdigest() not in seen[0]


# --- disks in trouble

MOUNTS = (
    "mount -t tmpfs -o size=64k tmpfs /mnt",
    "mount -t tmpfs -o ro tmpfs /media",
    "mount -t tmpfs -o ro tmpfs /tmp",
)


@pytest.fixture
async def troubled(start_sshd: StartSshd, connect: Connect) -> SshHost:
    """A host with a full file system at /mnt, a read-only one at /media, and a read-only /tmp."""
    sshd = await start_sshd(mounts=MOUNTS)
    return connect(sshd.endpoint(), sshd.known_hosts())


async def test_a_full_disk_is_named_and_the_old_file_stays(troubled: SshHost) -> None:
    await write_file(troubled, "/mnt/conf", b"old")
    with pytest.raises(NoSpaceError) as caught:
        await write_file(troubled, "/mnt/conf", b"x" * 100_000)
    assert caught.value.params["path"] == "/mnt/conf"
    assert await read_file(troubled, "/mnt/conf") == b"old"
    left = await troubled.must(Script("work", "ls -A /mnt\n"))
    assert left.text == "conf\n"


async def test_a_full_disk_for_the_backup_stops_before_anything_changes(troubled: SshHost, workplace: Path) -> None:
    path = workplace / "conf"
    path.write_bytes(b"o" * 100_000)
    with pytest.raises(NoSpaceError):
        await write_file(troubled, str(path), b"new", backup_dir="/mnt/backup")
    assert path.read_bytes() == b"o" * 100_000


async def test_a_file_that_was_made_immutable_is_named_with_the_way_out(troubled: SshHost, workplace: Path) -> None:
    path = workplace / "hosts"
    path.write_bytes(b"old")
    if subprocess.run(["chattr", "+i", path], capture_output=True, timeout=20, check=False).returncode:
        pytest.skip("no immutable files on this file system")
    try:
        with pytest.raises(GuardedFileError) as caught:
            await write_file(troubled, str(path), b"new")
    finally:
        subprocess.run(["chattr", "-i", path], timeout=20, check=True)
    assert caught.value.params["path"] == str(path)
    assert f"chattr -ia {path}" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("said", "kind", "path"),
    [
        ("mv: cannot move '/etc/.x' to '/etc/hosts': Operation not permitted", GuardedFileError, "/etc/.x"),
        ("rm: cannot remove ‘/etc/fstab’: Permission denied", GuardedFileError, "/etc/fstab"),
        ("sh: 1: cannot create /etc/motd: Permission denied", GuardedFileError, "/etc/motd"),
        ("Permission denied", RemoteScriptError, None),
        ("dd: error writing '/a/b': No space left on device\nrm: x: Operation not permitted", NoSpaceError, "/a/b"),
        ("", RemoteScriptError, None),
    ],
)
def test_last_words_are_understood(said: str, kind: type[TransportError], path: str | None) -> None:
    with pytest.raises(kind) as caught:
        check("n1", "work", CommandResult(1, b"", said.encode(), 0.1))
    assert type(caught.value) is kind
    assert caught.value.params.get("path") == path


async def test_a_read_only_disk_is_named(troubled: SshHost) -> None:
    with pytest.raises(ReadOnlyError) as caught:
        await write_file(troubled, "/media/conf", CONTENT)
    assert caught.value.params["path"] == "/media/conf"
    assert "/media/conf" in str(caught.value)


async def test_a_read_only_tmp_disturbs_nothing(troubled: SshHost, workplace: Path) -> None:
    assert (await troubled.run(Script("work", "touch /tmp/x\n"))).exit_status != 0
    assert await write_file(troubled, str(workplace / "conf"), CONTENT)
    source = workplace / "source"
    source.write_bytes(CONTENT)
    assert await troubled.upload(source, str(workplace / "there"), sha256=hashlib.sha256(CONTENT).hexdigest())


async def test_must_finds_the_path_in_the_words_of_the_program_that_failed(troubled: SshHost) -> None:
    with pytest.raises(NoSpaceError) as full:
        await troubled.must(Script("work", "head -c 100000 /dev/zero > /mnt/big; cat /dev/zero > /mnt/bigger\n"))
    assert full.value.params["node"] == "n1"
    with pytest.raises(ReadOnlyError) as read_only:
        await troubled.must(Script("work", "mkdir /media/here\n"))
    assert read_only.value.params["path"] == "/media/here"
