"""A drill: gaps are measured, what is stopped is noted first and always started again, and nothing unsafe begins."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import jsonschema
import pytest

from rbdtui.drill import conduct
from rbdtui.drill.conduct import Drill, refuse_unsafe
from rbdtui.drill.prober import Prober, Sample, gap_of
from rbdtui.drill.record import Outcome, Part, PartResult, Record, Stopped, new_record, records, save
from rbdtui.errors import StepError
from rbdtui.paths import asset
from rbdtui.plan.builder import build_plan
from rbdtui.simulator.call import Call, Verbs
from rbdtui.simulator.verbs import VERBS
from rbdtui.spec.model import ClusterSpec
from rbdtui.surely import surely
from rbdtui.words import Text
from tests.plan.support import ALL_IN_ONE, Bench, bench, spec_of
from tests.plan.walk import walk


@pytest.mark.parametrize(
    ("oks", "gap_s", "failures"),
    [
        ("ooooo", 0.0, 0),
        ("ooxxo", 0.3, 2),
        ("oxoxxxo", 0.4, 4),
        ("xxoo", 0.0, 2),
        ("ooxx", None, 2),
        ("", None, 0),
    ],
    ids=["never away", "one gap", "the longest counts", "before it was there", "never back", "never asked"],
)
def test_a_gap_is_from_the_last_answer_to_the_next(oks: str, gap_s: float | None, failures: int) -> None:
    samples = [Sample(number / 10, letter == "o") for number, letter in enumerate(oks)]
    gap = gap_of("10.0.0.100", 6443, samples[::-1])
    assert gap.gap_s == (None if gap_s is None else pytest.approx(gap_s))
    assert (gap.probes, gap.failures) == (len(oks), failures)


def test_a_port_that_hangs_holds_no_question_up() -> None:
    async def story() -> list[int]:
        async def connect(port: int) -> bool:
            await asyncio.sleep(5 if port == 1 else 0)
            return True

        prober = Prober(connect, [1, 2])
        asking = asyncio.create_task(prober.run())
        await asyncio.sleep(0.55)
        asking.cancel()
        await asyncio.wait([asking])
        return [len(prober.samples.get(port, [])) for port in (1, 2)]

    hanging, answering = asyncio.run(story())
    assert hanging == 0
    assert answering >= 4


async def test_it_is_not_over_while_a_port_is_away_though_all_was_healthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gap may begin later than everything is put back, as when the address goes while etcd chooses a leader."""
    monkeypatch.setattr(conduct, "_STEADY_S", 0.3)
    loop = asyncio.get_running_loop()
    begun = loop.time()

    async def connect(port: int) -> bool:
        return not 0.3 < loop.time() - begun < 1.2

    async def is_normal() -> bool:
        return True

    drill = Drill(spec_of({"n1": ALL_IN_ONE}), {}, tmp_path, new_record("site-a", "op"), lambda _: None, is_normal)
    result, prober = PartResult(Part.SERVER, "n2", 0.0), Prober(connect, [80])
    asking = asyncio.create_task(prober.run())
    await asyncio.sleep(0.4)
    await drill._see_normal(result, prober)
    asking.cancel()
    await asyncio.wait([asking])
    assert result.normal_after_s is not None
    assert loop.time() - begun > 1.2
    (gap,) = prober.gaps("10.0.0.100")
    assert gap.gap_s is not None
    assert 0.8 < gap.gap_s < 1.5


@pytest.mark.parametrize(
    ("nodes", "part", "node", "code"),
    [
        (3, Part.HOLDER, "n1", ""),
        (3, Part.SERVER, "n2", ""),
        (2, Part.SERVER, "n2", "drill_quorum"),
        (2, Part.POWER, "n1", "drill_quorum"),
        (1, Part.HOLDER, "n1", "drill_one_gateway"),
        (4, Part.SERVER, "n4", "drill_no_server"),
    ],
)
def test_what_would_cost_the_cluster_too_much_is_refused(nodes: int, part: Part, node: str, code: str) -> None:
    roles: dict[str, Sequence[str]] = {f"n{number}": ALL_IN_ONE for number in range(1, min(nodes, 3) + 1)}
    spec = spec_of({**roles, **({"n4": ("worker",)} if nodes > 3 else {})})
    if not code:
        refuse_unsafe(spec, part, node)
        return
    with pytest.raises(StepError) as caught:
        refuse_unsafe(spec, part, node)
    assert caught.value.code == code


