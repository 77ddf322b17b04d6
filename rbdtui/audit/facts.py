"""What each of the three servers is asked: one script for all, composed as that of the other facts; changes nothing.

Passwords are masked on the host, by a word that YAML takes for one: those of keepalived, of MySQL and of the console
never leave it.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rbdtui.audit.files.gluster import Gluster, healing_of, online_of, parse_xml, peers_of, volumes_of
from rbdtui.audit.target import GRDATA, LB_API_PORT, OF_MANAGE, OF_VIP, ROOT, Target
from rbdtui.facts.fact import KIB, Fact, sections, words
from rbdtui.facts.network import INTERFACES, NAMESERVERS
from rbdtui.facts.ports import SOCKETS
from rbdtui.facts.system import HOSTNAME, OS_RELEASE
from rbdtui.transport.answers import UNREADABLE

UNITS: Final = ("docker", "kubelet", "glusterd", "keepalived", "nfs-server", "firewalld")
PROGRAMS: Final = (
    *("docker", "docker-compose", "dc-compose", "glusterd", "mount.glusterfs", "keepalived", "grctl", "rsync"),
    "curl",
)
ENVIRONMENT: Final = f"{ROOT}/envs/kubelet.sh"
KEEPALIVED: Final = "/etc/keepalived/keepalived.conf"
DYNAMICS: Final = f"{ROOT}/etc/rbd-lb/dynamics"
LB_DEFAULT: Final = f"{DYNAMICS}/dynamic_servers/default.http.conf"
KUBECONFIG: Final = f"{ROOT}/etc/kubernetes/kubecfg/admin.kubeconfig"
DOMAIN_LOG: Final = f"{ROOT}/.domain.log"
PILLAR: Final = "/srv/pillar/rainbond.sls"
UUID_FILE: Final = f"{ROOT}/etc/rbd-node/node_host_uuid.conf"
_MASKS: Final = " ".join(
    f"-e {shlex.quote(mask)}"
    for mask in (
        r"s/:[^ ]*@tcp(/:masked@tcp(/g",
        r"s/\(PASS[A-Z_]*[:=] *\).*/\1masked/",
        r"s/\(SECRET_KEY[:=] *\).*/\1masked/",
        r"s/\(auth_pass[[:space:]]\{1,\}\).*/\1masked/",
        r"s/\([Pp]assword[:=] *\).*/\1masked/",
        r"s/\([Tt]oken: *\).*/\1masked/",
    )
)


@dataclass(frozen=True, slots=True)
class FileText:
    """A file as it stands there; passwords are masked, and every line is where it was."""

    path: str
    text: str | None = None
    """None when there is no such file."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container that runs."""

    name: str
    image: str
    status: str


@dataclass(frozen=True, slots=True)
class UnitState:
    """A unit in systemd's words."""

    active: str = "unknown"
    enabled: str = "unknown"


@dataclass(frozen=True, slots=True)
class MountLine:
    """A mounted file system."""

    device: str
    place: str
    kind: str
    options: str = ""


def _file_command(path: str) -> str:
    quoted = shlex.quote(path)
    return f"""[ -f {quoted} ] || {{ echo '== absent'; exit 0; }}
echo '== file'
head -c {128 * KIB + 1} {quoted} | sed {_MASKS} -e 's/^/|/'"""


def _parse_file(path: str) -> Callable[[str], FileText]:
    def parse(text: str) -> FileText:
        parts = sections(text)
        if "file" not in parts:
            return FileText(path, None)
        return FileText(path, unmarked(parts["file"]))

    return parse


def unmarked(lines: list[str]) -> str:
    """The text of a file whose lines were marked, so that none of them could pass for a heading."""
    return "\n".join(line.removeprefix("|") for line in lines if line.startswith("|"))


def file_fact(name: str, path: str) -> Fact[FileText]:
    """A file of text, of 128 KiB at most."""
    return Fact(name, _file_command(path), _parse_file(path), FileText(path), limit_bytes=128 * KIB)


def _parse_compose(text: str) -> Mapping[str, str]:
    return {path: unmarked(lines) for path, lines in sections(text).items() if path.startswith("/")}


def _parse_containers(text: str) -> tuple[Container, ...] | None:
    lines = [line for line in text.splitlines() if line.strip()]
    if lines[:1] == ["== absent"]:
        return None
    rows = [line.split("|") for line in lines]
    return tuple(Container(*row[:3]) for row in rows if len(row) >= 3)


def _parse_units(text: str) -> Mapping[str, UnitState]:
    rows = (line.split() for line in text.splitlines())
    return {row[0]: UnitState(*row[1:3]) for row in rows if len(row) == 3}


def _parse_mounts(text: str) -> tuple[MountLine, ...]:
    rows = (line.split() for line in text.splitlines())
    return tuple(MountLine(*row[:4]) for row in rows if len(row) >= 4)


