"""P12: Rainbond with all below it on three of the lab's real hosts, by us and by hand with ssh and helm.

Databases are in a real MySQL outside, the registry is Rainbond's own. By hand the stages follow one another as in the
maker's guide: keepalived, Kubernetes, images, helm, and then one looks whether the console answers. What both want
beforehand (databases, a site with pinned keys) is made outside of the time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final
from urllib.request import urlopen

from benchmarks.contenders.recipes import ROOT
from benchmarks.report import Section
from benchmarks.scene import BenchmarkError
from tests.lab import Lab
from tests.lab.servers import databases
from tests.lab.servers.databases import Database, database

LAB: Final = "bench"
LIMIT_S: Final = 1800.0
BAR: Final = 1.1
"""Of what the same takes by hand."""
_PASSPHRASE: Final = "a-passphrase-of-the-benchmark"
_USER, _PASSWORD = "rbd", "A-password-of-the-benchmark-7"
_SPEC: Final = """apiVersion: rbdtui/v1
name: bench
profile: rainbond-6
bundle: {bundle}
ssh: {{user: root, key: {key}}}
nodes:
{nodes}
kubernetes:
  distribution: rke2
  api: {{mode: vip, address: {vip}}}
gateway: {{mode: keepalived, vip: {vip}/{prefix}, virtual_router_id: 87}}
mysql: {{mode: external, host: {host}, port: {port}, username: {user}, password: secret:mysql}}
rainbond: {{version: v6.2.1-release, domain_suffix: apps.lab.lan}}
"""
Prepare = Callable[[Lab, Database, Path], tuple[list[str], Mapping[str, str]]]


def whole_rainbond(runs: int = 1) -> Section:
    """Install so many times by each way, in turn; raises `BenchmarkError` when no Rainbond came about."""
    if reason := Lab.supported() or databases.unavailable("8.0"):
        raise BenchmarkError(f"P12 needs the lab: {reason}")
    ways: Mapping[str, Prepare] = {"rbdtui run": _ours, "by hand (ssh, scp, helm)": _by_hand}
    taken_s: dict[str, list[float]] = {title: [] for title in ways}
    for _ in range(runs):
        for title, prepare in ways.items():
            taken_s[title].append(_install(title, prepare))
    own, by_hand = (median(each) for each in taken_s.values())
    section = Section(
        "P12", "Rainbond on three fresh real hosts with a VIP, MySQL outside, its own registry, and proof",
        f"at most {BAR} times the same by hand with helm, stage after stage",
        ("way", "median s", "all s", "of by hand"),
        verdict=f"{'Met' if own <= BAR * by_hand else 'Not met'}: {own / by_hand:.2f} times by hand",
    )  # fmt: skip
    for title, every in taken_s.items():
        shown = ", ".join(f"{each:.0f}" for each in every)
        section.rows.append([title, f"{median(every):.0f}", shown, f"{median(every) / by_hand:.2f}"])
        section.raw += [(title, number, each) for number, each in enumerate(every)]
    return section


def _install(title: str, prepare: Prepare) -> float:
    """Seconds that one installation took, on hosts made for it."""
    with _stage() as (lab, mysql, place):
        command, environment = prepare(lab, mysql, place)
        begun = time.monotonic()
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        taken_s = time.monotonic() - begun
        if done.returncode != 0:
            raise BenchmarkError(f"{title} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        with urlopen(f"http://{lab.vips[0]}:7070/console/config/info", timeout=20) as answer:
            if answer.status != 200:
                raise BenchmarkError(f"{title} left a console that answers {answer.status}")
        if not mysql.root("SELECT table_name FROM information_schema.tables WHERE table_schema = 'console'"):
            raise BenchmarkError(f"{title} left the console's database empty")
    print(f"P12 {title}: {taken_s:.1f} s", file=sys.stderr)
    return taken_s


@contextmanager
def _stage() -> Iterator[tuple[Lab, Database, Path]]:
    with (
        tempfile.TemporaryDirectory(prefix="rbdbench-") as place,
        Lab(LAB, hosts=3) as lab,
        database("8.0", "--skip-name-resolve", address=lab.jump_address) as mysql,
    ):
        mysql.root(f"CREATE USER {_USER}@'%' IDENTIFIED WITH mysql_native_password BY '{_PASSWORD}'")
        for name in ("console", "region"):
            mysql.root(
                f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
                f"GRANT ALL ON {name}.* TO {_USER}@'%'",
            )
        yield lab, mysql, Path(place)
        shutil.rmtree(Path(place) / "site", ignore_errors=True)


def _ours(lab: Lab, mysql: Database, place: Path) -> tuple[list[str], Mapping[str, str]]:
    site, passphrase = place / "site", place / "passphrase"
    passphrase.write_text(_PASSPHRASE + "\n")
    passphrase.chmod(0o600)
    rbdtui, given = [sys.executable, "-m", "rbdtui"], ["--passphrase-file", str(passphrase)]

    def prepared(*words: str, stdin: str = "") -> None:
        subprocess.run([*rbdtui, *words, *given], input=stdin, check=True, capture_output=True, text=True, timeout=60)

    prepared("init", str(site))
    roles = "[control-plane, etcd, worker, gateway, build]"
    nodes = [f"  - {{name: {host.name}, address: {host.address}, roles: {roles}}}" for host in lab.hosts.values()]
    site.joinpath("cluster.yaml").write_text(
        _SPEC.format(
            bundle=lab.bundle, key=lab.key, nodes="\n".join(nodes), vip=lab.vips[0], prefix=lab.network.prefixlen,
            host=mysql.address, port=mysql.port, user=_USER,
        )
    )  # fmt: skip
    prepared("secret", "set", str(site), "mysql", stdin=_PASSWORD)
    prepared("trust", str(site), "--yes")
    return [*rbdtui, "run", str(site), "--yes", *given], {}


def _by_hand(lab: Lab, mysql: Database, place: Path) -> tuple[list[str], Mapping[str, str]]:
    given = f"{mysql.address} {mysql.port} {_USER} {_PASSWORD}"
    return [str(ROOT / "tests/lab/by_hand.sh"), lab.name, "rainbond"], {"BY_HAND_MYSQL": given}
