"""Facts on what changes a host behind its owner's back: the next boot, services that tidy up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from rbdtui.facts.fact import Fact, words

GUARDED: Final = (
    "/etc/fstab",
    "/etc/hosts",
    "/etc/keepalived",
    "/etc/modules-load.d",
    "/etc/rancher",
    "/etc/resolv.conf",
    "/etc/sysctl.d",
    "/etc/systemd/system",
)
"""Files and directories that the plan writes to and hardening guides make immutable."""
_MODES: Final = frozenset({"enforcing", "permissive", "disabled"})
_ANSWERS: Final = {"yes": True, "no": False}

T = TypeVar("T")


def _last_word(read: Callable[[str], T], absent: T) -> Callable[[str], T]:
    """A parser that makes something of the last line that is not empty."""

    def parse(text: str) -> T:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return read(lines[-1]) if lines else absent

    return parse


def parse_mode(word: str) -> str:
    """A mode of SELinux in lower case; '' for anything else."""
    mode = word.strip("\"' ").lower()
    return mode if mode in _MODES else ""


def parse_immutable(text: str) -> tuple[str, ...]:
    """The paths that ``lsattr -d`` shows as immutable or append-only."""
    rows = (line.partition(" ") for line in text.splitlines())
    return tuple(path.strip() for flags, _, path in rows if set("ia") & set(flags) and path.strip().startswith("/"))


SELINUX_AT_BOOT: Fact[str] = Fact(
    "selinux_at_boot",
    "sed -n 's/^[[:space:]]*SELINUX=//p' /etc/selinux/config 2>/dev/null || :",
    _last_word(parse_mode, ""),
    "",
)
CLOCK_SYNCHRONISED: Fact[bool | None] = Fact(
    "clock_synchronised",
    """command -v timedatectl >/dev/null || exit 0
timedatectl show -p NTPSynchronized 2>/dev/null | sed 's/.*=//' | grep . ||
  timedatectl status 2>/dev/null | sed -n 's/.*synchronized: *//p'
exit 0""",
    _last_word(_ANSWERS.get, None),
    None,
)
"""``timedatectl show`` is there since systemd 239; a line with ``synchronized:`` was there before as well."""
HOSTS_REWRITTEN: Fact[bool] = Fact(
    "hosts_rewritten",
    """command -v cloud-init >/dev/null || exit 0
[ ! -e /etc/cloud/cloud-init.disabled ] || exit 0
grep -hsE '^[[:space:]]*manage_etc_hosts[[:space:]]*:' /etc/cloud/cloud.cfg /etc/cloud/cloud.cfg.d/*.cfg \
  /var/lib/cloud/instance/cloud-config.txt | sed 's/#.*//; s/.*:[[:space:]]*//'
exit 0""",
    _last_word(lambda word: word.strip("\"' ").lower() in {"true", "localhost", "template", "yes", "on"}, False),
    False,
)
"""Whether cloud-init writes ``/etc/hosts`` anew at each boot (``manage_etc_hosts``)."""
IMMUTABLE: Fact[tuple[str, ...]] = Fact(
    "immutable",
    f"""command -v lsattr >/dev/null || exit 0
for path in {words(*GUARDED)}; do [ ! -e "$path" ] || lsattr -d "$path" 2>/dev/null; done
exit 0""",
    parse_immutable,
    (),
)
NETWORKD_KEEPS: Fact[bool] = Fact(
    "networkd_keeps",
    """grep -lrsE '^ *KeepConfiguration *= *(yes|static)' \
  /etc/systemd/network /run/systemd/network /usr/lib/systemd/network | head -n 1
exit 0""",
    lambda text: bool(text.strip()),
    False,
)
"""Whether systemd-networkd is told to leave addresses alone that it did not set."""