def _parse_pairs(text: str) -> Mapping[str, str]:
    pairs = (line.partition(" ") for line in text.splitlines() if line.strip())
    return {name: value.strip() for name, _, value in pairs}


def _parse_tree(text: str) -> Mapping[str, str] | None:
    if text.startswith("== absent"):
        return None
    rows = (line.split(maxsplit=1) for line in text.splitlines())
    return {row[1]: row[0] for row in rows if len(row) == 2}


def _parse_rows(text: str) -> tuple[tuple[str, ...], ...] | None:
    if text.startswith("== absent"):
        return None
    return tuple(tuple(line.split("\t")) for line in text.splitlines() if line.strip())


def _parse_gluster(text: str) -> Gluster:
    parts = sections(text)
    said: dict[str, str] = {}

    def read(name: str, of: Callable[[Any], Any]) -> Any:
        try:
            return of(parse_xml("\n".join(parts.get(name, []))))
        except UNREADABLE as error:
            said[name] = str(error)[:200]
            return None

    version = " ".join(parts.get("version", [])[:1])
    if "absent" in parts:
        return Gluster()
    return Gluster(
        version,
        read("peers", peers_of),
        read("volumes", volumes_of),
        read("status", online_of),
        read("heal", healing_of),
        said,
    )


COMPOSE_FILES: Fact[Mapping[str, str]] = Fact(
    "compose_files",
    f"""for file in {ROOT}/compose/*.yaml; do
  [ -f "$file" ] || continue
  echo "== $file"
  head -c {512 * KIB + 1} "$file" | sed {_MASKS} -e 's/^/|/'
  echo
done
exit 0""",
    _parse_compose,
    {},
    limit_bytes=512 * KIB,
)
CONTAINERS: Fact[tuple[Container, ...] | None] = Fact(
    "containers",
    """command -v docker >/dev/null || { echo '== absent'; exit 0; }
docker ps --format '{{.Names}}|{{.Image}}|{{.Status}}'""",
    _parse_containers,
    None,
    limit_s=15,
)
UNIT_STATES: Fact[Mapping[str, UnitState]] = Fact(
    "audit_units",
    f"""for unit in {words(*UNITS)}; do
  active=$(systemctl is-active "$unit" 2>/dev/null | head -n 1)
  enabled=$(systemctl is-enabled "$unit" 2>/dev/null | head -n 1)
  echo "$unit ${{active:-unknown}} ${{enabled:-unknown}}"
done
exit 0""",
    _parse_units,
    {},
)
PROGRAMS_FOUND: Fact[frozenset[str]] = Fact(
    "audit_programs",
    f"""for name in {words(*PROGRAMS)}; do ! command -v "$name" >/dev/null || echo "$name"; done
exit 0""",
    lambda text: frozenset(text.split()),
    frozenset(),
)
DYNAMIC_FILES: Fact[Mapping[str, str] | None] = Fact(
    "dynamics",
    f"""cd {DYNAMICS} 2>/dev/null || {{ echo '== absent'; exit 0; }}
find . -type f -exec sha256sum {{}} + | head -n 4000""",
    _parse_tree,
    None,
    limit_bytes=512 * KIB,
)
REGION: Fact[tuple[tuple[str, ...], ...] | None] = Fact(
    "region_info",
    """command -v docker >/dev/null || { echo '== absent'; exit 0; }
docker exec rbd-db mysql -N -B -e 'SELECT region_name, tcpdomain, wsurl, httpdomain FROM console.region_info'""",
    _parse_rows,
    None,
    limit_s=15,
)
"""Without a password, as that database is made."""
FSTAB: Final = file_fact("fstab", "/etc/fstab")
HOSTS: Final = file_fact("hosts", "/etc/hosts")
KUBELET: Final = file_fact("kubelet_environment", ENVIRONMENT)
KEEPALIVED_CONF: Final = file_fact("keepalived_conf", KEEPALIVED)
LB_CONF: Final = file_fact("lb_default", LB_DEFAULT)
DOMAIN: Final = file_fact("domain_log", DOMAIN_LOG)
SALT: Final = file_fact("pillar", PILLAR)
UUID: Final = file_fact("node_uuid", UUID_FILE)
SERVER_OF_KUBECONFIG: Fact[str | None] = Fact(
    "kubeconfig_server",
    f"""[ -f {KUBECONFIG} ] || {{ echo '== absent'; exit 0; }}
sed -n 's/^ *server: *//p' {KUBECONFIG} | head -n 1""",
    lambda text: None if text.startswith("== absent") else text.strip(),
    None,
)


