"""One run of a site at a time: a lock file that names who holds it, let go of by the kernel when the holder dies."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from rbdtui.errors import SentenceError
from rbdtui.locking import try_lock
from rbdtui.paths import as_typed
from rbdtui.site import Site, SiteError
from rbdtui.words import T

_PATIENCE: Final = (0.02, 0.05, 0.1)
"""Seconds to wait before trying again: a client that looks whether a run is active holds the lock for a moment."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a site."""

    run: str
    pid: int
    since: float
    """Unix time."""
    user: str


_HOLDER: Final = TypeAdapter(Holder)


class SiteLockedError(SentenceError):
    """Another run of the site is under way; its sentence says which, and whose."""

    def __init__(self, holder: Holder) -> None:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder.since))
        super().__init__(T("lock.held", run=holder.run, user=holder.user, pid=holder.pid, since=since))
        self.holder = holder


def lock_file(site: Site) -> Path:
    """The file that is locked while a run is under way."""
    return site.path / "run.lock"


@contextmanager
def hold_site(site: Site, run_id: str) -> Iterator[None]:
    """Keep other runs of the site out for the time of the block; raises `SiteLockedError` or `SiteError`."""
    with _opened(lock_file(site), os.O_RDWR | os.O_CREAT) as file:
        if not _acquire(site, file):
            raise SiteLockedError(_holder(file))
        holder = Holder(run_id, os.getpid(), time.time(), user_name())
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(asdict(holder)).encode(), 0)
        try:
            yield
        finally:
            os.ftruncate(file, 0)


def refuse_when_held(site: Site) -> None:
    """Return when a run may begin; raises `SiteLockedError`, or `SiteError` where nothing could keep others out."""
    file_of_site = lock_file(site) if lock_file(site).exists() else site.spec_file
    with _opened(file_of_site, os.O_RDWR) as file:
        if not _try(site, file, shared=True):
            raise SiteLockedError(_holder(file))


def holder_of(site: Site) -> Holder | None:
    """Who holds the site now; None when no run is under way, which it cannot be where files cannot be locked."""
    if not lock_file(site).exists():
        return None
    try:
        with _opened(lock_file(site), os.O_RDONLY) as file:
            return None if _try(site, file, shared=True) else _holder(file)
    except SiteError as error:
        if error.text.key == "lock.unsupported":
            return None
        raise


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    try:
        file = os.open(path, flags | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SiteError(T("lock.unusable", path=str(path), reason=error.strerror or "")) from error
    try:
        yield file
    finally:
        os.close(file)


def user_name() -> str:
    """The operator's name as well as it is known here, also behind sudo."""
    with contextlib.suppress(OSError, KeyError):
        return os.environ.get("SUDO_USER") or getpass.getuser()
    return str(os.getuid())


def _acquire(site: Site, file: int) -> bool:
    for patience_s in (*_PATIENCE, None):
        if _try(site, file, shared=False):
            return True
        if patience_s is not None:
            time.sleep(patience_s)
    return False


def _try(site: Site, file: int, *, shared: bool) -> bool:
    try:
        return try_lock(file, shared=shared)
    except OSError as error:
        raise SiteError(T("lock.unsupported", site=as_typed(site.path), reason=error.strerror or "")) from error


def _holder(file: int) -> Holder:
    """What the lock file says; its holder may be about to write it."""
    for patience_s in (*_PATIENCE, None):
        with contextlib.suppress(ValidationError):
            return _HOLDER.validate_json(os.pread(file, 4096, 0))
        if patience_s is not None:
            time.sleep(patience_s)
    return Holder("?", 0, 0.0, "?")
