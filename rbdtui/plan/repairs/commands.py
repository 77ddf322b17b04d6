"""Things on a host that one command puts right, where a look tells what is left to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from rbdtui.plan.resources.base import Target
from rbdtui.plan.resources.units import unit_action, unit_change, unit_states
from rbdtui.plan.step import Change, ChangeKind, Pending, StepError
from rbdtui.transport.base import Host
from rbdtui.transport.files import read_file
from rbdtui.transport.scripts import script
from rbdtui.words import T, Text

_SWAPS: Final = "/proc/swaps"
_USERS: Final = "/etc/passwd"


def command(title: Text, line: str) -> Pending[None]:
    """One command that is pending, as somebody would type it."""
    return Pending((Change(ChangeKind.COMMAND, title, line),))


async def must(host: Host, name: str, *arguments: str) -> None:
    """Run a script; raises `StepError` with its words when the host refuses, `TransportError`."""
    done = await host.run(script(name), *arguments)
    if not done.ok:
        raise StepError("repair_refused", node=host.name, evidence=done.error_text)


async def swaps_on(host: Host) -> tuple[str, ...]:
    """Files and devices that are swapped to now (proc(5); blanks in a name stand there as ``\\040``)."""
    found = await read_file(host, _SWAPS)
    lines = (found or b"").decode("utf-8", "replace").splitlines()[1:]
    return tuple(line.split()[0].replace("\\040", " ") for line in lines if line.strip())


async def attributes_of(host: Host, paths: Iterable[str]) -> Mapping[str, str]:
    """Files that nobody may change, with the letters that keep from it: i, a, or both."""
    wanted = tuple(paths)
    result = await host.must(script("attributes-state"), *wanted)
    said = dict(line.split(" ", 1)[::-1] for line in result.text.splitlines() if " " in line)
    return {path: said[path] for path in wanted if path in said}


async def users_of(host: Host) -> frozenset[str]:
    """Names of the users that the host itself knows."""
    found = await read_file(host, _USERS)
    return frozenset(line.partition(b":")[0].decode("utf-8", "replace") for line in (found or b"").splitlines())


@dataclass(frozen=True, slots=True)
class NoSwap:
    """No swap is on now."""

    async def pending(self, target: Target) -> Pending[None]:
        """Turning it off."""
        found = await swaps_on(target.host)
        return command(T("plan.change.swap_off"), "swapoff -a") if found else Pending()

    async def settle(self, target: Target, pending: Pending[None]) -> None:
        """Turn it off; what was swapped out must fit into memory."""
        await must(target.host, "swap-off")


@dataclass(frozen=True, slots=True)
class Changeable:
    """Files and directories that root may change."""

    paths: tuple[str, ...]

    async def pending(self, target: Target) -> Pending[tuple[str, ...]]:
        """Those that nobody may."""
        found = tuple(await attributes_of(target.host, self.paths))
        if not found:
            return Pending(seen=())
        shown = " ".join(found)
        change = Change(ChangeKind.COMMAND, T("plan.change.attributes", paths=shown), f"chattr -i -a {shown}")
        return Pending((change,), seen=found)

    async def settle(self, target: Target, pending: Pending[tuple[str, ...]]) -> None:
        """Take the attributes off."""
        await must(target.host, "attributes-clear", *pending.seen)


@dataclass(frozen=True, slots=True)
class SystemUser:
    """A user without a login, and a group of its name."""

    name: str
    comment: str

    async def pending(self, target: Target) -> Pending[None]:
        """Making it."""
        if self.name in await users_of(target.host):
            return Pending()
        line = f"useradd -r -c '{self.comment}' -s /sbin/nologin -M -U {self.name}"
        return command(T("plan.change.user", name=self.name), line)

    async def settle(self, target: Target, pending: Pending[None]) -> None:
        """Add the user; raises `StepError`."""
        await must(target.host, "user-add", self.name, self.comment)


@dataclass(frozen=True, slots=True)
class OneRuns:
    """One of several units, of which one is enough, runs and starts at boot; the first that the host has is taken."""

    units: tuple[str, ...]

    async def pending(self, target: Target) -> Pending[str]:
        """Starting it; raises `StepError` when the host has none."""
        states = [state for state in await unit_states(target.host, *self.units) if state.is_present]
        if not states:
            raise StepError("repair_no_unit", node=target.host.name, units=", ".join(self.units))
        if any(state.active == "active" for state in states):
            return Pending(seen="")
        unit = states[0].unit
        return Pending((unit_change("enable", unit), unit_change("start", unit)), seen=unit)

    async def settle(self, target: Target, pending: Pending[str]) -> None:
        """Enable and start it."""
        await unit_action(target.host, pending.seen, "enable", "start")
