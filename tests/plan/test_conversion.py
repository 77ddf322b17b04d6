"""A Rainbond 3.6 on simulated hosts is carried to level 2: whole, cut off anywhere, and failing anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from rbdtui.audit.audit import Level
from rbdtui.audit.facts import ENVIRONMENT, KEEPALIVED, LB_DEFAULT
from rbdtui.audit.rows.entrance import COMPOSE
from rbdtui.errors import StepError
from rbdtui.plan.step import Step
from rbdtui.transport.base import TransportError
from tests.plan.old import Old, old_site
from tests.plan.support import carry_out
from tests.plan.walk import walk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_all_groups_reach_level_2_and_then_nothing_is_left_to_do(tmp_path: Path) -> None:
    async with old_site(tmp_path) as old:
        first = await old.audit()
        assert first.now == Level(1), (first.unreached, [str(part.text) for row in first.rows for part in row.parts])
        assert old.broken() == []
        await walk(old.plan(), old.context)
        found = await old.audit()
        assert found.now == Level(2), [(row.id, str(row.state)) for row in found.rows if not row.state.fits]
        assert old.site.on_volume == old.site.data
        assert old.broken() == []
        for step in old.plan().steps:
            pending = await step.pending(old.context)
            assert pending.is_done, (step.id, [str(change.title) for change in pending.changes])


async def test_the_site_works_after_every_single_step(tmp_path: Path) -> None:
    """A power cut of this machine between two steps: as before or as afterwards, and another run does what is left."""
    async with old_site(tmp_path, "replica-2") as old:
        for step in old.plan().steps:
            if not (await step.pending(old.context)).is_done:
                await carry_out(step, old.context)
            assert old.broken() == [], step.id
        assert (await old.audit()).now == Level(2)


Refusal = tuple[str, str, str]
FAILS: dict[str, tuple[str, Refusal]] = {
    "convert-data": ("convert_not_mounted", ("compute02", "grdata", "mount")),
    "convert-entrance@compute02": ("convert_refused", ("compute02", "old-compose", "up")),
    "convert-tcpdomain@manage01": ("convert_refused", ("manage01", "old-compose", "region")),
    "convert-urls@manage01": ("convert_refused", ("manage01", "old-compose", "up")),
    "convert-leave@manage01": ("convert_refused", ("manage01", "old-compose", "all")),
}
SCRIPTS = {
    "convert-names@compute01": ("compute01", "file-write", 1),
    "convert-keepalived@compute01": ("compute01", "keepalived-test", 3),
    "convert-keepalived@compute02": ("compute02", "unit-action", 3),
    "convert-hosts@manage01": ("manage01", "file-write", 1),
    "convert-resolvers@compute01": ("compute01", "unit-action", 3),
}


def shape(old: Old) -> object:
    """All that a step may change: files, containers with their words, mounts, the row of the database."""
    site = old.site
    hosts = {
        name: (sorted(host.containers), sorted(line for line in host.mounts if "/grdata" in line), host.region)
        for name, host in site.hosts.items()
    }
    words = {key: words for key, words in site.commands.items() if key[1] in site.hosts[key[0]].containers}
    return old.files(), hosts, words, site.resolvers


def code_of(error: BaseException) -> str:
    assert isinstance(error, StepError | TransportError)
    return error.code


async def failing(old: Old, step: Step) -> str:
    """Have a step fail, whatever it is done with; the code of the error."""
    before = shape(old)
    if step.id in FAILS:
        old.site.refuses.add(FAILS[step.id][1])
    else:
        node, script, status = SCRIPTS[step.id]
        old.site.machines[node].failures.append((script, status, "Input/output error"))
    with pytest.raises((StepError, TransportError)) as error:
        await carry_out(step, old.context)
    assert shape(old) == before, step.id
    assert old.broken() == [], step.id
    return code_of(error.value)


async def test_a_step_that_fails_takes_back_what_it_has_changed(tmp_path: Path) -> None:
    async with old_site(tmp_path) as old:
        failed = set()
        for step in old.plan().steps:
            if step.id in FAILS or step.id in SCRIPTS:
                code = await failing(old, step)
                assert code == FAILS.get(step.id, (code,))[0], step.id
                failed.add(step.id)
            if not (await step.pending(old.context)).is_done:
                await carry_out(step, old.context)
        assert failed == {*FAILS, *SCRIPTS}
        assert (await old.audit()).now == Level(2), "all the same, in the end"


async def refused(old: Old, name: str, *groups: str) -> str:
    """Go as far as a step, which refuses; the code of the error. The site works."""
    for step in old.plan(*groups).steps:
        if step.name == name:
            with pytest.raises(StepError) as error:
                await carry_out(step, old.context)
            assert old.broken() == []
            return error.value.code
        if not (await step.pending(old.context)).is_done:
            await carry_out(step, old.context)
    raise AssertionError(name)


async def test_applications_that_use_the_shared_data_are_named_and_nothing_moves(tmp_path: Path) -> None:
    async with old_site(tmp_path) as old:
        old.site.busy["compute02"] = ["4711 java"]
        assert await refused(old, "convert-data") == "convert_busy"
        assert not any("glusterfs" in line for host in old.site.hosts.values() for line in host.mounts)
        old.site.busy = {"manage01": ["815 rsync"]}
        assert await refused(old, "convert-data") == "convert_busy"
        old.site.busy = {}
        await walk(old.plan(), old.context)
        assert (await old.audit()).now == Level(2)


async def test_a_copy_that_differs_is_not_moved_to(tmp_path: Path) -> None:
    async with old_site(tmp_path) as old:
        for step in old.plan("volume").steps:
            await carry_out(step, old.context)
        old.site.spoils = True
        assert await refused(old, "convert-data", "data") == "convert_copy_differs"


@pytest.mark.parametrize("line", ["ceph:/ /grdata ceph rw", "10.9.9.9:/export /grdata nfs4 rw"])
async def test_shared_data_on_something_else_stays_there(tmp_path: Path, line: str) -> None:
    async with old_site(tmp_path) as old:
        old.site.hosts["compute01"].mounts = [line]
        assert await refused(old, "convert-copy", "data") == "convert_grdata_other"


def put(old: Old, node: str, path: str, there: str, instead: str) -> None:
    files = old.site.machines[node].files
    text = files.text(path)
    assert there in text, text
    files.put(path, text.replace(there, instead, 1))


def no_glusterd(old: Old) -> None:
    old.site.hosts["compute01"].programs.discard("glusterd")


def no_image(old: Old) -> None:
    old.site.lacks.add("rainbond/rbd-dns:3.6")


def port_taken(old: Old) -> None:
    old.site.taken["compute01"] = {53}


def shared_file(old: Old) -> None:
    put(old, "manage01", f"{COMPOSE}/lb.yaml", "services:\n", "services:\n  own:\n    image: own:1\n")


def two_upstreams(old: Old) -> None:
    put(old, "manage01", LB_DEFAULT, "127.0.0.1:5000;", "127.0.0.1:5000;\n    server 10.9.9.9:5000;")


OTHER_ROUTER = """\
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
        192.168.200.16
    }
}
"""


def other_router(old: Old) -> None:
    old.site.machines["compute01"].files.put(KEEPALIVED, OTHER_ROUTER)
    old.site.machines["compute01"].start_unit("keepalived")


def pasted_identity(old: Old) -> None:
    put(old, "compute01", ENVIRONMENT, "HOST_IP=127.77.0.12", "HOST_IP=10.211.55.5")


def no_entrance(old: Old) -> None:
    put(old, "manage01", f"{COMPOSE}/plugin.yaml", "  rbd-entrance:", "  rbd-entry:")


def no_option(old: Old) -> None:
    put(old, "manage01", f"{COMPOSE}/plugin.yaml", "--plugin-opts=", "--plugins=")


def two_regions(old: Old) -> None:
    old.site.hosts["manage01"].region *= 2


@pytest.mark.parametrize(
    ("change", "step", "code"),
    [
        (no_glusterd, "convert-glusterd@compute01", "convert_no_program"),
        (no_image, "convert-entrance@compute01", "convert_no_image"),
        (port_taken, "convert-entrance@compute01", "convert_port_taken"),
        (shared_file, "convert-entrance@compute01", "convert_shared_file"),
        (two_upstreams, "convert-entrance@compute01", "convert_not_edited"),
        (other_router, "convert-keepalived@compute01", "convert_other_router"),
        (pasted_identity, "convert-resolvers@compute01", "convert_not_edited"),
        (no_entrance, "convert-urls@manage01", "convert_no_service"),
        (no_option, "convert-urls@manage01", "convert_not_edited"),
        (two_regions, "convert-tcpdomain@manage01", "convert_region"),
    ],
    ids=lambda each: each.__name__ if callable(each) else None,
)
async def test_what_was_changed_by_hand_or_is_missing_is_told_and_not_guessed(
    tmp_path: Path, change: Callable[[Old], None], step: str, code: str
) -> None:
    async with old_site(tmp_path) as old:
        change(old)
        await asyncio.sleep(0.1)  # what was started runs
        before = shape(old)
        with pytest.raises(StepError) as error:
            await old.plan().step(step).pending(old.context)
        assert error.value.code == code
        assert shape(old) == before


async def test_from_3_7_on_there_is_no_rbd_dns_on_compute_nodes(tmp_path: Path) -> None:
    async with old_site(tmp_path) as old:
        names = {step.id for step in old.plan(version="3.7").steps}
        assert "convert-resolvers@compute01" not in names
        assert "convert-resolvers@compute01" in {step.id for step in old.plan(version="3.6").steps}
        (entrance,) = (step for step in old.plan(version="3.7").steps if step.id == "convert-entrance@compute01")
        titles = [str(change.title) for change in (await entrance.pending(old.context)).changes]
        assert not any("dns" in title or "base.yaml" in title for title in titles), titles


async def test_a_sample_of_the_package_that_nobody_runs_is_replaced_and_kept(tmp_path: Path) -> None:
    async with old_site(tmp_path) as old:
        machine = old.site.machines["compute01"]
        machine.files.put(KEEPALIVED, OTHER_ROUTER)
        await walk(old.plan("volume", "data", "entrance", "vip"), old.context)
        assert old.target.vip in machine.files.text(KEEPALIVED)
        kept = machine.files.text(f"/var/lib/rbdtui/backup/{old.context.run_id}{KEEPALIVED}")
        assert kept == OTHER_ROUTER


CUTS = [
    ("manage01", "hold"), ("manage01", "copy"), ("manage01", "compare"), ("manage01", "mount"), ("compute01", "mount"),
    ("compute02", "mount"), ("manage01", "release"),
]  # fmt: skip


@pytest.mark.parametrize(("node", "action"), CUTS, ids=[" ".join(cut) for cut in CUTS])
async def test_a_move_that_is_cut_off_anywhere_is_brought_to_its_end(tmp_path: Path, node: str, action: str) -> None:
    async with old_site(tmp_path, "replica-2") as old:
        await walk(old.plan("volume"), old.context)
        (move,) = (step for step in old.plan().steps if step.name == "convert-data")
        work = asyncio.create_task(carry_out(move, old.context))

        def cut(asked: tuple[str, str, str]) -> None:
            if asked == (node, "grdata", action):
                work.cancel()

        old.site.heard = cut
        with pytest.raises(asyncio.CancelledError):
            await work
        await asyncio.sleep(0.3)  # what was asked of the server is done there all the same
        old.site.heard = lambda _: None
        await walk(old.plan(), old.context)
        assert old.broken() == []
        assert old.site.on_volume == old.site.data
        assert (await old.audit()).now == Level(2)


async def test_which_of_two_is_newer_is_not_guessed(tmp_path: Path) -> None:
    """After a boot at which the mount has failed, containers write to what lies beneath it."""
    async with old_site(tmp_path) as old:
        await walk(old.plan("volume", "data"), old.context)
        manage = old.site.hosts["manage01"]
        manage.mounts = [line for line in manage.mounts if "/grdata" not in line]
        (move,) = (step for step in old.plan().steps if step.name == "convert-data")
        with pytest.raises(StepError) as error:
            await move.pending(old.context)
        assert error.value.code == "convert_unclear"
        assert "rbd-hub" in str(error.value)


@pytest.mark.parametrize("group", ["names", "switch"])
async def test_nobody_is_led_to_an_address_that_nobody_has(tmp_path: Path, group: str) -> None:
    async with old_site(tmp_path) as old:
        before = shape(old)
        for step in old.plan(group).steps:
            if not (pending := await step.pending(old.context)).is_done:
                with pytest.raises(StepError) as error:
                    await step.apply(old.context, pending)
                assert error.value.code == "convert_too_early", step.id
        assert shape(old) == before
        assert old.broken() == []
