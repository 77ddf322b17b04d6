"""Facts on installed software: units, programs, packages, packet filters, earlier installations, our own claim."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from pydantic import TypeAdapter, ValidationError

from rbdtui.facts.fact import Fact, sections, shown, words
from rbdtui.facts.model import Claim, Firewall
from rbdtui.rke2_version import Rke2Version

UNITS: Final = (
    "chrony.service",
    "chronyd.service",
    "containerd.service",
    "crio.service",
    "docker.service",
    "fapolicyd.service",
    "firewalld.service",
    "haproxy.service",
    "iptables.service",
    "k3s.service",
    "k3s-agent.service",
    "keepalived.service",
    "kubelet.service",
    "NetworkManager.service",
    "nftables.service",
    "nm-cloud-setup.service",
    "nm-cloud-setup.timer",
    "ntp.service",
    "ntpd.service",
    "ntpsec.service",
    "openntpd.service",
    "rke2-agent.service",
    "rke2-server.service",
    "systemd-networkd.service",
    "systemd-timesyncd.service",
    "ufw.service",
    "wicked.service",
    "wickedd.service",
)
"""systemd units that are looked at."""
TOOLS: Final = (
    "apparmor_parser",
    "bash",
    "conntrack",
    "curl",
    "exportfs",
    "getent",
    "gzip",
    "haproxy",
    "inotifywait",
    "ip",
    "iptables",
    "journalctl",
    "keepalived",
    "modprobe",
    "mount",
    "mount.nfs",
    "mysqld",
    "mysqldump",
    "nft",
    "openssl",
    "ping",
    "rsync",
    "sha256sum",
    "ss",
    "sysctl",
    "systemctl",
    "systemd-run",
    "tar",
    "timeout",
)
"""Programs that are looked for in the path (with the directories for root's programs)."""
PACKAGES: Final = (
    "container-selinux",
    "containerd.io",
    "docker-ce",
    "docker.io",
    "haproxy",
    "keepalived",
    "kernel-modules-extra",
    "kubelet",
    "nfs-common",
    "nfs-kernel-server",
    "nfs-utils",
    "rke2-agent",
    "rke2-common",
    "rke2-selinux",
    "rke2-server",
)
"""Packages that are asked for, by the names of both families."""
LEFTOVER_PATHS: Final = (
    "/etc/cni",
    "/etc/kubernetes",
    "/etc/rancher",
    "/opt/cni",
    "/opt/rainbond",
    "/opt/rke2",
    "/usr/bin/rke2",
    "/usr/local/bin/k3s",
    "/usr/local/bin/rke2",
    "/usr/local/bin/rke2-uninstall.sh",
    "/var/lib/calico",
    "/var/lib/cni",
    "/var/lib/docker",
    "/var/lib/etcd",
    "/var/lib/kubelet",
    "/var/lib/rancher",
    "/var/lib/rook",
)
"""What installations of Kubernetes, Docker and Rainbond leave behind; directories count when they hold anything."""
SYSTEMD: Final = "/run/systemd/system"
"""Is there when systemd is in charge."""
FAPOLICYD_RULES: Final = "/etc/fapolicyd/rules.d/80-rke2.rules"
"""Where RKE2's own install script allows its directories (rancher/rke2, install.sh)."""
UDEV: Final = "/run/udev/control"
"""Is there while udev runs."""
FILES: Final = (
    FAPOLICYD_RULES,
    "/etc/NetworkManager/conf.d/rke2-canal.conf",
    "/etc/haproxy/haproxy.cfg",
    "/etc/keepalived/keepalived.conf",
    UDEV,
    SYSTEMD,
)
"""Files and directories whose presence matters."""
RKE2_BIN: Final = "/var/lib/rancher/rke2/bin"
_ADMIN: Final = "/etc/rancher/rke2/rke2.yaml"
CLAIM_FILE: Final = "/var/lib/rbdtui/claim.json"

_CLAIM: Final = TypeAdapter(Claim)
_RUNTIME: Final = re.compile(r"/data/(v[\w.-]{1,40})-(rke2r\d{1,3})-[0-9a-f]{12}/bin\s*$")


@dataclass(frozen=True, slots=True)
class Units:
    """systemd units, of those that matter."""

    active: frozenset[str] = frozenset()
    enabled: frozenset[str] = frozenset()


def parse_units(text: str) -> Units:
    """Read blocks of ``Id=``, ``ActiveState=``, ``UnitFileState=`` with an empty line between them."""
    active, enabled = set(), set()
    for block in _blocks(text):
        values = dict(line.split("=", 1) for line in block if "=" in line)
        name = values.get("Id", "").removesuffix(".service")
        if values.get("ActiveState") in ("active", "activating", "reloading"):
            active.add(name)
        if values.get("UnitFileState", "").startswith("enabled"):
            enabled.add(name)
    return Units(frozenset(active), frozenset(enabled))


def _blocks(text: str) -> Iterator[list[str]]:
    """The lines of a text in groups, as empty lines part them."""
    for is_block, lines in groupby(text.splitlines(), key=lambda line: bool(line.strip())):
        if is_block:
            yield list(lines)


def parse_names(text: str) -> frozenset[str]:
    """One name per line."""
    return frozenset(line.strip() for line in text.splitlines() if line.strip())


def parse_paths(text: str) -> tuple[str, ...]:
    """One path per line, in the order asked."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def parse_packages(text: str) -> frozenset[str]:
    """Read dpkg's ``name status`` lines (``ii`` is installed) and rpm's ``name installed`` lines."""
    parts = sections(text)
    deb = {line.split()[0] for line in parts.get("dpkg", ()) if line.split()[1:2] == ["ii"]}
    rpm = {line.split()[0] for line in parts.get("rpm", ()) if line.split()[1:] == ["installed"]}
    return frozenset(deb | rpm)


def parse_claim(text: str) -> Claim | None:
    """Read our marker; None when there is none. Raises `ValueError` when it is damaged."""
    if not text.strip():
        return None
    try:
        return _CLAIM.validate_python(json.loads(text))
    except ValidationError as error:
        raise ValueError(f"{CLAIM_FILE} is damaged") from error


def parse_rke2(text: str) -> Rke2Version | None:
    """The version in the name of the directory that RKE2 has unpacked its programs to; None when it tells none."""
    match = _RUNTIME.search(text)
    return Rke2Version.parse("+".join(match.groups())) if match is not None else None


def parse_firewall(text: str) -> Firewall:
    """Read ufw's switch, the INPUT chain as ``iptables -S`` writes it, and the chains that ``nft`` lists."""
    parts = sections(text)
    ufw = any(re.match(r"(?i)enabled=\"?yes", line.strip()) for line in parts.get("ufw", ()))
    closing = [line.strip() for line in parts.get("iptables", ()) if _closes(line.strip())]
    closing += [line.strip() for line in parts.get("nft", ()) if "policy drop" in line.partition("hook input ")[2]]
    return Firewall(ufw, bool(closing), tuple(closing))


def _closes(rule: str) -> bool:
    """Whether a rule of INPUT drops whatever reached it: its policy, or a jump without a condition."""
    return re.fullmatch(r"-P INPUT (DROP|REJECT)|-A INPUT -j (DROP|REJECT)( --reject-with \S+)?", rule) is not None


SYSTEMD_UNITS = Fact(
    "units",
    f"[ -d {SYSTEMD} ] && command -v systemctl >/dev/null || exit 0\n"
    f"systemctl show -p Id -p ActiveState -p UnitFileState {words(*UNITS)}",
    parse_units,
    Units(),
)
TOOLS_FOUND: Fact[frozenset[str]] = Fact(
    "tools",
    f'for name in {words(*TOOLS)}; do ! command -v "$name" >/dev/null || echo "$name"; done',
    parse_names,
    frozenset(),
)
PACKAGES_INSTALLED: Fact[frozenset[str]] = Fact(
    "packages",
    f"""if command -v dpkg-query >/dev/null; then
  echo '== dpkg'
  dpkg-query -W -f '${{Package}} ${{db:Status-Abbrev}}\\n' {words(*PACKAGES)} 2>/dev/null || :
fi
if command -v rpm >/dev/null; then
  echo '== rpm'
  rpm -q --qf '%{{NAME}} installed\\n' {words(*PACKAGES)} 2>/dev/null || :
fi""",
    parse_packages,
    frozenset(),
)
LEFTOVERS: Fact[tuple[str, ...]] = Fact(
    "leftovers",
    f"""holds_anything() {{
  [ -d "$1" ] || return 0
  for entry in "$1"/* "$1"/.[!.]*; do
    [ "${{entry##*/}}" != lost+found ] || continue
    if [ -e "$entry" ] || [ -L "$entry" ]; then return 0; fi
  done
  return 1
}}
for path in {words(*LEFTOVER_PATHS)}; do
  [ -e "$path" ] || [ -L "$path" ] || continue
  ! holds_anything "$path" || echo "$path"
done""",
    parse_paths,
    (),
)
FILES_FOUND: Fact[frozenset[str]] = Fact(
    "files", f'for path in {words(*FILES)}; do [ ! -e "$path" ] || echo "$path"; done', parse_names, frozenset()
)
CLAIM: Fact[Claim | None] = Fact("claim", f"[ ! -e {CLAIM_FILE} ] || {shown(CLAIM_FILE)}", parse_claim, None)
FIREWALL = Fact(
    "firewall",
    r"""echo '== ufw'
[ ! -r /etc/ufw/ufw.conf ] || grep -i '^enabled=' /etc/ufw/ufw.conf
iptables=$(command -v iptables) || iptables=
nf_tables=no
# A kernel that has it built in shows no module; whoever asks with a program would load one that is not.
builtin=/lib/modules/$(uname -r)/modules.builtin
if [ -d /sys/module/nf_tables ]; then nf_tables=yes
elif [ -r "$builtin" ]; then ! grep -q '/nf_tables\.ko' "$builtin" || nf_tables=yes
elif grep -qs -m 1 ' nf_tables_newtable' /proc/kallsyms; then nf_tables=yes
fi
if [ -n "$iptables" ]; then
  echo '== iptables'
  if grep -qx filter /proc/net/ip_tables_names 2>/dev/null; then
    iptables -S INPUT
  elif [ $nf_tables = yes ]; then
    case $(readlink -f "$iptables") in *nft*) iptables -S INPUT ;; esac
  fi
fi
if [ $nf_tables = yes ] && command -v nft >/dev/null; then
  echo '== nft'
  nft list chains | grep 'hook input '
fi
exit 0""",
    parse_firewall,
    Firewall(),
)
USERS_FOUND: Fact[frozenset[str]] = Fact(
    "users",
    """if command -v getent >/dev/null; then
  ! { getent passwd etcd && getent group etcd; } >/dev/null || echo etcd
else
  ! { grep -q '^etcd:' /etc/passwd && grep -q '^etcd:' /etc/group; } || echo etcd
fi""",
    parse_names,
    frozenset(),
)
"""Users that exist together with a group of the same name."""
RKE2_STARTED: Fact[Rke2Version | None] = Fact("rke2", f"readlink {RKE2_BIN} 2>/dev/null || :", parse_rke2, None)
"""RKE2 links to its programs anew at every start (rancher/rke2, pkg/bootstrap/bootstrap.go `Stage`)."""
RAINBOND_INSTALLED: Fact[str] = Fact(
    "rainbond",
    f"""[ -x {RKE2_BIN}/kubectl ] && [ -s {_ADMIN} ] || exit 0
{RKE2_BIN}/kubectl --kubeconfig {_ADMIN} --request-timeout=3s -n rbd-system \
  get rainbondclusters.rainbond.io rainbondcluster -o 'jsonpath={{.spec.installVersion}}' 2>/dev/null || :""",
    str.strip,
    "",
)
"""The chart writes its ``Cluster.installVersion`` there (goodrain/rainbond-chart, templates/rainbondcluster_helm.yaml);
an API that does not answer tells nothing, which no finding is made of."""
