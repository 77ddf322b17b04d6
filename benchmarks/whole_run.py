"""P11: the whole installation of three servers and an agent on the lab's real hosts, by us, by hand, and by Ansible.

Every run has hosts of its own, fresh from the image. What is timed is the one command that installs; what any of them
wants beforehand (a site with pinned keys, an inventory, Python on the hosts for Ansible) is made outside of the time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.contenders.recipes import ROOT
from benchmarks.peers import Peer
from benchmarks.report import Section
from benchmarks.scene import BenchmarkError
from tests.lab import Lab

LAB = "bench"
LIMIT_S = 900.0
BAR = 1.1
"""Of what the same takes by hand."""
_PASSPHRASE = "a-passphrase-of-the-benchmark"
_SPEC = """apiVersion: rbdtui/v1
name: bench
profile: kubernetes-only
bundle: {bundle}
ssh: {{user: root, key: {key}}}
nodes:
{nodes}
kubernetes:
  distribution: rke2
  api: {{mode: vip, address: {vip}}}
gateway: {{mode: keepalived, vip: {vip}/{prefix}, virtual_router_id: 87}}
"""
_PYTHON = [
    "python3", "python3-minimal", "python3.11", "python3.11-minimal", "libpython3-stdlib",
    "libpython3.11-minimal", "libpython3.11-stdlib", "media-types", "libsqlite3-0", "libncursesw6", "libnsl2",
    "libtirpc3", "libtirpc-common", "libreadline8", "readline-common", "libexpat1", "libffi8", "libbz2-1.0",
    "libuuid1", "libssl3", "libkrb5-3", "libgssapi-krb5-2", "libkrb5support0", "libk5crypto3", "libcom-err2",
    "libkeyutils1", "libdb5.3", "libcrypt1", "liblzma5",
]  # fmt: skip
"""What Debian 12 needs for the Python that Ansible's modules run in."""


@dataclass(frozen=True)
class Way:
    """One way to install."""

    title: str
    prepare: Callable[[Lab, Path], tuple[list[str], Mapping[str, str]]]
    """Gives the command to be timed, and what is added to its environment."""


@dataclass
class Times:
    """How long each run of a way took, in seconds."""

    way: Way
    taken_s: list[float] = field(default_factory=list)


def whole_run(peers: Mapping[str, Peer], directory: Path, runs: int) -> Section:
    """Install so many times by each way, in turn; raises `BenchmarkError` when a cluster did not come about."""
    if reason := Lab.supported():
        raise BenchmarkError(f"P11 needs the lab: {reason}")
    ways = [
        Way("rbdtui run", _ours),
        Way("by hand (ssh, scp, shell)", _by_hand),
        Way(f"{peers['ansible'].title} playbook", lambda lab, place: _ansible(peers["ansible"], lab, place)),
    ]
    series = [Times(way) for way in ways]
    for number in range(runs):
        for times in series:
            times.taken_s.append(_install(times.way, directory / f"p11-{number}"))
    return _section(series)


def _section(series: list[Times]) -> Section:
    own, by_hand, ansible = series
    ratio = median(own.taken_s) / median(by_hand.taken_s)
    behind = "ahead of" if median(own.taken_s) < median(ansible.taken_s) else "behind"
    met = "Met" if ratio <= BAR and behind == "ahead of" else "Not met"
    section = Section(
        "P11", "three servers and an agent with a VIP and proof, on fresh real hosts",
        f"at most {BAR} times the same by hand, ahead of an Ansible playbook",
        ("way", "median s", "all s", "of by hand"),
        verdict=f"{met}: {ratio:.2f} times by hand, {behind} Ansible",
    )  # fmt: skip
    for times in series:
        every = ", ".join(f"{taken:.0f}" for taken in times.taken_s)
        share = median(times.taken_s) / median(by_hand.taken_s)
        section.rows.append([times.way.title, f"{median(times.taken_s):.0f}", every, f"{share:.2f}"])
        section.raw += [(times.way.title, number, taken) for number, taken in enumerate(times.taken_s)]
    return section


