"""Scripts that read, compare, write and remove single files."""

from __future__ import annotations

import hashlib
import posixpath
from typing import Final

from rbdtui.simulator.call import Call, Verbs
from rbdtui.simulator.files import Entry, FileSystem, Kind

STATE_DIR: Final = "/var/lib/rbdtui"


def sha256(content: bytes | bytearray) -> str:
    """Hex digest."""
    return hashlib.sha256(content).hexdigest()


def make_state_dir(files: FileSystem, *paths: str) -> None:
    """rbdtui's own directory is closed to others from the first file on."""
    if any(f"{path}/".startswith(f"{STATE_DIR}/") for path in paths) and not files.exists(STATE_DIR):
        files.mkdir(STATE_DIR, mode=0o700)


def keep_backup(files: FileSystem, path: str, backup_dir: str) -> None:
    """Keep the file as it was before rbdtui first touched it."""
    old = files.get(path)
    place = backup_dir + path
    if not backup_dir or old is None or old.kind is not Kind.FILE or files.exists(place):
        return
    make_state_dir(files, backup_dir)
    files.mkdir(posixpath.dirname(place))
    copy(files, path, place)


def copy(files: FileSystem, source: str, target: str) -> None:
    """Copy a file with mode, owner and time, as ``cp -p`` does."""
    old = files.get(source)
    assert old is not None
    files.write(target, bytes(old.content), mode=old.mode, owner=old.owner)
    new = files.get(target)
    assert new is not None
    new.modified_at = old.modified_at


def described(entry: Entry) -> str:
    """Mode, owner and size as the product's scripts print them."""
    size = 4096 if entry.kind is Kind.DIRECTORY else len(entry.content)
    return f"{entry.mode:o} {entry.owner} {size}"


async def file_read(call: Call) -> int:
    """``file-read PATH LIMIT_BYTES``."""
    path, limit = call.args
    if not call.machine.files.exists(path):
        return 3
    call.out(call.machine.files.read(path)[: int(limit) + 1])
    return 0


async def files_list(call: Call) -> int:
    """``files-list DIRECTORY``."""
    (directory,), files = call.args, call.machine.files
    names = files.listdir(directory) if files.is_dir(directory) else []
    plain = [name for name in names if (entry := files.get(f"{directory}/{name}")) and entry.kind is Kind.FILE]
    for name in sorted(plain, key=lambda name: (name.startswith("."), name)):
        if "\n" not in name:
            call.line(name)
    return 0


async def file_state(call: Call) -> int:
    """``file-state PATH...``."""
    for path in call.args:
        entry = call.machine.files.get(path)
        if entry is None:
            call.line("absent")
        elif entry.kind is Kind.FILE:
            call.line(f"{sha256(entry.content)} {described(entry)}")
        else:
            call.line(f"other {described(entry)}")
    return 0


async def file_write(call: Call) -> int:
    """``file-write PATH MODE OWNER:GROUP BACKUP_DIR``; on standard input a line with the digest, then the content."""
    path, mode, owner, backup_dir = call.args
    line, _, content = (await call.payload()).partition(b"\n")
    digest = line.decode("ascii", "replace")
    files = call.machine.files
    path = files.resolve(path)
    old = files.get(path)
    wanted = (Kind.FILE, f"{mode} {owner}", digest)
    if old is not None and (old.kind, f"{old.mode:o} {old.owner}", sha256(old.content)) == wanted:
        call.line("same")
        return 0
    if files.is_dir(path):
        return call.fail(f"{path} is a directory")
    make_state_dir(files, path, backup_dir)
    files.mkdir(posixpath.dirname(path))
    keep_backup(files, path, backup_dir)
    if sha256(content) != digest:
        return 6
    if not {*owner.split(":")} <= {"root", *call.machine.users}:
        return call.fail(f"chown: invalid user: '{owner}'")
    files.write(path, content, mode=int(mode, 8), owner=owner)
    call.line("written")
    return 0


async def file_remove(call: Call) -> int:
    """``file-remove PATH BACKUP_DIR``."""
    path, backup_dir = call.args
    if call.machine.files.get(path, follow=False) is None:
        call.line("absent")
        return 0
    keep_backup(call.machine.files, path, backup_dir)
    call.machine.files.remove(path)
    call.line("removed")
    return 0


async def file_restore(call: Call) -> int:
    """``file-restore PATH BACKUPS``."""
    path, backups = call.args
    files = call.machine.files
    runs = files.listdir(backups) if files.is_dir(backups) else []
    kept = [(entry.modified_at, place) for place in (f"{backups}/{run}{path}" for run in runs)
            if (entry := files.get(place)) is not None]  # fmt: skip
    original = min(kept)[1] if kept else ""
    if original and not any(line.startswith("# Written by rbdtui ") for line in files.text(original).splitlines()[:3]):
        copy(files, original, path)
        call.line("restored")
    else:
        call.line("removed" if files.remove(path) else "absent")
    return 0


VERBS: Verbs = {
    "file-restore": file_restore,
    "file-read": file_read,
    "file-remove": file_remove,
    "file-state": file_state,
    "file-write": file_write,
    "files-list": files_list,
}
