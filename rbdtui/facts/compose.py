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


def compose(facts: Iterable[Fact[Any]]) -> Script:
    """One script that asks all facts and tells the host's time before and after."""
    calls = [f"ask {fact.name} {fact.limit_s} {shlex.quote(fact.command)}\n" for fact in facts]
    return Script(NAME, _HEAD + "".join(calls) + "tell_time\n")


def split_outputs(stdout: str, stderr: str = "") -> dict[str, Output]:
    """Each fact's output by name, without control characters; one without its end mark was cut off and is left out."""
    errors = _errors(_plain(stderr))
    outputs: dict[str, Output] = {}
    pattern = rf"^{_BEGIN} (\w+)\n(.*?)\n{_END} \1 (\d+)$"
    for name, text, status in re.findall(pattern, _plain(stdout), re.MULTILINE | re.DOTALL):
        outputs[name] = Output(int(status), text, errors.get(name, ""))
    return outputs


def _plain(text: str) -> str:
    return _NOT_TEXT.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def _errors(stderr: str) -> dict[str, str]:
    parts = re.split(rf"^{_BEGIN} (\w+)\n", stderr, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def frame_outputs(outputs: Mapping[str, Output], host_time: float) -> str:
    """What the script prints on standard output for these answers: for hosts that are simulated."""
    time_line = f"{CLOCK_MARK} {host_time:.9f}\n"
    framed = (f"{_BEGIN} {name}\n{out.text}\n{_END} {name} {out.status}\n" for name, out in outputs.items())
    return time_line + "".join(framed) + time_line
