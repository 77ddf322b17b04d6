"""Copying a directory between simulated hosts: rsync's daemon, and the script that watches and sends.

Sources: rsync 3.2.7, rsyncd.conf(5) (hosts allow, auth users, secrets file, strict modes, pre-xfer exec), rsync(1)
(exit values, ``--delete``, ``--password-file``), clientserver.c (words of refusals); inotify-tools 3.22,
src/inotifywait.cpp (words at the limit); inotify(7).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from typing import Final

from rbdtui.simulator.files import Entry, Kind
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.units import ServiceFailed, Unit

PUSH, COPY = "nfs-push-rbdtui", "nfs-copy-rbdtui"
STATE: Final = "/var/lib/rbdtui/nfs-copy/state"
SCRIPT: Final = "/usr/local/sbin/rbdtui-nfs-copy"
PORT: Final = 873
_LIMIT: Final = "fs.inotify.max_user_watches"
_AT_LIMIT: Final = (
    "Failed to watch {path}; upper limit on inotify watches reached! Please increase the amount of inotify watches "
    "allowed per user via `/proc/sys/fs/inotify/max_user_watches'."
)
_TICK_S: Final = 3.0
_AGAIN_S: Final = 30.0


class RsyncFailed(Exception):  # noqa: N818 - how a transfer ended
    """The exit status of rsync with its words."""


def role_of(machine: Machine, path: str) -> str:
    """What the mark in a directory says."""
    return next(iter(re.findall(r"^role (\S+)$", machine.files.text(f"{path}/.rbdtui-nfs"), re.MULTILINE)), "")


class RsyncDaemon:
    """One start of rsync's daemon on a machine, with one module."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.settings: Mapping[str, str] = {}

    async def __call__(self, unit: Unit) -> None:
        """Take transfers until stopped; raises `ServiceFailed` when its port is taken."""
        machine = self._machine
        config = next(iter(re.findall(r"--config=(\S+)", machine.unit_definition(COPY))), "/etc/rsyncd.conf")
        pairs = (line.partition("=") for line in machine.files.text(config).splitlines() if "=" in line)
        self.settings = {key.strip(): value.strip() for key, _, value in pairs}
        port = int(self.settings.get("port", PORT))
        try:
            machine.listen(port, "rsync", address=self.settings.get("address", "0.0.0.0"))  # noqa: S104 - simulated
        except OSError as error:
            unit.log(f"bind() failed: {error} (address-family 2)")
            raise ServiceFailed(10) from error
        machine.rsync = self
        unit.ready()
        try:
            await asyncio.Event().wait()
        finally:
            machine.rsync = None
            machine.unlisten(port, address=self.settings.get("address", "0.0.0.0"))  # noqa: S104 - simulated

    def let_in(self, client: Machine, user: str, password: str) -> str:
        """The directory of its module; raises `RsyncFailed`."""
        machine, settings = self._machine, self.settings
        if str(client.ip) not in settings.get("hosts allow", str(client.ip)).split():
            raise RsyncFailed("5 @ERROR: Unknown module 'nfs'")  # in these words where it is not listed
        secrets = machine.files.get(settings.get("secrets file", ""))
        if secrets is None or secrets.mode & 0o077 or f"{user}:{password}".encode() not in secrets.content.split(b"\n"):
            raise RsyncFailed("5 @ERROR: auth failed on module nfs")
        path = settings.get("path", "")
        if role_of(machine, path) != "copy" or path in machine.exported:
            raise RsyncFailed(f"4 pre-xfer exec returned failure (256): {path}/.rbdtui-nfs does not say that")
        return path


class Push:
    """One start of the script that watches and sends."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        text = machine.files.text(SCRIPT)
        found = dict(re.findall(r"^(path|copy)=(\S+)$", text, re.MULTILINE))
        self._path, self._address = found.get("path", ""), found.get("copy", "")
        self._login = re.search(r"--password-file=(\S+)", text), re.search(r"rsync://(\w+)@", text)
        self._complete_s = int(self._kept().get("complete", "0"))

    def _kept(self) -> dict[str, str]:
        return dict(re.findall(r"^(\w+) (.*)$", self._machine.files.text(STATE), re.MULTILINE))

    async def __call__(self, unit: Unit) -> None:
        """Look, copy when something has changed, say how it stands; until stopped."""
        machine = self._machine
        unit.ready()
        copied: object = None
        failed = ""
        while True:
            began = int(machine.clock())
            watching = self._watching()
            present = self._tree()
            if failed or present != copied or watching != "yes":
                failed = await self._pass()
                copied = None if failed else present
            if not failed:
                self._complete_s = began
            directories = sum(entry.kind is Kind.DIRECTORY for entry in self._entries().values()) + 1
            machine.files.put(
                STATE,
                f"complete {self._complete_s}\ntook 0\ndirectories {directories}\nwatching {watching}\n"
                f"failed {failed}\n",
            )
            await machine.network.pace.sleep(_AGAIN_S if failed else _TICK_S)

    def _watching(self) -> str:
        count = sum(entry.kind is Kind.DIRECTORY for entry in self._entries().values()) + 1
        if "inotifywait" not in self._machine.tools:
            return "no inotifywait: not found"
        return "yes" if count <= int(self._machine.sysctl[_LIMIT]) else f"no {_AT_LIMIT.format(path=self._path)}"

    def _entries(self) -> dict[str, Entry]:
        return dict(_below(self._machine, self._path))

    def _tree(self) -> object:
        return {
            path: (entry.kind, entry.mode, entry.owner, bytes(entry.content), entry.target)
            for path, entry in self._entries().items()
        }

    async def _pass(self) -> str:
        """Copy all of it; why not, with rsync's exit status."""
        machine = self._machine
        if role_of(machine, self._path) != "source":
            return f"source {self._path}/.rbdtui-nfs does not say that this server is the source"
        try:
            target, _ = await machine.network.find(machine, self._address, PORT)
            if target.rsync is None:
                return "10 rsync: [sender] did not see server greeting"
            file, user = self._login
            password = machine.files.text(file[1] if file else "").partition("\n")[0]
            place = target.rsync.let_in(machine, user[1] if user else "", password)
        except OSError as error:
            return f"10 rsync: [sender] failed to connect to {self._address}: {error.strerror}"
        except RsyncFailed as refused:
            return str(refused)
        _mirror(machine, self._path, target, place)
        return ""


def _below(machine: Machine, path: str) -> Iterator[tuple[str, Entry]]:
    for each in machine.files.walk(path):
        entry = machine.files.get(each, follow=False)
        if entry is not None and each not in (f"{path}/.rbdtui-nfs", f"{path}/lost+found"):
            yield each.removeprefix(path), entry


def _mirror(source: Machine, path: str, target: Machine, place: str) -> None:
    """What ``rsync -a --delete`` leaves, but for what is left out."""
    wanted = dict(_below(source, path))
    for below, entry in list(_below(target, place)):
        if below not in wanted or wanted[below].kind is not entry.kind:
            target.files.remove(f"{place}{below}")
    for below, entry in wanted.items():
        if entry.kind is Kind.DIRECTORY:
            target.files.mkdir(f"{place}{below}", mode=entry.mode)
        elif entry.kind is Kind.LINK:
            target.files.link(entry.target, f"{place}{below}")
        else:
            target.files.write(f"{place}{below}", bytes(entry.content), mode=entry.mode, owner=entry.owner)