def test_work_that_must_be_done_is_done_though_it_is_cancelled() -> None:
    async def story() -> bool:
        done = False

        async def work() -> None:
            nonlocal done
            await asyncio.sleep(0.05)
            done = True

        task = asyncio.create_task(surely(work()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return done

    assert asyncio.run(story())


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = new_record("site-a", "ops")
    record.stopped.append(Stopped("n1", "keepalived.service"))
    save(tmp_path, record)
    (tmp_path / "drills" / "damaged.json").write_text("{")
    assert list(records(tmp_path)) == [record]
    assert (tmp_path / "drills").stat().st_mode & 0o077 == 0


@asynccontextmanager
async def installed(tmp_path: Path, verbs: Verbs = VERBS) -> AsyncIterator[tuple[Bench, Drill]]:
    """Three installed servers and a drill on them; normal is that one gateway holds the address."""
    async with bench(tmp_path, 3, verbs=verbs) as made:
        await walk(build_plan(made.context.spec, made.context.facts), made.context)
        yield made, drill_on(made, made.context.spec)


def drill_on(made: Bench, spec: ClusterSpec, *, straight: bool = False) -> Drill:
    async def is_normal() -> bool:
        return len(await conducted.holders()) == 1

    told: list[Text] = []
    record = Record("20260101-000000", spec.name, 0.0)
    conducted = Drill(spec, made.context.hosts, made.context.site_dir, record, told.append, is_normal, straight)
    return conducted


def test_a_stopped_holder_is_noted_measured_and_started_again(tmp_path: Path) -> None:
    noted: list[list[Stopped]] = []

    async def look_then_stop(call: Call) -> int:
        if call.args[0] == "stop":
            noted.extend(record.stopped for record in records(tmp_path / "site"))
        return await VERBS["drill"](call)

    async def story() -> None:
        async with installed(tmp_path, {**VERBS, "drill": look_then_stop}) as (made, conducted):
            holder = await conducted.node_for(Part.HOLDER, "")
            result = await conducted.carry_out(Part.HOLDER, holder)

            assert noted == [[Stopped(holder, "keepalived.service")]]
            assert (result.outcome, result.holder_before) == (Outcome.PASSED, holder)
            assert result.took_over not in ("", holder)
            assert all(gap.gap_s is not None and gap.gap_s < 5 for gap in result.gaps)
            assert made.machine(holder).systemd.unit("keepalived").active.value == "active"
            (kept,) = records(made.context.site_dir)
            assert kept.stopped == []
            data = json.loads((made.context.site_dir / "drills" / "20260101-000000.json").read_text())
            jsonschema.validate(data, json.loads(asset("schemas", "drill.schema.json").read_text(encoding="utf-8")))
            assert data["parts"][0]["outcome"] == "passed"

    asyncio.run(story())


def test_a_drill_that_is_interrupted_puts_everything_back(tmp_path: Path) -> None:
    async def story() -> None:
        async with installed(tmp_path) as (made, conducted):
            holder = await conducted.node_for(Part.HOLDER, "")
            task = asyncio.create_task(conducted.carry_out(Part.HOLDER, holder))
            while made.machine(holder).systemd.unit("keepalived").active.value == "active":
                await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0.2)
            assert made.machine(holder).systemd.unit("keepalived").active.value == "active"
            (kept,) = records(made.context.site_dir)
            assert (kept.stopped, kept.parts[0].outcome) == ([], Outcome.INTERRUPTED)

    asyncio.run(story())


def test_where_rainbond_has_no_gateway_none_is_stopped(tmp_path: Path) -> None:
    async def story() -> None:
        async with installed(tmp_path) as (_, conducted):
            with pytest.raises(StepError) as caught:
                await conducted.carry_out(Part.GATEWAY, await conducted.node_for(Part.GATEWAY, ""))
            assert caught.value.code == "drill_no_gateway"

    asyncio.run(story())


async def test_a_server_is_off_when_nobody_answers_where_it_is_logged_in_to(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as made:
        ways = [drill_on(made, made.context.spec, straight=straight) for straight in (False, True)]
        assert [await conducted.is_gone("node3") for conducted in ways] == [False, False]
        await made.fleet.power_off("node3")
        assert [await conducted.is_gone("node3") for conducted in ways] == [True, True]
