"""Steps on real hosts: what goes wrong there is recognised by the real programs' words, healed, and taken back.

One story in the order of the file, on a server that lacks keepalived and an agent.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from rbdtui.bundle.scan import open_bundle
from rbdtui.errors import StepError
from rbdtui.facts.gather import gather_all
from rbdtui.facts.model import NodeFacts
from rbdtui.plan.builder import build_plan
from rbdtui.plan.kube import etcd_seen_by, nodes_seen_by
from rbdtui.plan.step import Plan, StepContext, Undoable
from rbdtui.plan.steps.rke2_config import ConfigureRke2
from rbdtui.plan.steps.rke2_start import StartAgent, StartFirstServer
from rbdtui.plan.steps.ship import IMAGES_DIR, InstallHostPackages, ShipBundle
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.endpoints import endpoints_of
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool
from tests.lab import Lab
from tests.plan.support import Heard, carry_out, settle
from tests.plan.walk import walk

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

SECRETS = {
    "rke2-token": "the-token-of-the-lab",
    "rke2-agent-token": "the-token-of-its-agents",
    "vrrp-password": "k33p-l1v",
}
OURS = "/etc /usr/local /opt /var/lib/rbdtui"
FINGERPRINT = (
    f"find {OURS} -xdev \\( -type f -o -type l \\) ! -path '*/dpkg/*' -exec stat -c '%n %a %U' {{}} + "
    f"-exec sha256sum {{}} + 2>/dev/null | sort"
)


EXPECTED_TO_STAY = re.compile(r"/var/lib/rbdtui/|/etc/rc\d\.d/\w+keepalived|\.wants/keepalived\.service")
"""Our own notes and backups, and that a keepalived without configuration does not start at boot."""


@dataclass(slots=True)
class Site:
    """Two hosts of a lab and the plan for them."""

    lab: Lab
    path: Path
    spec: ClusterSpec
    bundle: Path
    facts: dict[str, NodeFacts] = field(default_factory=dict)
    heard: Heard = field(default_factory=Heard)

    def run(self, work: Callable[[StepContext], Coroutine[object, object, None]], **settings: object) -> None:
        """Do something with a context of its own; settings stand for kubernetes.settings."""
        asyncio.run(self._run(work, settings))

    async def _run(
        self, work: Callable[[StepContext], Coroutine[object, object, None]], settings: dict[str, object]
    ) -> None:
        spec = self.spec.model_copy(
            update={"kubernetes": self.spec.kubernetes.model_copy(update={"settings": settings})}
        )
        async with AsyncExitStack() as stack:
            known_hosts = KnownHosts(self.path / "known_hosts")
            hosts = await stack.enter_async_context(HostPool(endpoints_of(spec), known_hosts, SECRETS.__getitem__))
            if not self.facts:
                answers = await gather_all(dict(hosts))
                self.facts = {name: each for name, each in answers.items() if isinstance(each, NodeFacts)}
            context = StepContext(
                run_id="lab", spec=spec, facts=self.facts, hosts=hosts, bundle=open_bundle(self.bundle),
                secret=SECRETS.__getitem__, report=self.heard, site_dir=self.path,
            )  # fmt: skip
            await work(context)

    def plan(self) -> Plan:
        return build_plan(self.spec, self.facts)

    def fingerprints(self) -> dict[str, str]:
        return {name: self.lab.ssh(name, FINGERPRINT, timeout_s=120).stdout for name in self.lab.hosts}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Lab("steps", hosts=2, without_keepalived=("n1",)) as lab:
        path = tmp_path_factory.mktemp("steps")
        n1, n2 = lab.hosts["n1"], lab.hosts["n2"]
        spec = ClusterSpec.model_validate(
            {
                "apiVersion": "rbdtui/v1",
                "name": "steps",
                "profile": "kubernetes-only",
                "bundle": str(lab.bundle),
                "ssh": {"key": str(lab.key)},
                "nodes": [
                    {"name": "n1", "address": n1.address, "roles": ["control-plane", "etcd", "worker", "gateway"]},
                    {"name": "n2", "address": n2.address, "roles": ["worker"]},
                ],
                "kubernetes": {"api": {"mode": "vip"}},
                "gateway": {"vip": f"{lab.vips[0]}/{lab.network.prefixlen}", "virtual_router_id": 87},
            }
        )
        keys = [line for name in lab.hosts for line in lab.host_keys(name)]
        (path / "known_hosts").write_text("\n".join(keys) + "\n")
        yield Site(lab, path, spec, lab.bundle)


@dataclass(slots=True)
class Before:
    """What the hosts were before the first step that can be taken back."""

    fingerprints: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def before() -> Before:
    return Before()


def test_looking_at_every_step_changes_nothing(site: Site, before: Before) -> None:
    before.fingerprints = site.fingerprints()

    async def look(context: StepContext) -> None:
        for step in site.plan().steps:
            assert not (await step.pending(context)).is_done or step.name == "host-packages"

    site.run(look)
    assert site.fingerprints() == before.fingerprints


def test_packages_with_a_missing_dependency_are_refused_and_whole_ones_heal_it(
    site: Site, before: Before, tmp_path: Path
) -> None:
    whole = site.bundle
    site.bundle = tmp_path / "bundle"
    shutil.copytree(whole, site.bundle)
    (packages,) = (site.bundle / "packages").iterdir()
    for file in packages.glob("libnl-*"):
        file.unlink()

    async def refused(context: StepContext) -> None:
        with pytest.raises(StepError) as caught:
            await settle(InstallHostPackages("n1"), context)
        assert caught.value.code == "packages_refused"
        assert "libnl" in caught.value.evidence

    async def healed(context: StepContext) -> None:
        await carry_out(InstallHostPackages("n1"), context)

    site.run(refused)
    site.bundle = whole
    site.run(healed)
    active = site.lab.ssh("n1", "systemctl is-active keepalived", check=False).stdout.strip()
    assert active != "active", "the package must not start the daemon by itself"
    before.fingerprints = site.fingerprints()  # packages stay when all else is taken back


def test_mistakes_of_the_first_server_are_told_by_its_own_words(site: Site) -> None:
    async def prepare(context: StepContext) -> None:
        plan = site.plan()
        lane = [step for step in plan.steps if step.node == "n1"]
        for step in lane[: [step.name for step in lane].index("rke2-first-server")]:
            if not (await step.pending(context)).is_done:
                await carry_out(step, context)

    async def unknown_setting(context: StepContext) -> None:
        await carry_out(ConfigureRke2("n1"), context)
        with pytest.raises(StepError) as caught:
            await settle(StartFirstServer("n1"), context)
        assert caught.value.code == "rke2_unknown_setting"
        assert "no-such-setting" in caught.value.evidence

    async def no_images(context: StepContext) -> None:
        await carry_out(ConfigureRke2("n1"), context)
        site.lab.ssh("n1", f"mv {IMAGES_DIR} {IMAGES_DIR}.away; mkdir {IMAGES_DIR}")
        with pytest.raises(StepError) as caught:
            await settle(StartFirstServer("n1"), context)
        assert caught.value.code == "rke2_images_missing"
        # RKE2 left lists of images to pull there.
        site.lab.ssh("n1", f"rm -r {IMAGES_DIR}; mv {IMAGES_DIR}.away {IMAGES_DIR}")

    site.run(prepare)
    site.run(no_images)
    site.run(unknown_setting, **{"no-such-setting": True})


def test_the_rest_of_the_plan_heals_all_that_but_a_wrong_token_stops_the_agent(site: Site) -> None:
    async def install(context: StepContext) -> None:
        wrong = replace(context, secret=lambda name: "not-the-token" if name == "rke2-agent-token" else SECRETS[name])
        plan = site.plan()
        for step in plan.steps:
            if step.id == "rke2-agent@n2":
                await carry_out(ConfigureRke2("n2"), wrong)
                with pytest.raises(StepError) as caught:
                    await settle(StartAgent("n2"), wrong)
                assert caught.value.code == "rke2_token"
                await carry_out(ConfigureRke2("n2"), context)
            if not (await step.pending(context)).is_done:
                await carry_out(step, context)

    async def proven(context: StepContext) -> None:
        nodes = (await nodes_seen_by(context.hosts["n1"], f"https://{site.spec.api_address}:6443")).nodes
        assert {name: node.is_ready for name, node in nodes.items()} == {"n1": True, "n2": True}
        view = await etcd_seen_by(context.hosts["n1"])
        assert ([member.peer_address for member in view.members], view.errors) == ([site.lab.hosts["n1"].address], ())

    async def again(context: StepContext) -> None:
        walked = await walk(site.plan(), context)
        assert [name for name, done in walked.items() if done.changed] == []

    site.run(install)
    site.run(proven)
    fingerprints = site.fingerprints()
    site.run(again)
    assert site.fingerprints() == fingerprints


def test_a_damaged_upload_is_brought_again(site: Site) -> None:
    async def repair(context: StepContext) -> None:
        archive = context.bundle.file("rke2-images", "amd64").path.name
        site.lab.ssh("n2", f"truncate -s -1 {IMAGES_DIR}/{archive}")
        (change,) = (await ShipBundle("n2").pending(context)).changes
        assert archive in str(change.title)
        await carry_out(ShipBundle("n2"), context)

    site.run(repair)


def test_taking_everything_back_leaves_the_hosts_as_they_were(site: Site, before: Before) -> None:
    async def undo(context: StepContext) -> None:
        for step in reversed(site.plan().steps):
            if isinstance(step, Undoable):
                await step.undo(context)

    site.run(undo)
    for name, after in site.fingerprints().items():
        changed = set(after.splitlines()) ^ set(before.fingerprints[name].splitlines())
        assert sorted(line for line in changed if not EXPECTED_TO_STAY.search(line)) == []
    running = site.lab.ssh("n1", "pgrep -x -l 'rke2|kubelet|keepalived'", check=False).stdout
    assert running == ""
