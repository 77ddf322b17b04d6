"""systemd units that shall run, with the inputs that they were last started with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from rbdtui.plan.content import Content
from rbdtui.plan.resources.base import STATE_DIR, Looked, Removable, Resource, Target, look_at, settle_all
from rbdtui.plan.step import Change, ChangeKind, Pending, StepError
from rbdtui.together import together
from rbdtui.transport.base import Host
from rbdtui.transport.files import read_start, remove_file, write_file
from rbdtui.transport.scripts import script
from rbdtui.words import T

_NOTE_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class UnitState:
    """A unit as systemd sees it; the words are systemd's own."""

    unit: str
    load: str
    active: str
    sub: str
    result: str
    file_state: str
    needs_daemon_reload: bool = False

    @property
    def is_present(self) -> bool:
        """Whether there is such a unit."""
        return self.load not in ("", "not-found")

    @property
    def is_enabled(self) -> bool:
        """Whether it starts at boot (a static or generated one has no say in that)."""
        return self.file_state in ("enabled", "static", "generated", "alias", "indirect")

    def __str__(self) -> str:
        return f"{self.unit}: {self.load} {self.active} ({self.sub}) {self.file_state}"


async def unit_states(host: Host, *units: str) -> list[UnitState]:
    """How systemd sees units, in the order asked."""
    result = await host.must(script("unit-state"), *units)
    states = []
    for unit, block in zip(units, result.text.split("\n\n"), strict=False):
        value = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        states.append(
            UnitState(
                unit=unit,
                load=value.get("LoadState", ""),
                active=value.get("ActiveState", ""),
                sub=value.get("SubState", ""),
                result=value.get("Result", ""),
                file_state=value.get("UnitFileState", ""),
                needs_daemon_reload=value.get("NeedDaemonReload") == "yes",
            )
        )
    return states


async def unit_action(host: Host, unit: str, *actions: str, timeout_s: float = 90.0) -> None:
    """Do things with a unit, in order; raises `StepError` with the unit's last words when systemd cannot."""
    done = await host.run(script("unit-action"), unit, *actions, timeout_s=timeout_s)
    if not done.ok:
        words = done.error_text
        raise StepError(
            "unit_action", node=host.name, unit=unit, action=", ".join(actions), evidence=words, retryable=True
        )


def unit_change(action: str, unit: str) -> Change:
    """The change that doing something with a unit is: enable, start, restart, reload, stop, or disable it for good."""
    title = T(f"plan.change.unit_{action}", unit=unit)  # words: plan.change.*
    verb = "disable --now" if action == "disable" else action
    return Change(ChangeKind.SERVICE, title, f"systemctl {verb} {unit}")


def digest_of(contents: Iterable[Content | str]) -> str:
    """One digest for all that a unit is started with."""
    total = hashlib.sha256()
    for content in contents:
        total.update((content if isinstance(content, str) else content.sha256).encode() + b"\n")
    return total.hexdigest()


@dataclass(frozen=True, slots=True)
class Started:
    """Our note on the host of what a unit was last started (or made to read) with."""

    unit: str

    @property
    def path(self) -> str:
        """Where the note lies."""
        return f"{STATE_DIR}/started/{self.unit}"

    async def read(self, host: Host) -> str:
        """The digest; empty when there is no note."""
        found = await read_start(host, self.path, _NOTE_BYTES)
        return found.decode("ascii", "replace").strip() if found is not None else ""

    async def write(self, host: Host, digest: str) -> None:
        """Note a digest."""
        await write_file(host, self.path, f"{digest}\n".encode(), mode=0o600)

    async def forget(self, host: Host) -> None:
        """Take the note away, so that the unit counts as started with something else."""
        await remove_file(host, self.path)


@dataclass(frozen=True, slots=True)
class RunningUnit:
    """A unit that is enabled and runs with the present inputs; a running one is made to read new ones by a reload."""

    unit: str
    inputs: str
    """Digest of what it is configured with (`digest_of`)."""
    or_else: tuple[str, ...] = ()
    """Digests that are good as well, because a later step brings them."""
    is_ours: bool = True
    """Whether the unit may be stopped when everything is taken back."""
    restarts: bool = False
    """Whether it takes a restart, and no reload, to have it read its configuration."""

    async def pending(self, target: Target) -> Pending[UnitState]:
        """What systemd has to be told."""
        (state,), started = await together(unit_states(target.host, self.unit), Started(self.unit).read(target.host))
        changes = [] if state.is_enabled else [unit_change("enable", self.unit)]
        if state.active != "active":
            changes.append(unit_change("start", self.unit))
        elif state.needs_daemon_reload or started not in (self.inputs, *self.or_else):
            changes.append(self._reread)
        return Pending(tuple(changes), seen=state)

    def after_changes(self, pending: Pending[UnitState]) -> Pending[UnitState]:
        """A running unit reads what was changed, whatever it was started with."""
        is_told = any(change != unit_change("enable", self.unit) for change in pending.changes)
        if is_told:
            return pending
        return replace(pending, changes=(*pending.changes, self._reread))

    @property
    def _reread(self) -> Change:
        return unit_change("restart" if self.restarts else "reload", self.unit)

    async def settle(self, target: Target, pending: Pending[UnitState]) -> None:
        """Enable it, and start it or have it read its configuration."""
        reset = ["reset-failed"] if pending.seen.active == "failed" else []
        action = "restart" if self.restarts else "reload-or-restart"
        await unit_action(target.host, self.unit, "daemon-reload", "enable", *reset, action)
        await Started(self.unit).write(target.host, self.inputs)

    async def remove(self, target: Target) -> None:
        """Stop it and keep it from starting at boot, if we started it and it is ours."""
        (state,) = await unit_states(target.host, self.unit)
        if self.is_ours and state.is_present and await Started(self.unit).read(target.host):
            await unit_action(target.host, self.unit, "stop", "disable")
        await remove_file(target.host, Started(self.unit).path)


@dataclass(frozen=True, slots=True)
class StoppedUnits:
    """Units that must neither run nor start at boot, where a host has them."""

    units: tuple[str, ...]

    async def pending(self, target: Target) -> Pending[list[str]]:
        """Those that run or would."""
        wrong = await self._wrong(target)
        return Pending(tuple(unit_change("disable", unit) for unit in wrong), seen=wrong)

    async def settle(self, target: Target, pending: Pending[list[str]]) -> None:
        """Stop and disable them."""
        for unit in pending.seen:
            await unit_action(target.host, unit, "stop", "disable")

    async def _wrong(self, target: Target) -> list[str]:
        states = await unit_states(target.host, *self.units)
        return [s.unit for s in states if s.is_present and (s.active == "active" or s.file_state == "enabled")]


@dataclass(frozen=True, slots=True)
class WhereActive:
    """Resources that only matter on hosts where a unit is active."""

    unit: str
    resources: tuple[Resource, ...]

    async def pending(self, target: Target) -> Pending[tuple[Looked, ...]]:
        """What is pending of them; nothing where the unit is not active."""
        (state,) = await unit_states(target.host, self.unit)
        return await look_at(target, self.resources if state.active == "active" else ())

    async def settle(self, target: Target, pending: Pending[tuple[Looked, ...]]) -> None:
        """Settle those that need it."""
        await settle_all(target, pending)

    async def remove(self, target: Target) -> None:
        """Take them back, the last first."""
        for resource in reversed(self.resources):
            if isinstance(resource, Removable):
                await resource.remove(target)
