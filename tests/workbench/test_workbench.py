"""One site as its screens see it, with simulated servers behind real SSH."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from rbdtui.findings import Severity
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import Build, SimulatedFleet
from rbdtui.simulator.machine import Sudo
from rbdtui.site import Site
from rbdtui.vault import Vault, VaultError
from rbdtui.workbench.background import BackgroundLoop
from rbdtui.workbench.draft import operations
from rbdtui.workbench.live.live import LiveState
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.rail import section_statuses
from rbdtui.workbench.review.preflight_view import Preflight
from rbdtui.workbench.sections import BALANCER, HEALTH, NODES, REVIEW, ROLES, RUN, SITE, SectionState
from rbdtui.workbench.site_list import make_site
from rbdtui.workbench.survey import SurveyStatus
from rbdtui.workbench.workbench import Workbench
from tests.waiting import until

PASSPHRASE = "correct horse"


@pytest.fixture
async def fleet() -> AsyncIterator[SimulatedFleet]:
    async with SimulatedFleet(3, speed=20.0) as fleet:
        yield fleet


def opened(site: Site, passphrases: HeldPassphrase | None = None) -> Workbench:
    return Workbench.open(site.path, passphrases or HeldPassphrase())


def states(workbench: Workbench) -> dict[str, str]:
    return {name: node.state.value for name, node in workbench.live.nodes.items()}


async def test_servers_answer_once_their_keys_are_trusted(fleet: SimulatedFleet, tmp_path: Path) -> None:
    workbench = opened(write_demo_site(tmp_path / "site", fleet))
    told = threading.Event()
    stop = workbench.subscribe(told.set)
    try:
        workbench.start()
        await until(lambda: set(states(workbench).values()) == {LiveState.KEY_UNKNOWN})
        keys = await asyncio.wrap_future(workbench.scan_host_keys())
        assert {key.node for key in keys} == {"node1", "node2", "node3"}
        assert all(key.fingerprint.startswith("SHA256:") for key in keys)
        workbench.trust(keys)
        await until(lambda: set(states(workbench).values()) == {LiveState.OK})
        assert told.is_set()
        assert workbench.live.facts["node1"].node == "node1"
    finally:
        stop()
        workbench.close()


async def test_preflight_gives_facts_a_plan_and_a_preview(fleet: SimulatedFleet, tmp_path: Path) -> None:
    site = write_demo_site(tmp_path / "site", fleet)
    site.known_hosts_file.write_text(fleet.known_hosts)
    workbench = opened(site, HeldPassphrase(HeldPassphrase()))
    try:
        workbench.passphrases.give(PASSPHRASE)
        workbench.start_preflight()
        assert {s.section: s.state for s in section_statuses(workbench)}[REVIEW] is SectionState.CHECKING
        await until(lambda: workbench.preflight.state is not SurveyStatus.LOOKING)
        assert workbench.preflight.error is None
        plan = workbench.preflight.plan
        assert plan is not None
        assert set(workbench.preflight.facts) == {"node1", "node2", "node3"}
        workbench.start_preview()
        await until(lambda: not workbench.preflight.previewing)
        assert [step.step.id for step in workbench.preflight.previewed] == [step.id for step in plan.steps]
        assert workbench.preflight.holds
        workbench.change(lambda data: data.update(name="other"))
        assert workbench.preflight.outdated
        assert workbench.preflight.plan == plan
        workbench.undo()
        assert workbench.preflight.holds
        workbench.start_preflight()
        workbench.give_up_preflight()
        assert workbench.preflight.state is SurveyStatus.GIVEN_UP
    finally:
        workbench.close()


async def test_a_closed_vault_is_told_on_the_server_and_opening_it_asks_again(tmp_path: Path) -> None:
    build = Build(user="ops", password="pw", sudo=Sudo.PASSWORD)
    async with SimulatedFleet(1, speed=20.0, builds=(build,)) as fleet:
        site = write_demo_site(tmp_path / "site", fleet)
        site.known_hosts_file.write_text(fleet.known_hosts)
        Vault.create(site.vault_file, PASSPHRASE, work=2**14).set("sudo", "pw")
        workbench = opened(site)
        try:
            assert workbench.needs_secrets
            assert not workbench.unlocked
            workbench.start()
            await until(lambda: states(workbench) == {"node1": LiveState.FAILED})
            node = workbench.live.nodes["node1"]
            assert node.error is not None
            assert "secret:sudo" in str(node.error)
            with pytest.raises(VaultError):
                await asyncio.wrap_future(workbench.unlock("wrong"))
            await asyncio.wrap_future(workbench.unlock(PASSPHRASE))
            assert workbench.unlocked
            await until(lambda: states(workbench) == {"node1": LiveState.OK})
        finally:
            workbench.close()


async def test_a_secret_that_the_vault_lacks_is_an_error_of_the_check(tmp_path: Path) -> None:
    """Opening the vault asks for its passphrase, never for what is to be in it."""
    build = Build(user="ops", password="pw", sudo=Sudo.PASSWORD)
    async with SimulatedFleet(1, speed=20.0, builds=(build,)) as fleet:
        site = write_demo_site(tmp_path / "site", fleet)
        site.known_hosts_file.write_text(fleet.known_hosts)
        Vault.create(site.vault_file, PASSPHRASE, work=2**14).set("another", "pw")
        workbench = opened(site)
        try:
            await asyncio.wrap_future(workbench.unlock(PASSPHRASE))
            workbench.start_preflight()
            await until(lambda: workbench.preflight.state is not SurveyStatus.LOOKING)
            (missing,) = [each for each in workbench.preflight.findings if each.code == "RBD-SECRET-001"]
            assert missing.severity is Severity.ERROR
            assert missing.params == {"secret": "sudo"}
            assert missing.place.field.endswith("sudo_password")
        finally:
            workbench.close()


async def test_typing_on_asks_only_about_the_last_word(fleet: SimulatedFleet, tmp_path: Path) -> None:
    site = write_demo_site(tmp_path / "site", fleet)
    site.known_hosts_file.write_text(fleet.known_hosts)
    workbench = opened(site)
    try:
        workbench.start()
        for last in ("1", "12", "", "9", "11"):
            workbench.change(lambda data, last=last: data["nodes"][0].update(address=f"127.77.0.{last}"))  # type: ignore[misc]
        await until(lambda: workbench.live.nodes["node1"].state is LiveState.OK)
        assert workbench.live.facts["node1"].node == "node1"
        workbench.change(lambda data: data["nodes"][0].update(address="nonsense"))
        assert workbench.live.nodes["node1"].state is not LiveState.OK
    finally:
        workbench.close()


async def test_the_rail_tells_each_section(fleet: SimulatedFleet, tmp_path: Path) -> None:
    workbench = Workbench.open(write_demo_site(tmp_path / "site", fleet).path, HeldPassphrase(), ask_servers=False)
    try:
        state = {status.section: status for status in section_statuses(workbench)}
        assert {state[name].state for name in (SITE, NODES, ROLES, BALANCER)} == {SectionState.OK}
        assert state[RUN].state is SectionState.UNUSED
        assert state[HEALTH].state is SectionState.IDLE
        workbench.change(lambda data: data.update(bundle="/nowhere"))
        workbench.change(lambda data: data["gateway"].update(vip="127.77.0.11/24"))
        workbench.change(lambda data: data["nodes"][1].update(roles=[]))
        state = {status.section: status for status in section_statuses(workbench)}
        assert state[SITE].state is not SectionState.OK
        assert state[ROLES].state is SectionState.PROBLEMS
        assert state[REVIEW].problems >= state[ROLES].problems > 0
        workbench.change(lambda data: data.update(nodes=[]))
        state = {status.section: status for status in section_statuses(workbench)}
        assert {state[ROLES].state, state[BALANCER].state} <= {SectionState.IDLE, SectionState.PROBLEMS}
    finally:
        workbench.close()


async def test_a_draft_is_on_the_disk_soon_after_a_change(fleet: SimulatedFleet, tmp_path: Path) -> None:
    site = write_demo_site(tmp_path / "site", fleet)
    workbench = Workbench.open(site.path, HeldPassphrase(), ask_servers=False)
    try:
        workbench.change(lambda data: data.update(name="other"))
        workbench.keep()
        await until(lambda: (site.path / "draft.json").exists())
        workbench.change(lambda data: data.update(name="third"))
        workbench.keep_now()
        assert "third" in (site.path / "draft.json").read_text(encoding="utf-8")
    finally:
        workbench.close()


async def test_reading_again_takes_what_is_on_the_disk(fleet: SimulatedFleet, tmp_path: Path) -> None:
    site = write_demo_site(tmp_path / "site", fleet)
    workbench = Workbench.open(site.path, HeldPassphrase(), ask_servers=False)
    try:
        workbench.change(lambda data: data.update(name="other"))
        workbench.keep_now()
        text = site.spec_file.read_text(encoding="utf-8")
        site.spec_file.write_text(text.replace("name: demo", "name: theirs"), encoding="utf-8")
        workbench.read_again()
        assert workbench.draft.data["name"] == "theirs"
        assert not workbench.draft.dirty
        assert not (site.path / "draft.json").exists()
    finally:
        workbench.close()


def test_a_closed_background_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    background = BackgroundLoop()
    pending = background.submit(asyncio.sleep(60))
    background.close()
    assert pending.cancelled() or pending.done()
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name == "rbdtui-hosts"]
    background.close()


def test_what_was_found_before_the_servers_changed_never_holds_again(tmp_path: Path) -> None:
    """As after a run, or once another key is trusted: a change of the plan and its undo bring nothing back."""
    site = make_site(tmp_path / "site", name="site-a", profile="kubernetes-only")
    workbench = Workbench.open(site.path, HeldPassphrase(), ask_servers=False)
    try:
        workbench.show_preflight(Preflight(SurveyStatus.DONE, of=workbench.draft.fingerprint))
        assert workbench.preflight.holds
        workbench.trust([])
        assert not workbench.preflight.holds
        workbench.change(lambda data: data.update(bundle="/other"))
        workbench.undo()
        assert not workbench.preflight.holds
    finally:
        workbench.close()


def test_a_run_that_has_ended_outdates_what_was_checked_before_it(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", name="site-a", profile="kubernetes-only")
    workbench = Workbench.open(site.path, HeldPassphrase(), ask_servers=False)
    try:
        workbench.show_preflight(Preflight(SurveyStatus.DONE, of=workbench.draft.fingerprint))
        workbench._run_was_alive = True  # there was a run in hand, and there is none any more
        workbench._tell()
        assert not workbench.preflight.holds
    finally:
        workbench.close()


def test_a_section_is_not_good_while_a_mistake_elsewhere_keeps_it_from_being_judged(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", name="site-a", profile="kubernetes-only")
    workbench = Workbench.open(site.path, HeldPassphrase(), ask_servers=False)
    try:
        for number in range(3):
            workbench.change(operations.add_node)
            workbench.change(partial(operations.put_in_node, index=number, name="address", value=f"10.0.0.{number}"))
        workbench.change(lambda data: operations.put_in_node(data, 0, "address", "10.0.0"))
        assert workbench.draft.spec is None
        assert SectionState.OK not in {status.state for status in section_statuses(workbench)}
    finally:
        workbench.close()


def test_a_secret_is_in_the_vault_only_when_it_is(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", name="site-a", profile="kubernetes-only")
    workbench = Workbench.open(site.path, HeldPassphrase(), ask_servers=False)
    try:
        assert workbench.has_secret("sudo") is False
        Vault.create(site.vault_file, PASSPHRASE, work=2**14).set("sudo", "pw")
        assert workbench.has_secret("sudo") is None
        workbench.unlock(PASSPHRASE).result(30)
        assert workbench.has_secret("sudo") is True
        assert workbench.has_secret("other") is False
    finally:
        workbench.close()
