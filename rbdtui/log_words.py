"""What a line of a program's log says, without the form in which it says it and whatever stands before it.

Forms: pairs as logrus and go-kit write them, objects as zap and logrus do, klog's head, stamps with a level; around
them what container runtimes and syslog put in front of a line.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from rbdtui.bounded_json import read_json
from rbdtui.terminal_text import sanitize_line

_ISO: Final = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
_SLASHED: Final = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?"
_LEVELS: Final = "trace|debug|info|notice|note|warn|warning|error|err|crit|critical|alert|emerg|fatal|panic|dpanic"
_LOUD: Final = {
    "warn": "WARN", "warning": "WARN", "w": "WARN", "error": "ERROR", "err": "ERROR", "e": "ERROR",
    "crit": "FATAL", "critical": "FATAL", "alert": "FATAL", "emerg": "FATAL", "fatal": "FATAL", "panic": "FATAL",
    "dpanic": "FATAL", "f": "FATAL",
}  # fmt: skip
_ANY_FORM: Final = re.compile(r'(?:msg|message)=|"(?:msg|message|log)"|\d\d:\d\d:\d\d')
"""One of these is in every line that has a form."""
_BEGINS: Final = r"(?:^\s{0,40}|(?<=[:|\]]\s)|(?<=：))"
"""A line of its own, or one behind the name of who wrote it."""
_WRAPPED: Final = re.compile(
    rf"{_BEGINS}(?:{_ISO} (?:stdout|stderr) [FP] |"
    r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S{1,255} ([\w.@/-]{1,80})(?:\[\d{1,10}\])?: )"
)
"""As containerd and CRI-O write what a container says (CRI), and as syslog and journalctl do, with the program."""
_PAIRS: Final = re.compile(r"(?<![^\s：])(?=(?:time|ts|level|lvl|severity)=)")
_PAIR: Final = re.compile(r'([A-Za-z_][\w.-]{0,59})=(?:"((?:[^"\\]|\\.)*+)(?:"|\\?\Z)|([^\s"]*))(?:\s+|\Z)', re.DOTALL)
"""As logrus, slog and go-kit write; a text that was cut off ends with the line. RKE2, K3s and containerd are logrus."""
_OBJECT: Final = re.compile(r'(?<![^\s：])(?=\{\s?")')
_MEMBER: Final = re.compile(r'"(\w{1,20})"\s?:\s?"((?:[^"\\]|\\.)*+)', re.DOTALL)
"""Of an object that was cut off."""
_KLOG: Final = re.compile(r"(?<![^\s：])([IWEF])\d{4} [\d:.]{8,18} {1,8}\d{1,10} [\w.-]{1,80}:\d{1,6}\] ")
"""As klog writes; kubelet and the control plane do."""
_LEVELLED: Final = re.compile(
    rf"(?<![^\s：])(?:{_ISO}|{_SLASHED})\s(?:-\s)?(?:([\w.-]{{1,80}})\s-\s)?(?:\d{{1,10}}\s)?"
    rf"(?:\[((?i:{_LEVELS}))\]|({_LEVELS.upper()})\b)(?:\s?[:|-])?\s{{1,8}}"
)
"""As Python's logging, zap's console, MySQL and nginx write."""
_STAMPED: Final = re.compile(rf"(^\s{{0,40}})(?:{_ISO}\s(?=\S{{1,400}}\s+\S)|{_SLASHED} )+|([:|\]]\s|：){_SLASHED} ")
"""As Go's log writes, and kubectl with --timestamps; one word behind a stamp may belong to it."""
_STAMP_BEHIND: Final = re.compile(rf"(?:{_ISO}|{_SLASHED})\s{{1,4}}\Z")
_HEAD_CHARS: Final = 400
"""How far from a line's beginning a form may begin."""
_LAYERS: Final = 4
_MESSAGE: Final = ("msg", "message")
_LEVEL: Final = ("level", "lvl", "severity")
_FORM: Final = frozenset({*_MESSAGE, *_LEVEL, "time", "ts", "timestamp", "caller", "source", "stacktrace"})
"""Keys that tell when, how bad and from where in the program: form, and not what is said."""
_ESCAPES: Final = {"n": " ", "t": " ", "r": " "}


