"""The NFS server that a plan makes, on a real host with Debian's packages, as far as its kernel goes.

The lab's kernel has no NFS server: in place of the unit that starts the kernel's stands one that does nothing but read
the tables, as Debian's does before. Packages, configuration, exportfs and what is taken back are the real ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.bundle.scan import open_bundle
from rbdtui.errors import StepError
from rbdtui.facts.gather import gather_all
from rbdtui.facts.model import NodeFacts
from rbdtui.plan.builder import build_plan
from rbdtui.plan.removal.builder import build_reset
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.nfs_server import LOCKD_FILE, PORTS_FILE, NfsServer
from rbdtui.plan.steps.ship import InstallHostPackages
from rbdtui.probes.nfs_state import EXPORTS_FILE, PathKind, read_state
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.endpoints import endpoints_of
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool
from tests.lab import Lab
from tests.lab.packages import bundle_with
from tests.plan.support import Heard, carry_out
from tests.plan.test_lab_steps import SECRETS

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

PATH = "/data/rainbond"
STAND_IN = """[Unit]
Description=NFS server without the kernel's
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStartPre=-/usr/sbin/exportfs -r
ExecStart=/bin/true
ExecStopPost=/usr/sbin/exportfs -au
ExecReload=-/usr/sbin/exportfs -r
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab("nfs", hosts=2) as made:
        yield made


def test_a_server_is_made_of_a_real_host_and_taken_back(lab: Lab, tmp_path: Path) -> None:
    bundle = bundle_with(lab.bundle, Path(lab.directory) / "bundle", ["nfs-kernel-server"])
    (tmp_path / "known_hosts").write_text("\n".join(line for name in lab.hosts for line in lab.host_keys(name)) + "\n")
    spec = ClusterSpec.model_validate(
        {
            "apiVersion": "rbdtui/v1", "name": "nfs", "profile": "rainbond-6", "bundle": str(bundle),
            "ssh": {"key": str(lab.key)},
            "nodes": [
                {
                    "name": "n1", "address": lab.hosts["n1"].address,
                    "roles": ["control-plane", "etcd", "worker", "gateway", "build"],
                },
                {"name": "n2", "address": lab.hosts["n2"].address, "roles": ["service"]},
            ],
            "gateway": {"mode": "none"},
            "kubernetes": {"api": {"mode": "first-server"}},
            "storage": {"mode": "nfs-server", "node": "n2", "path": PATH},
        }
    )  # fmt: skip
    asyncio.run(_story(lab, spec, bundle, tmp_path))


async def _story(lab: Lab, spec: ClusterSpec, bundle: Path, site: Path) -> None:
    async with HostPool(endpoints_of(spec), KnownHosts(site / "known_hosts"), SECRETS.__getitem__) as hosts:
        answers = await gather_all(dict(hosts))
        context = StepContext(
            run_id="lab", spec=spec, hosts=hosts, bundle=open_bundle(bundle), secret=SECRETS.__getitem__,
            facts={name: each for name, each in answers.items() if isinstance(each, NodeFacts)}, report=Heard(),
            site_dir=site,
        )  # fmt: skip
        host = hosts["n2"]
        assert "exportfs" not in context.facts["n2"].tools
        fresh = await read_state(host, PATH)
        assert (fresh.kind, fresh.unit, fresh.tables, fresh.served) == (PathKind.ABSENT, "absent", (), ())
        assert fresh.size_kib > fresh.free_kib > 0
        for name in ("claim", "hosts-file"):
            await carry_out(build_plan(spec, {}).step(f"{name}@n2"), context)

        await carry_out(InstallHostPackages("n2"), context)
        assert _said(lab, "systemctl is-active nfs-server.service || true").strip() != "active", "it was held back"
        with pytest.raises(StepError) as refused:  # a kernel that has no NFS server says so
            await carry_out(NfsServer("n2"), context)
        assert refused.value.code == "unit_action"
        assert not (await read_state(host, PATH)).is_ours, "nothing is given away by a server that does not run"

        await _it_serves(lab, context)
        await _what_it_lost_is_given_and_taken_back(lab, context)


async def _it_serves(lab: Lab, context: StepContext) -> None:
    _said(lab, "cat >/etc/systemd/system/nfs-server.service && systemctl daemon-reload", stdin=STAND_IN)
    await carry_out(NfsServer("n2"), context)
    network = str(lab.network)
    state = await read_state(context.hosts["n2"], PATH)
    assert (state.kind, state.entries, state.runs) == (PathKind.DIRECTORY, 0, True)
    assert state.clients(PATH) == {network}
    (line,) = state.served
    assert {"rw", "sync", "no_root_squash", "no_subtree_check", "secure"} <= set(
        _said(lab, "cat /var/lib/nfs/etab").partition("(")[2].partition(")")[0].split(",")
    ), line
    for section, port in (("mountd", "20048"), ("statd", "662"), ("lockd", "4045")):
        assert _said(lab, f"nfsconf --get {section} port").strip() == port, "as the daemons read it"
    assert "nlm_tcpport=4045" in _said(lab, f"modprobe -c | grep nlm_ || cat {LOCKD_FILE}")
    assert _said(lab, "systemctl is-enabled nfs-server.service").strip() == "enabled"


async def _what_it_lost_is_given_and_taken_back(lab: Lab, context: StepContext) -> None:
    again, network = replace(context, run_id="again"), str(lab.network)
    for kind in (InstallHostPackages, NfsServer):
        assert (await kind("n2").pending(again)).is_done, kind

    _said(lab, f"echo data >{PATH}/volume; exportfs -u {network}:{PATH}")
    (change,) = (await NfsServer("n2").pending(again)).changes
    assert change.detail == "exportfs -ra"
    await carry_out(NfsServer("n2"), again)
    assert (await read_state(context.hosts["n2"], PATH)).clients(PATH) == {network}

    for step in build_reset(context.spec, ("n2",), whole=False).steps:
        await carry_out(step, context)
    left = await read_state(context.hosts["n2"], PATH)
    assert (left.entries, left.tables, left.served, left.runs) == (1, (), (), False)
    for path in (EXPORTS_FILE, PORTS_FILE, LOCKD_FILE, "/var/lib/rbdtui"):
        assert _said(lab, f"ls -d {path} 2>/dev/null || true").strip() == "", path
    with pytest.raises(StepError) as kept:  # what is left there is not given to the next
        await carry_out(NfsServer("n2"), context)
    assert kept.value.code == "nfs_not_empty"


def _said(lab: Lab, command: str, *, stdin: str | None = None) -> str:
    return lab.ssh("n2", command, stdin=stdin).stdout
