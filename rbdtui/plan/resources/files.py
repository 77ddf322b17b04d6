"""Files on a host: whole ones that rbdtui owns, and a marked block inside one that it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rbdtui.plan.content import COMPARED_BYTES, Content, diff, plain, sizes
from rbdtui.plan.resources.base import STATE_DIR, Target
from rbdtui.plan.step import Change, ChangeKind, Pending, StepError
from rbdtui.transport.files import FileState, file_states, read_file, read_start, remove_file, write_file
from rbdtui.transport.scripts import Script, script
from rbdtui.words import T

BEGIN: Final = b"# BEGIN rbdtui"
END: Final = b"# END rbdtui"
_OURS: Final = b"# Written by rbdtui for site "
_HEADER_WITHIN_BYTES: Final = 400
"""Where the header stands, behind a ``#!`` line at most."""
_READ_BYTES: Final = 4 * COMPARED_BYTES
"""A file may grow while it is looked at."""


def header(site: str) -> str:
    """The first line of every file that rbdtui writes, where the format has comments."""
    return f"{_OURS.decode()}{site}; changes here are replaced"


@dataclass(frozen=True, slots=True)
class _FileSeen:
    """What was found at a file's place."""

    is_ours: bool | None = False
    """Whether it was written by us; None when it was too large to be looked into."""


@dataclass(frozen=True, slots=True)
class ManagedFile:
    """A file whose whole content, mode and owner are ours."""

    path: str
    content: Content
    mode: int = 0o644
    owner: str = "root:root"
    or_else: tuple[Content, ...] = ()
    """Contents that are good as well, because a later step writes them."""
    only_when_missing: bool = False
    """Whether any file that is there already is good."""
    validator: Script | None = None
    """Judges the content, its payload, on the host before it is put in place; exit code 3 refuses it."""

    async def pending(self, target: Target) -> Pending[_FileSeen]:
        """The file, unless it is there as it shall be."""
        state = (await target.files.states([self.path]))[self.path]
        if self._is_good(state):
            return Pending(seen=_FileSeen())
        what = {"path": self.path, "how": f"{self.owner} {self.mode:04o}"}
        if state is not None and state.size_bytes > COMPARED_BYTES:
            detail = sizes(self.path, state.size_bytes, self.content)
            change = Change(ChangeKind.FILE, T("plan.change.file", **what), detail)
            return Pending((change,), seen=_FileSeen(is_ours=None))
        before = await read_file(target.host, self.path, limit_bytes=_READ_BYTES) if state is not None else None
        private = self._is_private(state)
        is_ours = _written_by_us(before)
        if state is None or before is None:
            title = T("plan.change.file_new", **what)
        elif before == self.content.actual:
            title = T("plan.change.file_mode", **what)
        elif private and not is_ours:
            kept = f"{target.backup_dir}{self.path}"
            title = T("plan.change.file_private", **what, lines=len(before.splitlines()), kept=kept)
        else:
            title = T("plan.change.file", **what)
        change = Change(ChangeKind.FILE, title, diff(self.path, before, self.content, private=private))
        return Pending((change,), seen=_FileSeen(is_ours))

    def _is_private(self, state: FileState | None) -> bool:
        """Whether what is there may hold a secret: where ours does, or where only its owner may read it."""
        modes = [self.mode] if state is None else [self.mode, state.mode]
        return self.content.has_secret or any(mode & 0o077 == 0 for mode in modes)

    async def settle(self, target: Target, pending: Pending[_FileSeen]) -> None:
        """Write the file; what was there goes to the backup, unless it was ours."""
        if self.only_when_missing:
            # A link that leads nowhere must give way, else the file would come to be where the link points.
            await remove_file(target.host, self.path)
        if self.validator is not None:
            judged = await target.host.run(self.validator, payload=self.content.actual)
            if judged.exit_status == 3:
                raise StepError("content_refused", path=self.path, node=target.host.name, evidence=judged.error_text)
        is_ours = pending.seen.is_ours
        if is_ours is None:
            is_ours = _written_by_us(await read_start(target.host, self.path, _HEADER_WITHIN_BYTES))
        # What we wrote may hold a secret, and nobody will want it back.
        backup_dir = "" if is_ours else target.backup_dir
        await write_file(
            target.host, self.path, self.content.actual, mode=self.mode, owner=self.owner, backup_dir=backup_dir
        )

    def _is_good(self, state: FileState | None) -> bool:
        if state is None or self.only_when_missing:
            return state is not None
        good = {content.sha256 for content in (self.content, *self.or_else)}
        return state.sha256 in good and state.mode == self.mode and state.owner == self.owner

    async def remove(self, target: Target) -> None:
        """Bring back what was there before, or delete the file; one that only had to exist stays."""
        if not self.only_when_missing:
            await target.host.must(script("file-restore"), self.path, f"{STATE_DIR}/backup")


