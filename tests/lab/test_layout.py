"""What a lab's names and addresses come to, and what the cache promises; no root and no host needed."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.lab.cache import Cache, digest, prune
from tests.lab.layout import MAX_HOSTS, Plan, cable_name, make_plan, squatter_name
from tests.lab.shell import LabError

CHECKOUT = Path(__file__).parents[2]


def plan(
    quarter: int = 0, hosts: int = 4, bare: list[str] | None = None, behind: tuple[str, ...] = (), name: str = "lab"
) -> Plan:
    return make_plan(name, quarter, host_count=hosts, without_keepalived=bare, bastion_for=behind, disk_gib=8)


def quiet(_: str) -> None:
    return


def test_every_address_of_a_lab_is_in_its_quarter_and_used_once() -> None:
    for quarter in range(4):
        made = plan(quarter, MAX_HOSTS, behind=("n4",))
        used = [made.jump_address, *(machine.address for machine in made.machines), *made.vips]
        assert len(set(used)) == len(used)
        assert all(IPv4Address(address) in set(made.network.hosts()) for address in used)


def test_addresses_are_those_of_the_readme() -> None:
    made = plan(1, behind=("n4",))
    assert made.jump_address == "198.51.100.65"
    assert [host.address for host in made.hosts] == [f"198.51.100.{64 + 11 + index}" for index in range(4)]
    assert made.bastion is not None
    assert made.bastion.address == "198.51.100.74"
    assert made.vips[0] == "198.51.100.114"


@pytest.mark.parametrize(
    ("bare", "with_keepalived"),
    [(None, ["n1", "n2", "n4"]), ([], ["n1", "n2", "n3", "n4"]), (["n1", "n4"], ["n2", "n3"])],
)
def test_keepalived_is_where_it_is_not_left_out(bare: list[str] | None, with_keepalived: list[str]) -> None:
    assert [host.name for host in plan(bare=bare).hosts if host.keepalived] == with_keepalived


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": "Lab"}, "lower case"),
        ({"name": "toolongname"}, "seven letters"),
        ({"name": "a-b"}, "letters or digits"),
        ({"hosts": 0}, "from 1 to 39"),
        ({"hosts": MAX_HOSTS + 1}, "from 1 to 39"),
        ({"quarter": 4}, "0 to 3"),
        ({"behind": ("n9",)}, "n9"),
        ({"bare": ["n5"]}, "n5"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(LabError, match=says):
        plan(**wrong)  # type: ignore[arg-type]


def test_names_of_links_fit_into_the_kernel() -> None:
    assert len(cable_name("abcdefgh", MAX_HOSTS)) <= 15
    assert len(squatter_name("abcdefgh", "198.51.100.254")) <= 15


def test_a_build_that_fails_leaves_no_entry(tmp_path: Path) -> None:
    cache = Cache(tmp_path, quiet)

    def fail(place: Path) -> None:
        (place / "half").touch()
        raise LabError("broken")

    with pytest.raises(LabError, match="broken"):
        cache.entry("thing", "1", fail)
    assert not cache.place("thing", "1").exists()
    made = cache.entry("thing", "1", lambda place: (place / "whole").touch())
    assert [file.name for file in made.iterdir()] == ["whole"]


def test_two_processes_build_an_entry_once(tmp_path: Path) -> None:
    program = """
        import sys, time
        from pathlib import Path
        from tests.lab.cache import Cache

        def build(place):
            with open(sys.argv[2], "a") as log:
                log.write("built\\n")
            time.sleep(0.5)

        Cache(Path(sys.argv[1]), print).entry("thing", "1", build)
    """
    log = tmp_path / "log"
    words = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "cache"), str(log)]
    processes = [subprocess.Popen(words, cwd=CHECKOUT, stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [process.wait(timeout=30) for process in processes] == [0, 0, 0]
    assert log.read_text() == "built\n"


def test_a_key_follows_names_and_contents(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_text("1")
    keys = [digest(source), digest(source, "text")]
    (source / "a").write_text("2")
    keys.append(digest(source))
    (source / "a").rename(source / "b")
    keys.append(digest(source))
    assert len(set(keys)) == 4


def test_pruning_keeps_what_was_used_last(tmp_path: Path) -> None:
    cache = Cache(tmp_path, quiet)
    for key in ("1", "2", "1"):
        cache.entry("thing", key, lambda place: place.joinpath("x").touch())
    assert prune(cache) == ["thing-2"]
    assert cache.place("thing", "1").is_dir()