def log_message(line: str) -> str:
    """The message of a line, in front of it how bad it is unless all is well; a line in another form as it is.

    Names that stand before the program's own line stay before the message; stamps go. What stands behind the message,
    such as the error that it speaks of, stays behind it.
    """
    if not _ANY_FORM.search(line):
        return line
    kept = ""
    for _ in range(_LAYERS):
        wrapped = _WRAPPED.search(line[:_HEAD_CHARS])
        if wrapped is not None:
            kept += line[: wrapped.start()] + (f"{wrapped[1]}: " if wrapped[1] else "")
            line = line[wrapped.end() :]
        elif (docker := _of_docker(line)) is not None:
            line = docker
        else:
            break
    said = [found for form in _FORMS if (found := form(line)) is not None]
    if said:
        begins, message = min(said)
        return kept + _STAMP_BEHIND.sub("", line[:begins]) + message
    return kept + _STAMPED.sub(r"\1\2", line, count=1)


def log_messages(text: str) -> str:
    """Each line's message; line feeds stay."""
    return "\n".join(map(log_message, text.split("\n"))) if _ANY_FORM.search(text) else text


def _of_docker(line: str) -> str | None:
    """What docker's json-file holds of a container's line."""
    if not line.startswith('{"log":'):
        return None
    try:
        said = read_json(line)
    except ValueError:
        return None
    return sanitize_line(said["log"]) if isinstance(said.get("log"), str) and "stream" in said else None


def _of_pairs(line: str) -> tuple[int, str] | None:
    """Where pairs begin and what they say."""
    at = 0
    for found in _PAIRS.finditer(line[:_HEAD_CHARS]):
        if found.start() < at:
            continue
        at, seen, behind = found.start(), dict[str, str](), list[str]()
        while (pair := _PAIR.match(line, at)) is not None:
            key, quoted, bare = pair.groups()
            at = pair.end()
            seen[key] = _unquoted(quoted) if quoted is not None else bare
            if key in _MESSAGE:
                level = next((seen[name] for name in _LEVEL if name in seen), "")
                return found.start(), _joined(level, seen[key], line[at:].strip(), *behind)
            if key not in _FORM:
                behind.append(pair[0].strip())
    return None


def _of_object(line: str) -> tuple[int, str] | None:
    """Where an object in JSON begins and what it says; only one that tells how bad it is, as answers do not."""
    for found in _OBJECT.finditer(line[:_HEAD_CHARS]):
        said: dict[str, Any]
        try:
            said = read_json(line[found.start() :])
        except ValueError:
            said = {key: _unquoted(text) for key, text in _MEMBER.findall(line, found.start())}
        message = next((said[name] for name in _MESSAGE if isinstance(said.get(name), str)), None)
        level = next((said[name] for name in _LEVEL if isinstance(said.get(name), str)), None)
        if message is not None and level is not None:
            behind = [f"{key}={_shown(value)}" for key, value in said.items() if key not in _FORM]
            return found.start(), sanitize_line(_joined(level, message, *behind))
    return None


def _of_klog(line: str) -> tuple[int, str] | None:
    found = _KLOG.search(line[:_HEAD_CHARS])
    return (found.start(), _joined(found[1], line[found.end() :])) if found is not None else None


def _of_levelled(line: str) -> tuple[int, str] | None:
    found = _LEVELLED.search(line[:_HEAD_CHARS])
    if found is None:
        return None
    logger, bracketed, bare = found.groups()
    return found.start(), _joined(bracketed or bare, (f"{logger}: " if logger else "") + line[found.end() :])


_FORMS: Final = (_of_pairs, _of_object, _of_klog, _of_levelled)


def _joined(level: str, *parts: str) -> str:
    return " ".join(part for part in (_LOUD.get(level.lower(), ""), *parts) if part)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", lambda sign: _ESCAPES.get(sign[1], sign[1]), text)
