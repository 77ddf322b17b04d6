"""Kernel modules and parameters: what is loaded and set now, and what is at the next boot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rbdtui.plan.content import plain
from rbdtui.plan.resources.base import Target
from rbdtui.plan.resources.files import ManagedFile
from rbdtui.plan.step import Change, ChangeKind, Pending, StepError
from rbdtui.together import together
from rbdtui.transport.scripts import script
from rbdtui.words import T


@dataclass(frozen=True, slots=True)
class _ModulesSeen:
    """What is to be done about modules."""

    unloaded: tuple[str, ...]
    """Helpful ones among them."""
    file: Pending[Any]


@dataclass(frozen=True, slots=True)
class KernelModules:
    """Modules that are loaded now and at every boot."""

    path: str
    """File under ``/etc/modules-load.d``."""
    header: str
    required: tuple[str, ...]
    helpful: tuple[str, ...] = ()
    """Tried when anything else is pending; their absence is no failure."""

    async def pending(self, target: Target) -> Pending[_ModulesSeen]:
        """Required modules that are not loaded, and the file."""
        states, file = await together(self._states(target), self._file.pending(target))
        missing = [name for name in self.required if states[name] != "loaded"]
        changes = list(file.changes)
        if missing:
            title = T("plan.change.modules", modules=", ".join(missing))
            changes.append(Change(ChangeKind.COMMAND, title, "\n".join(f"modprobe {name}" for name in missing)))
        unloaded = tuple(name for name, state in states.items() if state != "loaded")
        return Pending(tuple(changes), seen=_ModulesSeen(unloaded, file))

    async def settle(self, target: Target, pending: Pending[_ModulesSeen]) -> None:
        """Load what is missing and write the file; raises `StepError` when a required one cannot be had."""
        if not pending.seen.file.is_done:
            await self._file.settle(target, pending.seen.file)
        if not pending.seen.unloaded:
            return
        loaded = await target.host.run(script("modules-load"), *pending.seen.unloaded)
        if loaded.ok:
            return
        states = await self._states(target)
        absent = [name for name in self.required if states[name] != "loaded"]
        if absent:
            raise StepError(
                "modules_absent", node=target.host.name, modules=", ".join(absent), evidence=loaded.error_text
            )

    async def remove(self, target: Target) -> None:
        """Delete the file; what is loaded stays until the next boot."""
        await self._file.remove(target)

    @property
    def _file(self) -> ManagedFile:
        return ManagedFile(self.path, plain("\n".join((self.header, *self.required, *self.helpful, ""))))

    async def _states(self, target: Target) -> dict[str, str]:
        answer = await target.host.must(script("modules-state"), *self.required, *self.helpful)
        states = dict(line.split(" ", 1) for line in answer.text.splitlines() if " " in line)
        return {name: states.get(name, "absent") for name in (*self.required, *self.helpful)}


@dataclass(frozen=True, slots=True)
class _ParametersSeen:
    """What is to be done about parameters."""

    wanted: Mapping[str, str]
    wrong: tuple[str, ...]
    """Settings, as ``key=value``, that do not hold now."""
    file: Pending[Any]


@dataclass(frozen=True, slots=True)
class KernelParameters:
    """Kernel parameters that hold now and after every boot; of a minimum the host may have more."""

    path: str
    """File under ``/etc/sysctl.d``."""
    header: str
    exact: Mapping[str, str] = field(default_factory=dict)
    at_least: Mapping[str, int] = field(default_factory=dict)

    async def pending(self, target: Target) -> Pending[_ParametersSeen]:
        """Parameters that have another value now, and the file."""
        present = await self._present(target)
        wanted = self._wanted(present)
        file = await self._file(wanted).pending(target)
        changes = list(file.changes)
        if wrong := _settings(wanted, present):
            commands = "\n".join(f"sysctl -w {setting}" for setting in wrong)
            changes.append(Change(ChangeKind.COMMAND, T("plan.change.sysctl", count=len(wrong)), commands))
        return Pending(tuple(changes), seen=_ParametersSeen(wanted, tuple(wrong), file))

    async def settle(self, target: Target, pending: Pending[_ParametersSeen]) -> None:
        """Set them now and write the file; raises `StepError` when the kernel refuses one."""
        seen = pending.seen
        if not seen.file.is_done:
            await self._file(seen.wanted).settle(target, seen.file)
        if seen.wrong:
            done = await target.host.run(script("sysctl-set"), *seen.wrong)
            if not done.ok:
                raise StepError("sysctl_refused", node=target.host.name, evidence=done.error_text)

    async def remove(self, target: Target) -> None:
        """Delete the file; what is set stays until the next boot."""
        await self._file({}).remove(target)

    def _wanted(self, present: Mapping[str, str]) -> dict[str, str]:
        minima = {key: str(max(low, _number(present.get(key, "")))) for key, low in self.at_least.items()}
        return {**self.exact, **minima}

    def _file(self, wanted: Mapping[str, str]) -> ManagedFile:
        lines = [self.header, *(f"{key} = {value}" for key, value in wanted.items()), ""]
        return ManagedFile(self.path, plain("\n".join(lines)))

    async def _present(self, target: Target) -> dict[str, str]:
        answer = await target.host.must(script("sysctl-state"), *self.exact, *self.at_least)
        return dict(line.split("=", 1) for line in answer.text.splitlines() if "=" in line)


def _settings(wanted: Mapping[str, str], present: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in wanted.items() if present.get(key) != value]


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0