@dataclass(frozen=True, slots=True)
class RetiredFile:
    """A file that an earlier rbdtui wrote and nothing uses any more; one that is somebody else's stays."""

    path: str

    async def pending(self, target: Target) -> Pending[None]:
        """The file, while it is there and ours."""
        if not await self._is_there(target):
            return Pending()
        return Pending((Change(ChangeKind.FILE, T("plan.change.file_retired", path=self.path), f"rm {self.path}"),))

    async def settle(self, target: Target, pending: Pending[None]) -> None:
        """Remove it."""
        await remove_file(target.host, self.path)

    async def _is_there(self, target: Target) -> bool:
        return _written_by_us(await read_start(target.host, self.path, _HEADER_WITHIN_BYTES))


@dataclass(frozen=True, slots=True)
class ManagedBlock:
    """A block of lines at the top of a file; every other byte of the file stays as it is."""

    path: str
    lines: tuple[str, ...]
    mode: int = 0o644
    """Of a file that has to be made."""

    async def pending(self, target: Target) -> Pending[bytes]:
        """The block, unless it is there whole and once."""
        before = await read_file(target.host, self.path)
        after = with_block(before or b"", self.lines)
        if before == after:
            return Pending(seen=after)
        title = T("plan.change.block", path=self.path)
        changed = diff(self.path, before, plain(after.decode("utf-8", "replace")))
        return Pending((Change(ChangeKind.FILE, title, changed),), seen=after)

    async def settle(self, target: Target, pending: Pending[bytes]) -> None:
        """Put the block in, replacing an older or damaged one."""
        await self._write(target, pending.seen)

    async def remove(self, target: Target) -> None:
        """Take the block out."""
        before = await read_file(target.host, self.path)
        if before is not None and (without := without_block(before, self.lines)) != before:
            await self._write(target, without)

    async def _write(self, target: Target, content: bytes) -> None:
        state = (await file_states(target.host, [self.path]))[self.path]
        mode, owner = (state.mode, state.owner) if state is not None else (self.mode, "root:root")
        await write_file(target.host, self.path, content, mode=mode, owner=owner, backup_dir=target.backup_dir)


def _written_by_us(content: bytes | None) -> bool:
    return content is not None and _OURS in content[:_HEADER_WITHIN_BYTES]


def with_block(content: bytes, lines: tuple[str, ...]) -> bytes:
    """The content with the block at its top, in the line ends of its first line; raises nothing.

    Already so (in whatever line ends): the content itself.
    """
    wanted = [BEGIN, *(line.encode() for line in lines), END]
    present = content.splitlines(keepends=True)
    top = [line.rstrip(b"\r\n") for line in present[: len(wanted)]]
    rest = b"".join(present[len(wanted) :])
    if top == wanted and not _has_marker(rest) and present[len(wanted) - 1].endswith(b"\n"):
        return content
    newline = b"\r\n" if present and present[0].endswith(b"\r\n") else b"\n"
    return b"".join(line + newline for line in wanted) + without_block(content, lines)


def without_block(content: bytes, lines: tuple[str, ...]) -> bytes:
    """The content without our block, or what is left of one.

    Of a block that lost a marker only the marker and those lines beside it go that we know as ours: whatever else
    stands there is the operator's.
    """
    ours = {line.encode() for line in lines}
    kept: list[bytes] = []
    pending: list[bytes] | None = None
    for line in content.splitlines(keepends=True):
        bare = line.rstrip(b"\r\n")
        if bare == BEGIN:
            kept.extend(_foreign(pending or [], ours))
            pending = []
        elif bare == END:
            if pending is None:
                while kept and kept[-1].rstrip(b"\r\n") in ours:
                    kept.pop()
            pending = None
        elif pending is not None:
            pending.append(line)
        else:
            kept.append(line)
    kept.extend(_foreign(pending or [], ours))
    return b"".join(kept)


def _foreign(lines: list[bytes], ours: set[bytes]) -> list[bytes]:
    count = 0
    while count < len(lines) and lines[count].rstrip(b"\r\n") in ours:
        count += 1
    return lines[count:]


def _has_marker(content: bytes) -> bool:
    return any(line.rstrip(b"\r\n") in (BEGIN, END) for line in content.splitlines())
