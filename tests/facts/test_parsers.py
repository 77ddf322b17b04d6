"""Every fact's parser: recorded outputs of real systems in, facts out; and any garbage in, no surprise out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_jsonable_python

from rbdtui.facts.disks import MOUNT_TABLE, PATH_SPACES, TURNING_DISKS, place_on_mounts
from rbdtui.facts.fact import Answers, Fact, Output
from rbdtui.facts.ports import SOCKET_OWNERS, SOCKETS, join_listeners
from rbdtui.facts.software import CLAIM
from rbdtui.facts.table import FACTS, assemble

RECORDED = Path(__file__).parent / "recorded"
BY_NAME: dict[str, Fact[Any]] = {fact.name: fact for fact in FACTS}


def plain(value: object) -> object:
    """A value as JSON has it, sets in order."""
    return to_jsonable_python(_ordered(value))


def _ordered(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [_ordered(item) for item in value]
    if isinstance(value, dict):
        return {key: _ordered(item) for key, item in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return {name: _ordered(getattr(value, name)) for name in value.__dataclass_fields__}
    return value


@pytest.mark.parametrize("file", sorted(RECORDED.glob("*/*.json")), ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_recorded_output(file: Path) -> None:
    recorded = json.loads(file.read_text(encoding="utf-8"))
    assert plain(BY_NAME[file.parent.name].parse("\n".join(recorded["output"]))) == recorded["fact"]


def test_every_fact_has_a_recorded_output() -> None:
    assert {folder.name for folder in RECORDED.iterdir()} == BY_NAME.keys()


def output_of(fact: str, case: str) -> str:
    return "\n".join(json.loads((RECORDED / fact / f"{case}.json").read_text(encoding="utf-8"))["output"])


@pytest.mark.parametrize(
    ("listed", "turning"),
    [
        ("disk 1 sda ST4000NM0035-1V4107\n", ("sda",)),
        ("lvm 1 vg-root \npart 1 sda3 \ndisk 1 sda ST4000NM0035\ndisk 0 sdb INTEL\\x20SSD\n", ("sda",)),
        ("crypt 1 luks \npart 1 nvme0n1p2 \ndisk 0 nvme0n1 SAMSUNG\n", ()),
        ("part 1 vda1 \ndisk 1 vda \n", ()),
        ("disk 1 sda QEMU\\x20HARDDISK\n", ()),
        ("disk 1 sda Virtual_disk\n", ()),
        ("disk\nlsblk: x: not a block device\n", ()),
        ("", ()),
    ],
)
def test_disks_that_turn_are_told_from_those_of_hypervisors(listed: str, turning: tuple[str, ...]) -> None:
    assert TURNING_DISKS.parse(listed) == turning


def test_paths_are_placed_on_the_nearest_mount_and_the_later_one_on_the_same_point() -> None:
    table = MOUNT_TABLE.parse(output_of("mount_table", "centos-7-lvm"))
    spaces = PATH_SPACES.parse(
        "/\t/\trw\t4096 100 90 0 0\n"
        "/var/lib/rancher\t/var/lib/rancher\trw\t4096 1000 500 10 5\n"
        "/opt/rainbond\t/opt/rainbond\trw\t4096 10 1 0 0\n"
        "/tmp\t/tmp\tro\t4096 10 1 0 0\n"
    )
    mounts, paths = place_on_mounts(table, spaces)
    by_point = {mount.path: mount for mount in mounts}
    assert by_point["/"].device == "/dev/mapper/centos-root"
    assert by_point["/var/lib/rancher"].used_percent == 50.0
    assert by_point["/var/lib/rancher"].inodes_used_percent == 50.0
    assert by_point["/opt/rainbond"].filesystem == "nfs4"
    assert by_point["/tmp"].read_only
    assert by_point["/tmp"].no_exec
    assert not paths["/tmp"].writable


def test_listeners_know_their_owners() -> None:
    sockets = SOCKETS.parse(output_of("sockets", "openeuler-22.03"))
    owners = SOCKET_OWNERS.parse(output_of("socket_owners", "rocky-9-pods"))
    found = {(each.protocol, each.port): each for each in join_listeners(sockets, owners)}
    assert (found["tcp", 80].process, found["tcp", 80].unit, found["tcp", 80].pid) == ("nginx", "nginx.service", 812)
    assert found["tcp", 6764].unit == "kubepods"
    assert found["udp", 8472].process == ""


def test_a_damaged_claim_is_a_failed_fact_and_no_claim() -> None:
    for text in ('{"site": 1', "[]", '{"site": "a"}', "\x00"):
        answers = Answers({"claim": Output(0, text)})
        assert answers.value(CLAIM) is None
        assert "claim" in answers.failed


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (None, "no answer"),
        (Output(124, "half of it"), "no answer within 5 s"),
        (Output(137, ""), "no answer within 5 s"),
        (Output(1, "", "nproc: broken\n"), "status 1 nproc: broken"),
        (Output(2, ""), "status 2"),
        (Output(0, "many"), "unreadable: invalid literal for int() with base 10: 'many'"),
    ],
)
def test_why_a_fact_failed_is_kept(output: Output | None, reason: str) -> None:
    answers = Answers({} if output is None else {"cpu_count": output})
    assert answers.value(BY_NAME["cpu_count"]) == 0
    assert answers.failed == {"cpu_count": reason}


RECORDED_OUTPUTS = {
    fact.name: [output_of(fact.name, file.stem) for file in sorted(RECORDED.glob(f"{fact.name}/*.json"))]
    for fact in FACTS
}


@settings(deadline=None)
@given(st.data())
def test_no_output_of_a_host_can_upset_the_parsers(data: st.DataObject) -> None:
    outputs: dict[str, Output] = {}
    for fact in FACTS:
        text = data.draw(st.sampled_from(RECORDED_OUTPUTS[fact.name]))
        cut = data.draw(st.integers(0, len(text)))
        noise = data.draw(st.text(max_size=20))
        outputs[fact.name] = Output(0, text[:cut] + noise + text[cut + len(noise) :])
    facts = assemble("n1", Answers(outputs), clock=None, gathered_at=0.0)
    assert facts.node == "n1"
