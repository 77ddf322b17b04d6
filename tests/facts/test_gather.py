"""Gathering from this machine, and from many at once of which some are slow or dead."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest

from rbdtui.facts.gather import gather, gather_all
from rbdtui.facts.model import NODE_FACTS, NodeFacts
from rbdtui.facts.store import load_all_facts, save_facts
from rbdtui.transport.base import ConnectTimeoutError, LoginRefusedError, RemoteScriptError, TransportError
from tests.facts.local_host import DeadHost, LocalHost


async def test_this_machine_answers_everything() -> None:
    facts = await gather(LocalHost("n1"))
    assert facts.failed == {}
    assert facts.node == "n1"
    assert facts.memory.total_bytes > 2**27
    assert any(interface.name == "lo" for interface in facts.interfaces)
    assert facts.mount_of("/var/lib/rancher") is not None
    assert facts.clock is not None
    assert abs(facts.clock.offset_s) <= facts.clock.uncertainty_s + 0.001
    assert abs(facts.gathered_at - time.time()) < 60


async def test_a_shifted_clock_is_measured(tmp_path: Path) -> None:
    fake = tmp_path / "date"
    fake.write_text('#!/bin/sh\nexec /bin/date -d "+90 seconds" "$@"\n')
    fake.chmod(0o755)
    facts = await gather(LocalHost("n1", first_in_path=tmp_path))
    assert facts.clock is not None
    assert facts.clock.offset_s == pytest.approx(90, abs=facts.clock.uncertainty_s + 0.01)


@pytest.mark.parametrize(("shift_s", "asks_again"), [(0, False), (30, True)])
async def test_a_rough_reading_is_refined_where_it_matters(tmp_path: Path, shift_s: int, asks_again: bool) -> None:
    """Starting a script takes 0.3 s here, so that a single reading is rough."""
    for name, text in (
        ("head", 'sleep 0.3\nexec /usr/bin/head "$@"\n'),
        ("date", f'exec /bin/date -d "{shift_s} seconds" "$@"\n'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}")
        (tmp_path / name).chmod(0o755)
    host = LocalHost("n1", first_in_path=tmp_path)
    facts = await gather(host)
    assert facts.clock is not None
    assert facts.clock.offset_s == pytest.approx(shift_s, abs=facts.clock.uncertainty_s + 0.01)
    if asks_again:
        assert host.ran[:2] == ["facts", "clock"]
    assert len(host.ran) <= 4


async def test_a_script_that_ends_badly_is_an_error_of_the_host(tmp_path: Path) -> None:
    (tmp_path / "sh").write_text("#!/bin/sh\necho broken >&2\nexit 9\n")
    (tmp_path / "sh").chmod(0o755)
    with pytest.raises(RemoteScriptError):
        await gather(LocalHost("n1", first_in_path=tmp_path))


async def test_errors_are_values_and_the_slow_delay_nobody() -> None:
    hosts = {
        "slow": LocalHost("slow", delay_s=3.0),
        "dead": DeadHost("dead", ConnectTimeoutError("dead", address="198.51.100.9", port=22)),
        "denied": DeadHost("denied", LoginRefusedError("denied", address="198.51.100.8", port=22)),
        "quick": LocalHost("quick"),
    }
    began = time.monotonic()
    answered: list[tuple[str, float]] = []

    def on_facts(name: str, _: NodeFacts | TransportError) -> None:
        answered.append((name, time.monotonic() - began))

    answers = await gather_all(hosts, on_facts)
    assert {name: type(answer) for name, answer in answers.items()} == {
        "slow": NodeFacts, "dead": ConnectTimeoutError, "denied": LoginRefusedError, "quick": NodeFacts,
    }  # fmt: skip
    assert [name for name, _ in answered][-1] == "slow"
    assert dict(answered)["quick"] < 3.0 <= dict(answered)["slow"]


async def test_facts_are_kept_and_read_again(tmp_path: Path) -> None:
    facts = await gather(LocalHost("n1"))
    file = save_facts(tmp_path / "facts", facts)
    assert load_all_facts(tmp_path / "facts", ["n1", "n2"]) == {"n1": facts}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in file.parent.iterdir()] == ["n1.json"]


def test_damaged_facts_are_left_out(tmp_path: Path) -> None:
    save_facts(tmp_path, NodeFacts("n1", 1.0))
    (tmp_path / "n2.json").write_bytes(b'{"node": "n2"')
    (tmp_path / "n3.json").write_bytes(NODE_FACTS.dump_json(NodeFacts("n3", 1.0)).replace(b'"kernel"', b'"kernels"'))
    (tmp_path / "n4.json").mkdir()
    assert "n1" in load_all_facts(tmp_path, ["n1", "n2", "n4", "n5"])
    assert load_all_facts(tmp_path, ["n2", "n4", "n5"]) == {}


def test_a_store_that_cannot_be_written_leaves_the_old_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_facts(tmp_path, NodeFacts("n1", 1.0))

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        save_facts(tmp_path, NodeFacts("n1", 2.0))
    assert load_all_facts(tmp_path, ["n1"])["n1"].gathered_at == 1.0
    assert [entry.name for entry in tmp_path.iterdir()] == ["n1.json"]
