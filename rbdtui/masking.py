"""Masks what has the form of a secret, where nobody knows its value: configuration files and logs of servers.

`rbdtui.redact` takes out values that are known; this takes out passwords that others made, as Rainbond's operator and
its chart do. It rather masks too much: a name that speaks of a password has its value masked, whatever it is. A
reference such as ``secret:mysql`` stays. What each form is from: docs/assumptions.md.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Final

from rbdtui.redact import MARK

_TELLING: Final = (
    r"(?:pass(?:wd|word|phrase)?|pwd|tokens?|secrets?|secret[_-]?key|access[_-]?key|api[_-]?key|private[_-]?key"
    r"|credentials?|auth|client-key-data|key[._-]pem|dockerconfigjson|identitytoken)"
)
"""The end of a name whose value is a secret."""
_NAME: Final = rf"(?<![\w.\-/])[A-Za-z0-9_.\-/]{{0,80}}{_TELLING}"
_BETWEEN: Final = r"(?:\\?[\"'][ \t]*[:=][ \t]*|[ \t]*:[ \t]+|:(?=[\"'\\])|[ \t]*=[ \t]*)"
"""Between a name and its value; a bare colon is part of a reference such as ``secret:mysql``."""
_KEPT: Final = r"(?!\\?[\"']?(?:secret:[A-Za-z0-9]|\*{6})|(?:true|false|null|nil|none|yes|no)\b|[{\[|>]?[ \t]*$)"
"""Values that say nothing: references of cluster.yaml, switches, and what goes on in the lines below."""
_VALUE: Final = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\n]|'')*'|\\\"(?:(?!\\\").)*\\\"|[^\s,;}\]\"'<]+"

Replacer = Callable[[re.Match[str]], str]


def _keep_start(match: re.Match[str]) -> str:
    value = match[0][len(match["start"]) :]
    quote = next((quote for quote in ('\\"', '"', "'") if value.startswith(quote)), "")
    return f"{match['start']}{quote}{MARK}{quote}"


def _base64_key(match: re.Match[str]) -> str:
    """A base64 text that holds a private key."""
    text = match[0]
    try:
        decoded = base64.b64decode(text[: len(text) // 4 * 4])
    except (binascii.Error, ValueError):
        return text
    return MARK if b"PRIVATE KEY" in decoded else text


_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?(?:-----END \1PRIVATE KEY-----|\Z)", re.DOTALL
)
"""In PEM, on lines of its own or in one line with escaped line feeds; also one that is cut off."""
_HINTS: Final = ("pass", "pwd", "token", "secret", "key", "credential", "auth", "bearer", "basic", "k10", "eyj", "@",
                 "identified", "ls0t", "docker", " -p")  # fmt: skip
"""Without any of these in lower case a line has nothing to mask."""
_RULES: Final[tuple[tuple[re.Pattern[str], str | Replacer], ...]] = (
    (re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{16,}={0,2}"), _base64_key),
    # RKE2's tokens, and Kubernetes' own (JWT).
    (re.compile(r"\bK10[0-9a-f]{64}::[^\s\"'\\]+"), MARK),
    (re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+"), MARK),
    (re.compile(r"(?P<start>\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), _keep_start),
    # A password in a URL, and in the data source name of Go's MySQL driver (user:password@tcp(host:3306)/db).
    (re.compile(r"(?P<start>://[^\s:/@\"']*:)[^\s/\"']+(?=@)"), _keep_start),
    (re.compile(r"(?P<start>(?<=[\w.\-]):)[^\s\"'=]{1,200}(?=@(?:tcp|unix)\()"), _keep_start),
    # The probe of Rainbond's database: mysql -uroot -pPASSWORD -e "SELECT 1".
    (re.compile(r"(?P<start>\s-p)[^\s\"']{1,200}(?=\s+-e\b)"), _keep_start),
    # keepalived.
    (re.compile(r"(?P<start>\bauth_pass\s+)\S+"), _keep_start),
    # Rainbond's operator: "... with username admin and password admin1234" (util/repositoryutil).
    (
        re.compile(r"(?P<start>\b(?:and|with|using|the) password:?\s+)(?!secret:)[^\s,;\"']+", re.IGNORECASE),
        _keep_start,
    ),
    (
        re.compile(r"(?P<start>\bIDENTIFIED\s+(?:WITH\s+\S+\s+)?(?:BY|AS)\s+)(?:'[^'\n]*'|\"[^\"\n]*\")", re.I),
        _keep_start,
    ),
    # An environment variable of a container: its value stands in the next line (YAML) or member (JSON).
    (
        re.compile(
            rf"(?P<start>\bname[\"']?:\s*[\"']?{_NAME}[\"']?,?\s+[\"']?value[\"']?:\s*){_KEPT}(?:{_VALUE})",
            re.IGNORECASE,
        ),
        _keep_start,
    ),
    (
        re.compile(
            rf"(?P<start>\\?[\"']name\\?[\"']:\s*\\?[\"']{_NAME}\\?[\"'],\s*\\?[\"']value\\?[\"']:\s*){_KEPT}(?:{_VALUE})",
            re.IGNORECASE,
        ),
        _keep_start,
    ),
    # name: value, name=value, "name": "value", --name=value, --name value; the name may be escaped in JSON in JSON.
    (
        re.compile(rf"(?P<start>{_TELLING}{_BETWEEN}){_KEPT}(?:{_VALUE})", re.IGNORECASE | re.MULTILINE),
        _keep_start,
    ),
    (
        re.compile(
            rf"(?P<start>(?:^|[\s\"])--(?:[a-z0-9-]{{0,40}}-)?{_TELLING}(?:\s+|\\?\",\s*\\?\"))(?!-|secret:|\*)[^\s\"'\\]+",
            re.IGNORECASE,
        ),
        _keep_start,
    ),
)


def mask(text: str) -> str:
    """The text with everything masked that has the form of a secret."""
    text = _PRIVATE_KEY.sub(f"-----BEGIN PRIVATE KEY----- {MARK}", text)
    done: list[str] = []
    suspect: list[str] = []
    goes_on = False
    for line in text.split("\n"):
        small = line.lower()
        hinted = any(hint in small for hint in _HINTS)
        if hinted or goes_on:
            suspect.append(line)
        else:
            done += _masked(suspect)
            suspect = []
            done.append(line)
        goes_on = hinted  # the value of an environment variable stands in the line below its name
    return "\n".join([*done, *_masked(suspect)])


def _masked(lines: list[str]) -> list[str]:
    if not lines:
        return []
    text = "\n".join(lines)
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return [text]
