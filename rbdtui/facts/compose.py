"""The script ``facts``: the commands of all facts in one, so that a host answers everything in one round trip.

Each command runs in a shell of its own under its own time limit, and its output stands between marks together with
its exit status: one that hangs or fails costs only itself.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any, Final

from rbdtui.facts.clock import MARK as CLOCK_MARK
from rbdtui.facts.fact import Fact, Output
from rbdtui.transport.scripts import Script

NAME: Final = "facts"
_BEGIN: Final = "@@fact"
_END: Final = "@@end"
_BEGIN_LINE: Final = re.compile(rf"{_BEGIN} (\w{{1,64}})")
_END_LINE: Final = re.compile(rf"{_END} (\w{{1,64}}) (\d{{1,3}})", re.ASCII)
MOST_LINE: Final = 4096
"""Characters of a line that are kept: as many as the kernel gives a line of the mount table."""

_NOT_TEXT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters and those that turn the direction of writing: a host may not steer the operator's terminal."""

_HEAD: Final = f"""# Asks this host what rbdtui wants to know of it; changes nothing. No arguments; always ends with 0.
ask() {{
  printf '{_BEGIN} %s\\n' "$1"
  printf '{_BEGIN} %s\\n' "$1" >&2
  timeout -k 1 "$2" sh -c "$3" </dev/null
  printf '\\n{_END} %s %s\\n' "$1" "$?"
}}
tell_time() {{
  printf '{CLOCK_MARK} '
  date +%s.%N
}}
tell_time
"""


def compose(facts: Iterable[Fact[Any]], name: str = NAME) -> Script:
    """One script that asks all facts and tells the host's time before and after."""
    calls = [f"ask {fact.name} {fact.limit_s} {shlex.quote(fact.command)}\n" for fact in facts]
    return Script(name, _HEAD + "".join(calls) + "tell_time\n")


def split_outputs(stdout: str, stderr: str = "") -> dict[str, Output]:
    """Each fact's output by name, without control characters and with lines of `MOST_LINE` characters at most.

    An output without its end mark was cut off and is left out. What stands between a fact's marks is its own, other
    marks among it. The cost is linear, whatever a host sends.
    """
    lines = stdout.split("\n")
    last_end = {end[1]: place for place, line in enumerate(lines) if (end := _END_LINE.fullmatch(line.rstrip("\r")))}
    errors = _errors(stderr)
    outputs: dict[str, Output] = {}
    name, begin = "", 0
    for place, line in enumerate(lines):
        if not name:
            found = _begun(line)
            if last_end.get(found, -1) > place:
                name, begin = found, place + 1
        elif line.startswith(_END) and (end := _END_LINE.fullmatch(line.rstrip("\r"))) and end[1] == name:
            size_bytes = sum(len(part.encode("utf-8", "replace")) + 1 for part in lines[begin:place]) - 1
            outputs[name] = Output(int(end[2]), _plain(lines[begin:place]), errors.get(name, ""), max(0, size_bytes))
            name = ""
    return outputs


def _begun(line: str) -> str:
    """The fact whose output begins after this line; empty for any other line."""
    begun = _BEGIN_LINE.fullmatch(line.rstrip("\r")) if line.startswith(_BEGIN) else None
    return begun[1] if begun else ""


def _plain(lines: Iterable[str]) -> str:
    return _NOT_TEXT.sub("\N{REPLACEMENT CHARACTER}", "\n".join(line.removesuffix("\r")[:MOST_LINE] for line in lines))


def _errors(stderr: str) -> dict[str, str]:
    parts: dict[str, list[str]] = {}
    current: list[str] = []
    for line in stderr.split("\n"):
        if name := _begun(line):
            current = parts[name] = []
        else:
            current.append(line)
    return {name: _plain(lines) for name, lines in parts.items()}


def frame_outputs(outputs: Mapping[str, Output], host_time: float) -> str:
    """What the script prints on standard output for these answers: for hosts that are simulated."""
    time_line = f"{CLOCK_MARK} {host_time:.9f}\n"
    framed = (f"{_BEGIN} {name}\n{out.text}\n{_END} {name} {out.status}\n" for name, out in outputs.items())
    return time_line + "".join(framed) + time_line
