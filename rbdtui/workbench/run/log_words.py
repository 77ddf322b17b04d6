"""What a line of a program's log says, without the form in which it says it: logrus's pairs, klog's head."""

from __future__ import annotations

import re
from typing import Final

_LOGFMT: Final = re.compile(r'time="[^"]{1,40}" level=(\w{1,10}) msg=(?:"((?:[^"\\]|\\.)*)"|(\S*))(.*)\Z', re.DOTALL)
"""As logrus writes where there is no terminal; RKE2, K3s and containerd do."""
_KLOG: Final = re.compile(r"([IWEF])\d{4} [\d:.]{8,18} +\d{1,10} ([\w.-]{1,80}:\d{1,6})\] (.*)\Z", re.DOTALL)
"""As klog writes; kubelet and the control plane do."""
_LOUD: Final = {
    "W": "WARN", "E": "ERROR", "F": "FATAL",
    "warning": "WARN", "warn": "WARN", "error": "ERROR", "fatal": "FATAL", "panic": "FATAL",
}  # fmt: skip
_ESCAPES: Final = {"n": " ", "t": " ", "r": " "}


def log_message(line: str) -> str:
    """The message of a line, in front of it how bad it is unless all is well; a line in another form as it is.

    What stands behind the message, such as the error that it speaks of, stays behind it.
    """
    if (pairs := _LOGFMT.match(line)) is not None:
        level, quoted, bare, rest = pairs.groups()
        message = re.sub(r"\\(.)", lambda sign: _ESCAPES.get(sign[1], sign[1]), quoted) if quoted is not None else bare
        return " ".join(part for part in (_LOUD.get(level, ""), message, rest.strip()) if part)
    if (klog := _KLOG.match(line)) is not None:
        level, _, message = klog.groups()
        return " ".join(part for part in (_LOUD.get(level, ""), message) if part)
    return line
