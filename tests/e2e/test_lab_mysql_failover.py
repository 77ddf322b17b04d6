"""The source of a MySQL pair loses its power while it is written to, on real hosts: what is there after `failover`."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pymysql
import pytest

from rbdtui.bundle.scan import open_bundle
from rbdtui.errors import StepError
from rbdtui.facts.gather import gather_all
from rbdtui.facts.model import NodeFacts
from rbdtui.plan.builder import build_plan
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.mysql_pair import MysqlReplica, MysqlSource, server_state
from rbdtui.plan.steps.mysql_server import MysqlServer
from rbdtui.plan.steps.ship import InstallHostPackages
from rbdtui.probes.gtid import count_gtids, missing_gtids
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.spec.loader import load_spec
from rbdtui.transport.endpoints import endpoints_of
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool
from rbdtui.vault import Vault
from tests.e2e.lab_site import PASSPHRASE, LabSite, wait_for
from tests.lab import Lab
from tests.lab.mysql_package import bundle_with_mysql
from tests.lab.servers.databases import unavailable
from tests.plan.support import Heard, carry_out
from tests.plan.test_lab_steps import SECRETS
from tests.plan.test_mysql_pair import OWN

pytestmark = [
    pytest.mark.lab_long,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(unavailable("8.0")), reason=f"NOT TESTED AGAINST A REAL SERVER: {unavailable('8.0')}"),
]
KNOWN = {**SECRETS, **OWN}
SOURCE, REPLICA = "n2", "n3"
SPEC = """apiVersion: rbdtui/v1
name: lab-mysql
profile: rainbond-6
bundle: {bundle}
ssh: {{user: root, key: {key}}}
nodes:
  - {{name: n1, address: {n1}, roles: [control-plane, etcd, worker, gateway, build]}}
  - {{name: n2, address: {n2}, roles: [service]}}
  - {{name: n3, address: {n3}, roles: [service]}}
gateway: {{mode: none}}
kubernetes: {{api: {{mode: first-server}}}}
mysql: {{mode: pair, source: n2, replica: n3, username: rainbond, password: secret:mysql}}
"""
WRITERS = 4
BEFORE_THE_CUT = 400
"""Rows that are acknowledged while all is well, and once more while the replica falls behind."""
TOO_NARROW = "64kbit"
"""For what four writers write: the replica's link, so that a source that does not wait is far ahead of it."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSite]:
    with Lab("mysqlcut", hosts=3) as lab:
        made = LabSite.__new__(LabSite)
        made.lab, made.path, made.spec = lab, tmp_path_factory.mktemp("mysqlcut") / "site", SPEC
        made.bundle, made.vip = bundle_with_mysql(lab.bundle, Path(lab.directory) / "bundle"), lab.vips[0]
        made.write()
        vault = Vault.open(made.path / "secrets.enc", PASSPHRASE)
        for name, value in KNOWN.items():
            vault.set(name, value)
        yield made


@asynccontextmanager
async def at(site: LabSite) -> AsyncIterator[StepContext]:
    """The site as its cluster.yaml is now, with those of its hosts that answer."""
    spec = load_spec(site.path / "cluster.yaml").spec
    assert spec is not None
    async with HostPool(endpoints_of(spec), KnownHosts(site.path / "known_hosts"), KNOWN.__getitem__) as hosts:
        answers = await gather_all(dict(hosts))
        yield StepContext(
            run_id="lab", spec=spec, hosts=hosts, bundle=open_bundle(site.bundle), secret=KNOWN.__getitem__,
            facts={name: each for name, each in answers.items() if isinstance(each, NodeFacts)}, report=Heard(),
            site_dir=site.path,
        )  # fmt: skip


async def make_the_pair(site: LabSite) -> None:
    async with at(site) as context:
        plan = build_plan(context.spec, {})
        for name in (SOURCE, REPLICA):
            for first in ("claim", "hosts-file"):
                await carry_out(plan.step(f"{first}@{name}"), context)
        for kind in (InstallHostPackages, MysqlServer):
            for name in (SOURCE, REPLICA):
                await carry_out(kind(name), context)
        for step in (MysqlSource(SOURCE), MysqlReplica(REPLICA)):
            await carry_out(step, context)


async def row(site: LabSite, kind: str) -> tuple[str, str]:
    """A line of health: its state and its words."""
    async with at(site) as context:
        monitor = HealthMonitor(context.spec, context.hosts, secret=KNOWN.get)
        found = {status.key.id: (status.state.value, str(status.detail)) for status in (await monitor.once()).probes}
        return found[kind]


def connect(site: LabSite, host: str) -> pymysql.Connection[pymysql.cursors.Cursor]:
    """As Rainbond does: its account, one row a transaction."""
    return pymysql.connect(
        host=site.lab.hosts[host].address, user="rainbond", password=OWN["mysql"], database="region", autocommit=True,
        connect_timeout=5, read_timeout=5, write_timeout=5,
    )  # fmt: skip


def ids(site: LabSite, host: str) -> set[int]:
    with closing(connect(site, host)) as link, link.cursor() as cursor:
        cursor.execute("SELECT id FROM written")
        return {int(found) for (found,) in cursor.fetchall()}


