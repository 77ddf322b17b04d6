"""How things were before a repair, kept on the server itself, and the resources that make them so again.

The record is root's alone: what files held before may be a secret.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from rbdtui.plan.repairs.as_before import Attributes, FileAsBefore, NoUser, SwapOn, UnitsAsBefore
from rbdtui.plan.repairs.commands import Changeable, NoSwap, OneRuns, SystemUser, attributes_of, swaps_on
from rbdtui.plan.resources.base import STATE_DIR, Looked, Resource, Target
from rbdtui.plan.resources.edited import EditedFile
from rbdtui.plan.resources.files import ManagedFile
from rbdtui.plan.resources.units import StoppedUnits, unit_states
from rbdtui.transport.base import Host, RemoteAnswerError
from rbdtui.transport.files import read_file, write_file

_DIRECTORY: Final = f"{STATE_DIR}/repaired"
_RECORD_BYTES: Final = 32 * 1024 * 1024


class _Before(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileBefore(_Before):
    """A file that was edited or made."""

    kind: Literal["file"] = "file"
    path: str
    content: str | None
    """In base64; None for one that was not there."""
    left: str
    """SHA-256 of what the repair made of it, without our own block."""

    def resource(self) -> Resource:
        """The file as it was."""
        content = None if self.content is None else base64.b64decode(self.content)
        return FileAsBefore(self.path, content, self.left)


class SwapBefore(_Before):
    """Swap that was on."""

    kind: Literal["swap"] = "swap"
    devices: tuple[str, ...]

    def resource(self) -> Resource:
        """It is on."""
        return SwapOn(self.devices)


class UnitBefore(_Before):
    """A unit that was stopped or started."""

    kind: Literal["unit"] = "unit"
    unit: str
    enabled: bool
    active: bool

    def resource(self) -> Resource:
        """It runs, and starts at boot, as it did."""
        return UnitsAsBefore(self.unit, enabled=self.enabled, active=self.active)


class AttributesBefore(_Before):
    """A file that nobody could change."""

    kind: Literal["attributes"] = "attributes"
    path: str
    letters: str

    def resource(self) -> Resource:
        """Nobody can again."""
        return Attributes(self.path, self.letters)


class UserBefore(_Before):
    """A user that was not there."""

    kind: Literal["user"] = "user"
    name: str

    def resource(self) -> Resource:
        """It is gone."""
        return NoUser(self.name)


Before = Annotated[FileBefore | SwapBefore | UnitBefore | AttributesBefore | UserBefore, Field(discriminator="kind")]
_RECORD: Final = TypeAdapter(tuple[Before, ...])


@dataclass(frozen=True, slots=True)
class Record:
    """Of one repair of one run on one server; what is noted first of a thing counts, whatever a second try finds."""

    run_id: str
    step: str
    """The repair's name."""

    @property
    def path(self) -> str:
        """Where it lies."""
        return f"{_DIRECTORY}/{self.run_id}/{self.step}.json"

    async def read(self, host: Host) -> tuple[Before, ...]:
        """What was noted; nothing without a record. Raises `TransportError`, also for one that is damaged."""
        found = await read_file(host, self.path, limit_bytes=_RECORD_BYTES)
        if found is None:
            return ()
        try:
            return _RECORD.validate_json(found)
        except ValidationError as error:
            raise RemoteAnswerError(host.name, self.path, str(error)[:300]) from error

    async def note(self, target: Target, looked: Iterable[Looked]) -> None:
        """Note how things are that are about to be changed."""
        known = await self.read(target.host)
        now = [each for one in looked if not one.pending.is_done for each in await before(target, one)]
        new = [each for each in now if _thing(each) not in {_thing(there) for there in known}]
        if new:
            content = _RECORD.dump_json((*known, *new))
            await write_file(target.host, self.path, content, mode=0o600)


def _thing(each: Before) -> tuple[str, str]:
    match each:
        case FileBefore(path=name) | AttributesBefore(path=name) | UnitBefore(unit=name) | UserBefore(name=name):
            return each.kind, name
        case SwapBefore():
            return each.kind, ""


async def before(target: Target, looked: Looked) -> Sequence[Before]:
    """How the thing is that a resource is about to change; empty for a resource that cannot be taken back."""
    host = target.host
    match looked.resource:
        case EditedFile(path=path):
            return [_file(path, await read_file(host, path), looked.pending.seen)]
        case ManagedFile(path=path, content=content):
            return [_file(path, await read_file(host, path), content.actual)]
        case NoSwap():
            return [SwapBefore(devices=await swaps_on(host))]
        case Changeable():
            letters = await attributes_of(host, looked.pending.seen)
            return [AttributesBefore(path=path, letters=found) for path, found in letters.items()]
        case SystemUser(name=name):
            return [UserBefore(name=name)]
        case StoppedUnits():
            return await _units(host, looked.pending.seen)
        case OneRuns():
            return await _units(host, [looked.pending.seen])
        case _:
            return []


def _file(path: str, found: bytes | None, after: bytes) -> FileBefore:
    content = None if found is None else base64.b64encode(found).decode()
    return FileBefore(path=path, content=content, left=hashlib.sha256(FileAsBefore.outside(after)[0]).hexdigest())


async def _units(host: Host, units: Iterable[str]) -> list[Before]:
    states = await unit_states(host, *units)
    return [
        UnitBefore(unit=state.unit, enabled=state.file_state == "enabled", active=state.active == "active")
        for state in states
    ]
