"""Facts on the kernel: modules, settings, control groups, SELinux and AppArmor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rbdtui.facts.fact import Fact, sections, words

MODULES: Final = (
    "br_netfilter",
    "ceph",
    "ip_tables",
    "iptable_filter",
    "iptable_nat",
    "nf_conntrack",
    "nf_tables",
    "nft_compat",
    "overlay",
    "rbd",
    "vxlan",
)
"""Kernel modules that containers, their network and its rules are made of, and those that mount Ceph's volumes."""
SYSCTL_KEYS: Final = (
    "net.ipv4.ip_forward",
    "net.bridge.bridge-nf-call-iptables",
    "net.bridge.bridge-nf-call-ip6tables",
    "fs.inotify.max_user_instances",
    "fs.inotify.max_user_watches",
)
"""Kernel settings that are looked at; the keys as ``sysctl`` writes them."""
CONTROLLERS: Final = ("cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer", "blkio", "hugetlb", "io")


@dataclass(frozen=True, slots=True)
class Modules:
    """Kernel modules, of those that matter."""

    loaded: frozenset[str] = frozenset()
    available: frozenset[str] = frozenset()
    knowable: bool = False


@dataclass(frozen=True, slots=True)
class Cgroups:
    """Control groups: version, controllers that are there, and those of them that cannot be written."""

    version: int = 0
    controllers: frozenset[str] = frozenset()
    read_only: frozenset[str] = frozenset()


def parse_modules(text: str) -> Modules:
    """Read lines ``loaded NAME``, ``builtin PATH.ko``, ``available PATH.ko…`` and ``lists``."""
    found: dict[str, set[str]] = {"loaded": set(), "builtin": set(), "available": set(), "lists": set()}
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        name = rest.rpartition("/")[2].partition(".ko")[0].replace("-", "_").strip()
        found[kind].add(name)
    present = frozenset(found["loaded"] | found["builtin"]) & set(MODULES)
    return Modules(present, present | (found["available"] & set(MODULES)), bool(found["lists"]))


def parse_sysctl(text: str) -> dict[str, str]:
    """Read lines ``key = value``."""
    pairs = (line.partition(" = ") for line in text.splitlines() if " = " in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def parse_cgroups(text: str) -> Cgroups:
    """Read the type of the tree's root, then ``v2`` with its controllers or one ``v1`` line per controller."""
    parts = sections(text)
    kind = "".join(parts["type"]).strip()
    if kind == "cgroup2fs":
        access, *controllers = " ".join(parts["v2"]).split()
        present = frozenset(controllers)
        return Cgroups(2, present, frozenset() if access == "rw" else present)
    states = dict(line.split() for line in parts["v1"] if line.strip())
    version = 1 if states else 0
    return Cgroups(version, frozenset(states), frozenset(name for name, access in states.items() if access == "ro"))


def parse_selinux(text: str) -> str:
    """The mode, in the words of ``getenforce`` in lower case; '' where there is no SELinux."""
    return {"1": "enforcing", "0": "permissive", "disabled": "disabled"}.get(text.strip(), "")


def parse_apparmor(text: str) -> bool:
    """Whether the kernel's parameter says ``Y``."""
    return text.strip() == "Y"


KERNEL_MODULES = Fact(
    "kernel_modules",
    f"""for name in {words(*MODULES)}; do
  [ ! -d "/sys/module/$name" ] || echo "loaded $name"
done
! grep -qw overlay /proc/filesystems || echo 'loaded overlay'
[ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || echo 'loaded br_netfilter'
[ ! -e /proc/sys/net/netfilter/nf_conntrack_max ] || echo 'loaded nf_conntrack'
[ ! -e /proc/net/ip_tables_names ] || echo 'loaded ip_tables'
dir=/lib/modules/$(uname -r)
[ -r "$dir/modules.dep" ] || exit 0
echo 'lists present'
names='/({"|".join(name.replace("_", "[-_]") for name in MODULES)})[.]ko'
grep -E "$names" "$dir/modules.builtin" 2>/dev/null | sed 's/^/builtin /'
grep -E "^[^:]*${{names}}[^:]*:" "$dir/modules.dep" | sed 's/:.*//; s/^/available /'""",
    parse_modules,
    Modules(),
)
SYSCTL: Fact[dict[str, str]] = Fact(
    "sysctl",
    f"""cd /proc/sys || exit 1
grep -H '' {words(*(key.replace(".", "/") for key in SYSCTL_KEYS))} 2>/dev/null | sed 's,/,.,g; s/:/ = /'
exit 0""",
    parse_sysctl,
    {},
)
CGROUPS = Fact(
    "cgroups",
    f"""echo '== type'
stat -f -c %T /sys/fs/cgroup
if [ -r /sys/fs/cgroup/cgroup.controllers ]; then
  echo '== v2'
  if [ -w /sys/fs/cgroup/cgroup.procs ]; then echo rw; else echo ro; fi
  cat /sys/fs/cgroup/cgroup.controllers
else
  echo '== v1'
  for name in {words(*CONTROLLERS)}; do
    [ -e "/sys/fs/cgroup/$name/cgroup.procs" ] || continue
    if [ -w "/sys/fs/cgroup/$name" ]; then echo "$name rw"; else echo "$name ro"; fi
  done
fi""",
    parse_cgroups,
    Cgroups(),
)
SELINUX = Fact(
    "selinux",
    "if [ -r /sys/fs/selinux/enforce ]; then cat /sys/fs/selinux/enforce; "
    "elif [ -e /etc/selinux/config ]; then echo disabled; fi",
    parse_selinux,
    "",
)
APPARMOR = Fact("apparmor", "cat /sys/module/apparmor/parameters/enabled 2>/dev/null || :", parse_apparmor, False)
