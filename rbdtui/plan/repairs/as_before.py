"""Things on a host that shall be again as they were before a repair."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from rbdtui.plan.content import diff, plain
from rbdtui.plan.repairs.commands import attributes_of, command, must, swaps_on, users_of
from rbdtui.plan.resources.base import Target
from rbdtui.plan.resources.files import BEGIN, END
from rbdtui.plan.resources.units import unit_action, unit_change, unit_states
from rbdtui.plan.step import Change, ChangeKind, Pending, StepError
from rbdtui.transport.files import file_states, read_file, remove_file, write_file
from rbdtui.words import T


@dataclass(frozen=True, slots=True)
class FileAsBefore:
    """A file as it was, with our block, if there is one by now, above it; one that others have changed stays."""

    path: str
    content: bytes | None
    """None: there was none."""
    left: str
    """SHA-256 of what the repair made of it, without our block."""

    @staticmethod
    def outside(text: bytes) -> tuple[bytes, bytes]:
        """What stands outside of our block, and the block."""
        others, ours, is_ours = b"", b"", False
        for line in text.splitlines(keepends=True):
            marker = line.rstrip()
            is_ours = is_ours or marker == BEGIN
            others, ours = (others, ours + line) if is_ours else (others + line, ours)
            is_ours = is_ours and marker != END
        return others, ours

    async def pending(self, target: Target) -> Pending[bytes | None]:
        """The lines that come back; raises `StepError` when somebody else has changed the file since."""
        now = await read_file(target.host, self.path)
        others, ours = self.outside(now or b"")
        wanted = None if self.content is None and not ours else ours + (self.content or b"")
        if now == wanted or (now is not None and self.content is not None and others == self.content):
            return Pending(seen=wanted)
        if now is None or hashlib.sha256(others).hexdigest() != self.left:
            raise StepError("undo_changed_since", node=target.host.name, path=self.path)
        shown = diff(self.path, now, plain((wanted or b"").decode("utf-8", "replace")))
        title = T("plan.change.file_gone" if wanted is None else "plan.change.lines_back", path=self.path)
        return Pending((Change(ChangeKind.FILE, title, shown),), seen=wanted)

    async def settle(self, target: Target, pending: Pending[bytes | None]) -> None:
        """Write it, with mode and owner that it has now, or remove it."""
        if pending.seen is None:
            await remove_file(target.host, self.path)
            return
        state = (await file_states(target.host, [self.path]))[self.path]
        mode, owner = (state.mode, state.owner) if state is not None else (0o644, "root:root")
        await write_file(target.host, self.path, pending.seen, mode=mode, owner=owner)


@dataclass(frozen=True, slots=True)
class SwapOn:
    """Swap that is on."""

    devices: tuple[str, ...]

    async def pending(self, target: Target) -> Pending[tuple[str, ...]]:
        """Those that are off."""
        on = await swaps_on(target.host)
        off = tuple(device for device in self.devices if device not in on)
        changes = tuple(
            Change(ChangeKind.COMMAND, T("plan.change.swap_on", device=device), f"swapon {device}") for device in off
        )
        return Pending(changes, seen=off)

    async def settle(self, target: Target, pending: Pending[tuple[str, ...]]) -> None:
        """Turn them on."""
        await must(target.host, "swap-on", *pending.seen)


@dataclass(frozen=True, slots=True)
class UnitsAsBefore:
    """A unit that starts at boot, and runs, as it did."""

    unit: str
    enabled: bool
    active: bool

    async def pending(self, target: Target) -> Pending[tuple[str, ...]]:
        """What systemd has to be told; nothing of a unit that is not there any more."""
        (state,) = await unit_states(target.host, self.unit)
        actions = []
        if state.is_present and (state.file_state == "enabled") != self.enabled:
            actions.append("enable" if self.enabled else "disable")
        if state.is_present and (state.active == "active") != self.active:
            actions.append("start" if self.active else "stop")
        return Pending(tuple(unit_change(action, self.unit) for action in actions), seen=tuple(actions))

    async def settle(self, target: Target, pending: Pending[tuple[str, ...]]) -> None:
        """Have systemd do what was found to be left; raises `StepError`."""
        await unit_action(target.host, self.unit, *pending.seen)


@dataclass(frozen=True, slots=True)
class Attributes:
    """A file with attributes that keep everybody from changing it."""

    path: str
    letters: str
    """Of chattr: i, a, or both."""

    async def pending(self, target: Target) -> Pending[None]:
        """Giving it those that it lacks."""
        found = (await attributes_of(target.host, (self.path,))).get(self.path, "")
        if set(self.letters) <= set(found):
            return Pending()
        return command(T("plan.change.attributes_back", paths=self.path), f"chattr +{self.letters} {self.path}")

    async def settle(self, target: Target, pending: Pending[None]) -> None:
        """Give it them."""
        await must(target.host, "attributes-set", self.letters, self.path)


@dataclass(frozen=True, slots=True)
class NoUser:
    """No user of a name, and no group of that name."""

    name: str

    async def pending(self, target: Target) -> Pending[None]:
        """Removing it."""
        if self.name not in await users_of(target.host):
            return Pending()
        return command(T("plan.change.user_gone", name=self.name), f"userdel {self.name}")

    async def settle(self, target: Target, pending: Pending[None]) -> None:
        """Remove it; one that somebody uses stays."""
        await must(target.host, "user-remove", self.name)