def _install(way: Way, place: Path) -> float:
    """Seconds that one installation took, on hosts made for it."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    with Lab(LAB, hosts=4) as lab:
        command, environment = way.prepare(lab, place)
        begun = time.monotonic()
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        taken_s = time.monotonic() - begun
        if done.returncode != 0:
            raise BenchmarkError(f"{way.title} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        _prove(lab, way)
    print(f"P11 {way.title}: {taken_s:.1f} s", file=sys.stderr)
    return taken_s


def _prove(lab: Lab, way: Way) -> None:
    """All four nodes are Ready, asked through the virtual address."""
    command = (
        "/var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml "
        f"--server=https://{lab.vips[0]}:6443 get nodes --no-headers"
    )
    listed = lab.inside("n1", command).stdout
    if listed.count(" Ready ") != len(lab.hosts):
        raise BenchmarkError(f"{way.title} left this behind:\n{listed}")


def _ours(lab: Lab, place: Path) -> tuple[list[str], Mapping[str, str]]:
    site, passphrase = place / "site", place / "passphrase"
    passphrase.write_text(_PASSPHRASE + "\n")
    rbdtui = [sys.executable, "-m", "rbdtui"]
    given = ["--passphrase-file", str(passphrase)]
    subprocess.run([*rbdtui, "init", str(site), *given], check=True, capture_output=True, timeout=60)
    servers = "[control-plane, etcd, worker, gateway]"
    nodes = [
        f"  - {{name: {host.name}, address: {host.address}, roles: {servers if number < 3 else '[worker]'}}}"
        for number, host in enumerate(lab.hosts.values())
    ]
    site.joinpath("cluster.yaml").write_text(
        _SPEC.format(
            bundle=lab.bundle, key=lab.key, nodes="\n".join(nodes), vip=lab.vips[0], prefix=lab.network.prefixlen
        )
    )
    subprocess.run([*rbdtui, "trust", str(site), "--yes", *given], check=True, capture_output=True, timeout=60)
    return [*rbdtui, "run", str(site), "--yes", *given], {}


def _by_hand(lab: Lab, place: Path) -> tuple[list[str], Mapping[str, str]]:
    return [str(ROOT / "tests/lab/by_hand.sh"), lab.name], {}


def _ansible(peer: Peer, lab: Lab, place: Path) -> tuple[list[str], Mapping[str, str]]:
    """Inventory and settings; the hosts get Python first, as somebody has to bring it there."""
    _give_python(lab, place)
    known_hosts = place / "known_hosts"
    known_hosts.write_text("".join(f"{line}\n" for name in lab.hosts for line in lab.host_keys(name)))
    hosts = list(lab.hosts.values())
    servers = {h.name: {"ansible_host": h.address, "priority": 100 - n} for n, h in enumerate(hosts[:3])}
    variables = {
        "ansible_user": "root", "ansible_ssh_private_key_file": str(lab.key), "bundle": str(lab.bundle),
        "ansible_python_interpreter": "/usr/bin/python3", "vip": lab.vips[0], "prefix": lab.network.prefixlen,
        "token": "a-token-of-the-benchmark",
    }  # fmt: skip
    agents = {h.name: {"ansible_host": h.address} for h in hosts[3:]}
    inventory = {"all": {"vars": variables, "children": {"servers": {"hosts": servers}, "agents": {"hosts": agents}}}}
    (place / "inventory.json").write_text(json.dumps(inventory))
    options = f"-F none -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile={known_hosts}"
    (place / "ansible.cfg").write_text(
        "[defaults]\nforks = 10\n[connection]\npipelining = True\n"
        f"[ssh_connection]\nssh_args = {options}\ncontrol_path_dir = {place / 'cp'}\n"
    )
    playbook = ROOT / "benchmarks/contenders/cluster.yml"
    path = f"{Path(peer.program('python')).parent}:{os.environ.get('PATH', '')}"
    environment = {"PATH": path, "ANSIBLE_CONFIG": str(place / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    return [peer.program("ansible-playbook"), "-i", str(place / "inventory.json"), str(playbook)], environment


def _give_python(lab: Lab, place: Path) -> None:
    packages = place.parent / "python-packages"
    if not packages.exists():
        packages.mkdir()
        subprocess.run(
            ["apt-get", "download", "-q", *_PYTHON], cwd=packages, check=True, capture_output=True, timeout=300
        )
    options = ["-F", "none", "-i", str(lab.key), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    for host in lab.hosts.values():
        lab.ssh(host.name, "mkdir -p /var/tmp/python")
        files = [str(file) for file in sorted(packages.glob("*.deb"))]
        copy = ["scp", "-q", *options, *files, f"root@{host.address}:/var/tmp/python/"]
        subprocess.run(copy, check=True, capture_output=True, timeout=120)
        lab.ssh(
            host.name, "dpkg -i --force-depends /var/tmp/python/*.deb >/dev/null 2>&1; python3 -c 'import json, ssl'"
        )