GRDATA_ANSWERS: Fact[str] = Fact(
    "grdata_answers",
    f"""[ -d {GRDATA} ] || {{ echo absent; exit 0; }}
if said=$(timeout 5 ls {GRDATA} 2>&1 >/dev/null); then echo yes; else echo "no $said" | head -n 1; fi
exit 0""",
    str.strip,
    "",
    limit_s=10,
)
"""Whether the shared data can be listed: a mount whose servers are all away is still in the list of mounts."""


def mounts_fact(target: Target) -> Fact[tuple[MountLine, ...]]:
    """What is mounted where the shared data and the brick are."""
    places = "|".join(dict.fromkeys((GRDATA, target.brick.rstrip("/"), target.brick_mount)))
    return Fact(
        "audit_mounts",
        f"""while read -r device place kind options rest; do
  case $place in {places}) echo "$device $place $kind $options" ;; esac
done </proc/self/mounts
exit 0""",
        _parse_mounts,
        (),
    )


def names_fact(target: Target) -> Fact[Mapping[str, str]]:
    """Where names lead on this host: by its hosts file first, then by DNS."""
    names = words(*OF_VIP, *OF_MANAGE, *(server.name for server in target.servers))
    return Fact(
        "audit_names",
        f"""for name in {names}; do
  echo "$name $(timeout 3 getent ahostsv4 "$name" | {{ read -r address rest; echo "$address"; }})"
done
exit 0""",
        _parse_pairs,
        {},
        limit_s=40,
    )


def web_fact(target: Target) -> Fact[Mapping[str, str]]:
    """Status of HTTP from here: rbd-lb's own API, and what is behind it, on each compute node; 000 is no answer."""
    lines = ["command -v curl >/dev/null || exit 0", "ask() { label=$1; shift"]
    lines += ["""  echo "$label $(curl -s -k -o /dev/null -m 3 -w '%{http_code}' "$@")"; }"""]
    for server in target.computes:
        at = server.address
        lines += [
            f"ask {server.name}/api http://{at}:{LB_API_PORT}/",
            f"ask {server.name}/registry --resolve goodrain.me:443:{at} https://goodrain.me/v2/",
            f"ask {server.name}/maven --resolve maven.goodrain.me:80:{at} http://maven.goodrain.me/monitor",
        ]
    return Fact("audit_web", "\n".join([*lines, "exit 0"]), _parse_pairs, {}, limit_s=25)


def dns_fact(target: Target) -> Fact[Mapping[str, str]]:
    """What rbd-dns on each compute node answers from here."""
    lines = ["command -v dig >/dev/null || exit 0"]
    for server in target.computes:
        for name in (OF_VIP[0], *OF_MANAGE):
            asked = f"dig +short +time=2 +tries=1 @{server.address} {name} A 2>/dev/null | head -n 1"
            lines.append(f'echo "{server.name}/{name} $({asked})"')
    return Fact("audit_dns", "\n".join([*lines, "exit 0"]), _parse_pairs, {}, limit_s=25)


def gluster_fact(target: Target) -> Fact[Gluster]:
    """Pool, volumes, bricks and what is left to heal, as this server sees them.

    glusterd lets one server of a pool ask after a volume at a time, and refuses the others: they ask again.
    """
    return Fact(
        "gluster",
        f"""command -v gluster >/dev/null || {{ echo '== absent'; exit 0; }}
asked() {{
  for pause in 1 2 3 4 0; do
    said=$(timeout 15 gluster --mode=script --xml "$@")
    case $said in *'ocking failed'* | *'nother transaction is in progress'*) ;; *) break ;; esac
    sleep $((pause + $$ % 3))
  done
  printf '%s\\n' "$said"
}}
echo '== version'
gluster --version | head -n 1
echo '== peers'
asked peer status
echo '== volumes'
asked volume info
echo '== status'
asked volume status {target.volume}
echo '== heal'
asked volume heal {target.volume} info
exit 0""",
        _parse_gluster,
        Gluster(),
        limit_s=90,
        limit_bytes=512 * KIB,
    )


def facts_for(target: Target) -> tuple[Fact[Any], ...]:
    """All that is asked; those that can hang come last."""
    return (
        OS_RELEASE,
        HOSTNAME,
        INTERFACES,
        NAMESERVERS,
        SOCKETS,
        UNIT_STATES,
        PROGRAMS_FOUND,
        FSTAB,
        HOSTS,
        KUBELET,
        KEEPALIVED_CONF,
        LB_CONF,
        DOMAIN,
        SALT,
        UUID,
        SERVER_OF_KUBECONFIG,
        COMPOSE_FILES,
        DYNAMIC_FILES,
        mounts_fact(target),
        GRDATA_ANSWERS,
        CONTAINERS,
        REGION,
        names_fact(target),
        web_fact(target),
        dns_fact(target),
        gluster_fact(target),
    )