@dataclass
class Writers:
    """Some who write one row after another until their server is gone, and note each that was acknowledged."""

    site: LabSite
    acknowledged: list[int] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> None:
        for number in range(WRITERS):
            self.threads.append(threading.Thread(target=self._write, args=(number,), daemon=True))
            self.threads[-1].start()

    def _write(self, number: int) -> None:
        # A connection to a host without power ends by its own limit.
        with (
            suppress(pymysql.MySQLError, OSError),
            closing(connect(self.site, SOURCE)) as link,
            link.cursor() as cursor,
        ):
            for own in range(number * 1_000_000, (number + 1) * 1_000_000):
                cursor.execute("INSERT INTO written VALUES (%s, REPEAT('x', 500))", (own,))
                self.acknowledged.append(own)

    def end(self) -> set[int]:
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()
        return set(self.acknowledged)


def test_what_was_acknowledged_before_a_power_cut_is_there_after_a_failover_or_is_told(site: LabSite) -> None:
    asyncio.run(make_the_pair(site))
    with closing(connect(site, SOURCE)) as link, link.cursor() as cursor:
        cursor.execute("CREATE TABLE written (id INT PRIMARY KEY, filling VARCHAR(600))")
    state, words = asyncio.run(row(site, "mysql-semi-sync"))
    assert (state, "may lose writes" in words) in (("ok", False), ("degraded", True)), words
    is_promised = state == "ok"
    writers = Writers(site)
    writers.begin()
    wait_for(lambda: len(writers.acknowledged) >= BEFORE_THE_CUT, 120, "rows to be written")
    site.lab.narrow(REPLICA, TOO_NARROW)
    begun, since = len(writers.acknowledged), time.monotonic()
    wait_for(lambda: len(writers.acknowledged) >= begun + BEFORE_THE_CUT or time.monotonic() > since + 20, 60, "more")
    site.lab.off(SOURCE)
    cut = time.monotonic()
    acknowledged = writers.end()
    site.lab.widen(REPLICA)

    shown = site.rbdtui("failover", str(site.path), "--dry-run")
    assert (shown.returncode, "n2 does not answer" in shown.stdout + shown.stderr) == (0, True), shown.stderr
    assert ("replica acknowledged its writes" in shown.stdout + shown.stderr) is is_promised
    done = site.rbdtui("failover", str(site.path), "--yes")
    took_s = time.monotonic() - cut
    assert done.returncode == 0, done.stdout + done.stderr
    finished = [str(event["step"]) for event in site.events() if event["type"] == "step-finished"]
    assert [step.partition("@")[0] for step in finished] == [
        f"failover-{part}" for part in ("stop", "close", "promote", "switch", "start", "plan")
    ]
    assert "source: n3, replica: n2" in (site.path / "cluster.yaml").read_text()
    lost = acknowledged - ids(site, REPLICA)
    sys.stderr.write(f"{len(acknowledged)} acknowledged, {len(lost)} lost, new source {took_s:.0f} s after the cut\n")
    assert not (is_promised and lost)
    with closing(connect(site, REPLICA)) as link, link.cursor() as cursor:
        cursor.execute("INSERT INTO written VALUES (-1, 'after')")

    site.lab.on(SOURCE)
    wait_for(lambda: is_active(site, SOURCE), 120, "MySQL of the old source")
    asyncio.run(old_source_comes_back(site, lost))


def is_active(site: LabSite, host: str) -> bool:
    return site.lab.inside(host, "systemctl is-active mysql", check=False).stdout.strip() == "active"


async def old_source_comes_back(site: LabSite, lost: set[int]) -> None:
    """It is told to copy, or what it alone has is counted; either way nobody writes to it."""
    async with at(site) as context:
        old, new = [await server_state(context, name) for name in (SOURCE, REPLICA)]
        alone = count_gtids(missing_gtids(old.executed, new.executed))
        assert alone >= len(lost), "a row that was acknowledged is on one of the two"
        sys.stderr.write(f"{alone} transactions on the old source alone\n")
        assert lost <= ids(site, SOURCE)
        assert (await row(site, "mysql-source"))[0] == "ok"
        state, words = await row(site, "mysql-replica")
        assert (state, "two sources" in words) == ("down", True)
        assert (await MysqlSource(REPLICA).pending(context)).is_done
        if alone:
            with pytest.raises(StepError) as refused:
                await carry_out(MysqlReplica(SOURCE), context)
            assert (refused.value.code, refused.value.params["count"]) == ("mysql_diverged", alone)
        else:
            await carry_out(MysqlReplica(SOURCE), context)
            assert ids(site, SOURCE) == ids(site, REPLICA)
            assert (await row(site, "mysql-replica"))[0] == "ok"
        assert (await server_state(context, SOURCE)).super_read_only
    with closing(connect(site, SOURCE)) as link, link.cursor() as cursor, pytest.raises(pymysql.MySQLError) as closed:
        cursor.execute("INSERT INTO written VALUES (-2, 'to the old one')")
    assert closed.value.args[0] == 1290
