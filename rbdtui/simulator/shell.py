"""The login shell of a simulated host: reads the command line that rbdtui sends and runs the verb it names."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rbdtui.simulator.call import BytesInput, Call, Input, Verbs
from rbdtui.simulator.machine import Machine, Sudo, User
from rbdtui.transport.scripts import OUTPUT_MARK, PREFIX

_EVAL: Final = re.compile(r'(?:exec <"\$1" && shift && )?eval "\$\(head -c (\d+)\)"(?: # \w+)?')
_WHO: Final = 'exec <"$1" && shift && id -u'
_FEED: Final = re.compile(r"(?P<read>.*IFS= read -r pw; )?.*\bsudo (?P<options>-[^$]*?) timeout ")
_PASSWORD_LINE_BYTES: Final = 4096


@dataclass(slots=True)
class Session:
    """One command of one login."""

    machine: Machine
    user: User
    stdin: Input
    write_out: Callable[[bytes], None]
    write_error: Callable[[bytes], None]
    has_terminal: bool = False
    is_root: bool = False

    def complain(self, text: str, status: int) -> int:
        """Write to standard error and give the exit status."""
        self.write_error(text.encode() + b"\n")
        return status


async def run_command(session: Session, command: str, verbs: Verbs) -> int:
    """Run a command line; the exit status. What a simulated host does not know ends with 127."""
    session.is_root = session.user.name == "root"
    for write in (session.write_out, session.write_error):
        write(session.machine.greeting.encode())
    try:
        words = shlex.split(command)
    except ValueError as error:
        return session.complain(f"sh: 1: Syntax error: {error}", 2)
    return await _run(session, words, verbs)


async def _run(session: Session, words: list[str], verbs: Verbs) -> int:
    match words:
        case ["env", "LC_ALL=C", *rest]:
            return await _run(session, rest, verbs)
        case ["sudo", *rest]:
            return await _sudo(session, rest, verbs)
        case ["cat", "|", "sh", "-c", text, name, limit, command, *args] if fed := _FEED.match(text):
            return await _feed(session, fed, ["timeout", "-k", "5", limit, "sh", "-c", command, name, *args], verbs)
        case ["sh", "-c", text, name, *_] if text == _WHO and name.startswith(PREFIX):
            return await _run(session, ["id", "-u"], verbs)
        case ["timeout", *rest]:
            return await _timeout(session, rest, verbs)
        case ["env", *rest]:
            return await _run(session, rest[sum("=" in word for word in rest[:1]) :], verbs)
        case ["exec", *rest]:
            return await _run(session, rest, verbs)
        case ["sh", "-c", text, name, *args] if name.startswith(PREFIX):
            return await _script(session, text, name.removeprefix(PREFIX), args, verbs)
        case ["true"] | ["exit"] | [":"]:
            return 0
        case ["id", "-u"]:
            session.write_out(b"0\n" if session.is_root else b"1000\n")
            return 0
        case _:
            return session.complain(f"simulated host: this command is not known here: {shlex.join(words)[:200]}", 127)


async def _timeout(session: Session, words: list[str], verbs: Verbs) -> int:
    while words and words[0].startswith("-"):
        words = words[2:] if words[0] in {"-k", "-s"} else words[1:]
    if not words:
        return session.complain("timeout: missing operand", 125)
    limit_s = float(words[0].removesuffix("s"))
    try:
        async with asyncio.timeout(limit_s or None):
            return await _run(session, words[1:], verbs)
    except TimeoutError:
        return 124


async def _script(session: Session, text: str, name: str, args: list[str], verbs: Verbs) -> int:
    found = _EVAL.fullmatch(text)
    if found is None:
        return session.complain(f"simulated host: {PREFIX}{name} does not come over standard input", 127)
    source = await _read_exactly(session.stdin, int(found[1]))
    if len(source) < int(found[1]):
        return session.complain("sh: 1: Syntax error: end of file unexpected", 2)
    session.write_out(OUTPUT_MARK)
    session.write_error(OUTPUT_MARK)
    verb = verbs.get(name)
    if verb is None:
        return session.complain(f"simulated host: there is no handler for the script {name}", 127)
    await session.machine.awake.wait()
    for failure in session.machine.failures:
        if failure[0] == name:
            session.machine.failures.remove(failure)
            return session.complain(failure[2], failure[1])
    user = "root" if session.is_root else session.user.name
    call = Call(
        session.machine, name, tuple(args), source.decode("utf-8", "replace"), session.stdin,
        session.write_out, session.write_error, verbs, user,
    )  # fmt: skip
    try:
        return await verb(call)
    except OSError as error:
        return session.complain(f"sh: 1: cannot use '{error.filename}': {error.strerror}", 1)


async def _read_exactly(stdin: Input, size_bytes: int) -> bytes:
    data = b""
    while len(data) < size_bytes and (more := await stdin.read(size_bytes - len(data))):
        data += more
    return data


async def _read_line(stdin: Input) -> str:
    line = b""
    while len(line) < _PASSWORD_LINE_BYTES and (byte := await stdin.read(1)) not in {b"", b"\n"}:
        line += byte
    return line.decode("utf-8", "replace")


async def _feed(session: Session, fed: re.Match[str], words: list[str], verbs: Verbs) -> int:
    """A shell that gives sudo one line of standard input and leaves the rest to the command."""
    line = await _read_line(session.stdin) if fed["read"] else None
    rest, session.stdin = session.stdin, BytesInput(b"" if line is None else line.encode() + b"\n")
    refused = await _sudo(session, shlex.split(fed["options"]), verbs)
    session.stdin = rest
    return refused or await _run(session, words, verbs)


async def _sudo(session: Session, words: list[str], verbs: Verbs) -> int:
    options: set[str] = set()
    while words and words[0].startswith("-"):
        option, *words = words
        if option == "--":
            break
        if option in {"-p", "-u", "-g", "--prompt", "--user"}:
            words = words[1:]
        options |= {f"-{letter}" for letter in option.lstrip("-")} if not option.startswith("--") else {option}
    refused = await _authorize(session, options)
    if refused is not None:
        return refused
    session.is_root = True
    return await _run(session, words or ["true"], verbs)


async def _authorize(session: Session, options: set[str]) -> int | None:
    """What sudo says when it refuses, as an exit status; None when it agrees."""
    user = session.user
    if user.sudo is Sudo.ABSENT:
        return session.complain("sh: 1: sudo: not found", 127)
    if user.sudo is Sudo.TTY and not session.has_terminal:
        return session.complain("sudo: sorry, you must have a tty to run sudo", 1)
    if session.is_root or user.sudo is Sudo.FREE:
        return None
    if "-n" in options or "-S" not in options:
        return session.complain("sudo: a password is required", 1)
    password = await _read_line(session.stdin)
    if not password or password != user.password:
        # sudo asks three times; nobody has three passwords on standard input, so the next line ends it.
        session.complain("Sorry, try again.", 1)
        return session.complain("sudo: no password was provided\nsudo: 1 incorrect password attempt", 1)
    if user.sudo is Sudo.NONE:
        return session.complain(f"{user.name} is not in the sudoers file.", 1)
    return None
