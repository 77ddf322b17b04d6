"""The handlers of file and upload scripts against the scripts themselves, run by this machine's own shell."""

from __future__ import annotations

import asyncio
import grp
import hashlib
import os
import pwd
import subprocess
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from rbdtui.simulator.call import BytesInput, Call
from rbdtui.simulator.machine import Machine, User
from rbdtui.simulator.network import Network
from rbdtui.simulator.pace import Pace
from rbdtui.simulator.verbs import VERBS
from rbdtui.transport.scripts import script

OWNER = f"{pwd.getpwuid(os.getuid()).pw_name}:{grp.getgrgid(os.getgid()).gr_name}"
ROOT_ONLY = pytest.mark.skipif(os.getuid() != 0, reason="the script gives the file to root")
CONTENT = b"one\ntwo\n"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Step:
    """A script with its arguments; ``@`` stands for the directory in which all happens."""

    script: str
    args: tuple[str, ...]
    payload: bytes = b""


def write(path: str, content: bytes, *, mode: str = "644", backup: str = "", claimed: str = "") -> Step:
    told = (claimed or digest(content)).encode() + b"\n"
    return Step("file-write", (path, mode, OWNER, backup), told + content)


SCENARIOS: dict[str, tuple[Step, ...]] = {
    "write, write the same, change mode and content": (
        write("@/a/b", CONTENT),
        write("@/a/b", CONTENT),
        write("@/a/b", CONTENT, mode="600"),
        write("@/a/b", b"other\n"),
        Step("file-state", ("@/a/b", "@/none")),
        Step("file-read", ("@/a/b", "100")),
    ),
    "what does not arrive whole is not written": (
        write("@/a", CONTENT, claimed=digest(b"else")),
        Step("file-state", ("@/a",)),
        write("@/d/e", CONTENT),
        write("@/d", CONTENT),
    ),
    "a backup is the original and is made once": (
        write("@/f", b"first\n"),
        write("@/f", b"second\n", backup="@/backup/r1"),
        write("@/f", b"third\n", backup="@/backup/r1"),
        Step("file-read", ("@/backup/r1@/f", "100")),
        Step("file-restore", ("@/f", "@/backup")),
        Step("file-read", ("@/f", "100")),
    ),
    "what rbdtui itself made is removed, not restored": (
        write("@/f", b"# Written by rbdtui for site x; changes here are replaced\n"),
        write("@/f", b"second\n", backup="@/backup/r1"),
        Step("file-restore", ("@/f", "@/backup")),
        Step("file-restore", ("@/f", "@/backup")),
    ),
    "files are listed, hidden ones too, and nothing else": (
        Step("files-list", ("@/none",)),
        write("@/d/b.tar.zst", CONTENT),
        write("@/d/a", CONTENT),
        write("@/d/.cache.json", CONTENT),
        write("@/d/further/down", CONTENT),
        Step("files-list", ("@/d",)),
        Step("files-list", ("@/d/a",)),
        Step("files-list", ("@/d/further",)),
    ),
    "reading stops behind the limit, and at nothing": (
        write("@/f", b"x" * 50),
        Step("file-read", ("@/f", "10")),
        Step("file-read", ("@/none", "10")),
    ),
    "removing keeps a copy": (
        write("@/f", CONTENT),
        Step("file-remove", ("@/f", "@/backup")),
        Step("file-remove", ("@/f", "@/backup")),
        Step("file-read", ("@/backup@/f", "100")),
    ),
}
UPLOADS: dict[str, tuple[Step, ...]] = {
    "an upload in two parts": (
        Step("upload-receive", ("@/u/f", "0", "8", digest(CONTENT), "644"), CONTENT[:4]),
        Step("upload-receive", ("@/u/f", "4", "8", digest(CONTENT), "644"), CONTENT[4:]),
        Step("file-read", ("@/u/f", "100")),
    ),
    "parts of a file": (
        write("@/f", CONTENT),
        Step("file-part", ("@/f", "0", "3")),
        Step("file-part", ("@/f", "3", "100")),
        Step("file-part", ("@/f", "8", "1")),
        Step("file-part", ("@/none", "0", "1")),
    ),
    "an upload that arrives damaged": (
        Step("upload-receive", ("@/u/f", "0", "8", digest(b"else"), "644"), CONTENT),
        Step("file-state", ("@/u/f", "@/u/f.part")),
        Step("upload-receive", ("@/u/f", "4", "8", digest(CONTENT), "644"), CONTENT[4:]),
    ),
}


class Both:
    """The same steps on this machine's disk and on a simulated machine."""

    def __init__(self, directory: Path) -> None:
        self.directory = str(directory)
        name = pwd.getpwuid(os.getuid()).pw_name
        users = tuple(User(known) for known in {name, grp.getgrgid(os.getgid()).gr_name})
        self.machine = Machine("m", IPv4Interface("127.77.0.11/24"), Network(Pace(), 1), users)
        self.machine.files.mkdir(self.directory)

    def really(self, step: Step) -> tuple[int, bytes]:
        command = ["sh", "-c", script(step.script).file_text().decode(), step.script, *self._args(step)]
        ended = subprocess.run(command, input=step.payload, capture_output=True, check=False, timeout=20)
        return ended.returncode, ended.stdout

    async def simulated(self, step: Step) -> tuple[int, bytes]:
        out: list[bytes] = []
        call = Call(
            self.machine, step.script, self._args(step), "", BytesInput(step.payload), out.append, lambda _: None, VERBS
        )
        return await VERBS[step.script](call), b"".join(out)

    def _args(self, step: Step) -> tuple[str, ...]:
        return tuple(arg.replace("@", self.directory) for arg in step.args)

    def make(self, path: str) -> None:
        """An empty file on both."""
        place = path.replace("@", self.directory)
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        Path(place).touch()
        self.machine.files.put(place, b"", owner=OWNER)


async def compare(both: Both, steps: tuple[Step, ...]) -> None:
    for number, step in enumerate(steps):
        real = await asyncio.to_thread(both.really, step)
        assert await both.simulated(step) == real, f"step {number}: {step}"


@pytest.mark.parametrize("name", SCENARIOS)
async def test_file_scripts(tmp_path: Path, name: str) -> None:
    await compare(Both(tmp_path / "d"), SCENARIOS[name])


@ROOT_ONLY
@pytest.mark.parametrize("name", UPLOADS)
async def test_upload_scripts(tmp_path: Path, name: str) -> None:
    both = Both(tmp_path / "d")
    both.make("@/u/f.part")
    await compare(both, UPLOADS[name])
