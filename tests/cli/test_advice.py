"""What refusals of runs advise is done, word for word, and works; and no advice stands there that no test follows."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rbdtui.cli.output import Exit
from rbdtui.engine.client import RunClient, current_run, latest_run
from rbdtui.engine.events import RunOutcome
from rbdtui.engine.lock import holder_of
from rbdtui.paths import asset
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import Build, SimulatedFleet
from rbdtui.simulator.machine import Hardware
from rbdtui.site import Site
from rbdtui.words import LANGUAGES, catalogue
from tests.cli import console
from tests.cli.advice import LIMIT_S, advised, follow
from tests.cli.hosts import FleetThread, fill_vault
from tests.disks import small_disk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
SPEED = 20.0
TESTS = Path(__file__).parent.parent
FIRST_SERVER = "rke2-first-server@node1"


@dataclass(frozen=True, slots=True)
class Place:
    """A site of one host, and its runs."""

    site: Site
    passphrase: Path

    @property
    def options(self) -> tuple[str | Path, ...]:
        return ("--yes", "--on-failure", "stop", "--ascii", "--passphrase-file", self.passphrase)

    def run(self, *more: str) -> console.Said:
        return console.run("en", "run", self.site.path, *more, *self.options, limit_s=LIMIT_S)

    def ends_well(self) -> RunClient:
        """The newest run ended well; gives it."""
        newest = latest_run(self.site)
        assert newest is not None
        waiting_for(lambda: newest.state().outcome is not None)
        assert newest.state().outcome is RunOutcome.DONE
        return newest


def waiting_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "this did not come about in time"
        time.sleep(0.02)


def kill(site: Site) -> None:
    holder = holder_of(site)
    assert holder is not None
    os.kill(holder.pid, signal.SIGKILL)
    waiting_for(lambda: holder_of(site) is None)


def new_place(directory: Path, hosts: FleetThread) -> Place:
    bundle = write_bundle(directory / "bundle", images_bytes=4096)
    site = write_demo_site(directory / "site", hosts.fleet, bundle=bundle)
    site.known_hosts_file.write_text(hosts.fleet.known_hosts)
    return Place(site, fill_vault(site.path, {}))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A site whose run was killed on its way; only ever copied."""
    with FleetThread(SimulatedFleet(1, speed=SPEED)) as hosts:
        found = new_place(tmp_path_factory.mktemp("advice"), hosts)
        found.run("--detach").check(Exit.GOOD)
        run = current_run(found.site)
        assert run is not None
        waiting_for(lambda: FIRST_SERVER in run.state().steps and run.state().steps[FIRST_SERVER].attempts)
        kill(found.site)
        yield found


@pytest.fixture
def place(killed: Place, tmp_path: Path) -> Iterator[Place]:
    """A copy of it, on the same host."""
    copy = Path(shutil.copytree(killed.site.path, tmp_path / "site", ignore=shutil.ignore_patterns("*.sock")))
    copy.chmod(0o700)
    found = Place(Site.open(copy), killed.passphrase)
    yield found
    with contextlib.suppress(AssertionError):
        kill(found.site)


@pytest.fixture
def untouched(tmp_path: Path) -> Iterator[Place]:
    """A site on a host of its own with nothing installed, so that a run of it takes its time."""
    with FleetThread(SimulatedFleet(1, speed=SPEED)) as hosts:
        found = new_place(tmp_path, hosts)
        yield found
        with contextlib.suppress(AssertionError):
            kill(found.site)


# --- runs that cannot be taken up ----------------------------------------------------------------------------


def other_plan(run: Path) -> None:
    journal = run / "events.jsonl"
    journal.write_text(journal.read_text().replace("step.claim.title", "step.claim.heading", 1))


def line(number: int, content: bytes) -> Callable[[Path], None]:
    def put(run: Path) -> None:
        lines = (run / "events.jsonl").read_bytes().splitlines(keepends=True)
        lines[number] = content + b"\n"
        (run / "events.jsonl").write_bytes(b"".join(lines))

    return put


def without(name: str) -> Callable[[Path], None]:
    return lambda run: (run / name).unlink()


REFUSED = {
    "other plan": (other_plan, "run_dir.other_plan"),
    "damaged": (line(4, b"\xff\xfe{"), "journal.damaged"),
    "damaged first line": (line(0, b"nonsense"), "journal.damaged"),
    "numbers": (line(4, b'{"schema":1,"seq":9,"at":1,"type":"run-paused","by":"x"}'), "journal.gap"),
    "newer": (line(4, b'{"schema":99,"seq":5,"at":1,"type":"run-dreamt"}'), "journal.newer"),
    "no facts": (without("facts.json"), "run_dir.unreadable"),
    "no spec": (without("spec.yaml"), "run_dir.unreadable"),
    "options": (lambda run: (run / "facts.json").write_text("[" * 10), "run_dir.unreadable"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_run_that_cannot_be_taken_up_gives_way_to_a_new_one(place: Place, name: str) -> None:
    spoil, key = REFUSED[name]
    before = latest_run(place.site)
    assert before is not None
    spoil(before.run_dir)
    for _ in range(2):
        refused = place.run().check(Exit.USAGE)
        assert beginning(key) in refused.err, "it is this sentence"
    follow(refused.err, "run", place.site.path, *place.options).check(Exit.GOOD)
    newest = place.ends_well()
    assert newest.run_id != before.run_id
    assert before.given_up()
    place.run().check(Exit.GOOD)
    assert newest.run_id != place.ends_well().run_id, "the one given up stands in nobody's way"


def beginning(key: str) -> str:
    """What of a sentence does not depend on the case: its longest part without parameters."""
    return max(re.split(r"\{[^}]*\}", catalogue("en")[key]), key=len).partition("`")[0].strip()


def test_a_new_run_may_be_wished_for_without_need(place: Place) -> None:
    before = latest_run(place.site)
    assert before is not None
    place.run("--new").check(Exit.GOOD)
    assert place.ends_well().run_id != before.run_id
    assert before.given_up()


def test_an_edited_cluster_yaml_begins_a_new_run_whatever_the_journal_says(place: Place) -> None:
    before = latest_run(place.site)
    assert before is not None
    line(4, b"damaged")(before.run_dir)
    with place.site.spec_file.open("a") as spec:
        spec.write("# edited\n")
    place.run().check(Exit.GOOD)
    assert place.ends_well().run_id != before.run_id


def test_a_first_line_that_a_power_cut_lost_is_no_obstacle(place: Place) -> None:
    before = latest_run(place.site)
    assert before is not None
    journal = before.run_dir / "events.jsonl"
    content = journal.read_bytes()
    page = 1024
    assert content.index(b"\n") > page
    journal.write_bytes(b"\0" * page + content[page:])
    place.run().check(Exit.GOOD)
    assert place.ends_well().run_id != before.run_id


# --- runs that are there, that are gone, that do not answer ----------------------------------------------------


def test_a_run_that_was_killed(place: Place) -> None:
    run = latest_run(place.site)
    assert run is not None
    for verb in ("stop", "pause", "resume", "retry"):
        gone = console.run("en", verb, place.site.path).check(Exit.USAGE)
        assert beginning("command.no_runner") in gone.err
        assert advised(gone.err, "run")
    attached = console.run("en", "attach", place.site.path, "--ascii").check(Exit.FAILED)
    assert advised(attached.err, "run") == advised(gone.err, "run")
    follow(gone.err, "run", place.site.path, *place.options).check(Exit.GOOD)
    assert place.ends_well().run_id == run.run_id
    over = console.run("en", "stop", place.site.path).check(Exit.USAGE)
    assert beginning("command.ended") in over.err
    follow(over.err, "run", place.site.path, *place.options).check(Exit.GOOD)
    assert place.ends_well().run_id != run.run_id


def test_a_run_that_is_under_way_and_one_that_does_not_answer(untouched: Place) -> None:
    place = untouched
    started = place.run("--detach").check(Exit.GOOD)
    assert advised(started.out, "attach") == ["attach", str(place.site.path)]
    holder = holder_of(place.site)
    assert holder is not None
    os.kill(holder.pid, signal.SIGSTOP)
    held = place.run().check(Exit.USAGE)
    assert f"process {holder.pid}" in held.err
    silent = console.run("en", "stop", place.site.path).check(Exit.USAGE)
    (command,) = re.findall(r"`(kill -9 \d+)`", silent.err)
    os.kill(int(command.split()[-1]), signal.SIGKILL)
    waiting_for(lambda: holder_of(place.site) is None)
    follow(silent.err, "run", place.site.path, "--detach", *place.options).check(Exit.GOOD)
    attach = {tuple(found.split()) for found in re.findall(r"`(rbdtui attach[^`]*)`", held.err)}
    assert attach == {("rbdtui", "attach"), ("rbdtui", "attach", str(place.site.path))}
    console.run("en", "attach", place.site.path, "--ascii", limit_s=LIMIT_S).check(Exit.GOOD)
    place.ends_well()


def test_a_run_that_was_stopped_goes_on(place: Place) -> None:
    place.run("--detach").check(Exit.GOOD)
    stopping = console.run("en", "stop", place.site.path)
    if stopping.status == Exit.GOOD:
        ended = console.run("en", "attach", place.site.path, "--ascii", limit_s=LIMIT_S)
        if ended.status == Exit.WAITING:
            follow(ended.out, "run", place.site.path, *place.options).check(Exit.GOOD)
    place.ends_well()


# --- a site without a run, consent, findings -------------------------------------------------------------------


@pytest.fixture
def fresh(place: Place) -> Place:
    shutil.rmtree(place.site.runs_dir)
    return place


def test_consent_is_given_as_advised(fresh: Place) -> None:
    none = console.run("en", "attach", fresh.site.path).check(Exit.USAGE)
    needs = follow(none.err, "run", fresh.site.path, "--passphrase-file", fresh.passphrase).check(Exit.USAGE)
    assert "Add --yes" in needs.err
    follow(none.err, "run", fresh.site.path, "--yes", "--passphrase-file", fresh.passphrase).check(Exit.GOOD)
    fresh.ends_well()


def test_a_passphrase_is_given_as_advised(fresh: Place) -> None:
    nobody = console.run("en", "run", fresh.site.path, "--yes").check(Exit.USAGE)
    assert "--passphrase-file" in nobody.err
    environment = {"RBDTUI_PASSPHRASE_FILE": str(fresh.passphrase)}
    console.run("en", "run", fresh.site.path, "--yes", environment=environment, limit_s=LIMIT_S).check(Exit.GOOD)
    fresh.ends_well()


def test_findings_are_accepted_as_advised(tmp_path: Path) -> None:
    weak = Build(hardware=Hardware(cpu_count=1))
    with FleetThread(SimulatedFleet(1, speed=SPEED, builds=[weak])) as hosts:
        found = new_place(tmp_path, hosts)
        refused = found.run().check(Exit.FINDINGS)
        assert "--accept CODE" in refused.err
        codes = re.findall(r"^x error (RBD-\S+)", refused.out, re.MULTILINE)
        found.run("--accept", ",".join(codes)).check(Exit.GOOD)
        found.ends_well()


# --- sites that cannot be written ------------------------------------------------------------------------------


def test_a_site_that_cannot_be_written_is_checked_and_can_be_run_once_it_is_mounted_so(
    place: Place, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", size="16m") as disk:
        site = Site.open(Path(shutil.copytree(place.site.path, disk / "site")))
        moved = Place(site, place.passphrase)
        os.system(f"mount -o remount,ro {disk}")
        try:
            for language in LANGUAGES:
                checked = console.run(language, "check", site.path, "--ascii", limit_s=LIMIT_S).check(Exit.GOOD)
                assert checked.findings()
                assert str(site.facts_dir) in checked.err
                refused = console.run(language, "run", site.path, *moved.options).check(Exit.USAGE)
                assert str(site.path) in refused.err
                assert refused.out == ""
        finally:
            os.system(f"mount -o remount,rw {disk}")
        moved.run().check(Exit.GOOD)
        moved.ends_well()


# --- no advice without a test ----------------------------------------------------------------------------------

HERE = "cli/test_advice.py::"
STEERING = "screens/test_run_steering.py::"
FOLLOWED: dict[str, str] = {
    **dict.fromkeys(
        ("journal.damaged", "journal.gap", "journal.newer", "run_dir.unreadable", "run_dir.other_plan"),
        HERE + "test_a_run_that_cannot_be_taken_up_gives_way_to_a_new_one",
    ),
    "journal.unwritable": "engine/test_full_disk.py::test_wherever_the_write_fails_nothing_runs_that_is_not_journalled",
    "journal.full": "engine/test_full_disk.py::test_on_a_disk_that_is_really_full",
    "lock.held": HERE + "test_a_run_that_is_under_way_and_one_that_does_not_answer",
    "lock.unusable": HERE + "test_a_site_that_cannot_be_written_is_checked_and_can_be_run_once_it_is_mounted_so",
    "lock.unsupported": "engine/test_runs_of_a_site.py::test_moved_to_a_disk_that_locks_the_site_can_be_run",
    "run.start_slow": "engine/test_runs_of_a_site.py::test_a_runner_that_starts_slowly_is_not_told_as_one_that_failed",
    "command.no_runner": HERE + "test_a_run_that_was_killed",
    "command.ended": HERE + "test_a_run_that_was_killed",
    "command.other_run": "engine/test_runs_of_a_site.py::test_a_command_to_another_run_names_the_one_under_way",
    "command.silent": HERE + "test_a_run_that_is_under_way_and_one_that_does_not_answer",
    "error.jump_host_file.remedy": "cli/test_bad_runs.py::test_a_run_meets_trouble_again_and_again_and_ends_well",
    "error.step_out_of_time.remedy": "engine/test_failures.py::test_a_step_that_ran_out_of_time_is_tried_again",
    "error.secret_not_handed_over.remedy": "engine/test_failures.py::test_a_secret_that_was_missing_is_handed_over",
    "cli.run.attach_instead": HERE + "test_a_run_that_is_under_way_and_one_that_does_not_answer",
    "cli.run.detached": HERE + "test_a_run_that_is_under_way_and_one_that_does_not_answer",
    "cli.run.use": "cli/test_past.py::test_a_run_that_ended_well_says_how_the_cluster_is_used",
    "cli.run.none": HERE + "test_consent_is_given_as_advised",
    "cli.run.needs_yes": HERE + "test_consent_is_given_as_advised",
    "cli.run.refused": HERE + "test_findings_are_accepted_as_advised",
    "cli.run.runner_gone": HERE + "test_a_run_that_was_killed",
    "cli.passphrase.nobody_to_ask": HERE + "test_a_passphrase_is_given_as_advised",
    "cli.steered.stopping": HERE + "test_a_run_that_was_stopped_goes_on",
    "run.end.stopped": HERE + "test_a_run_that_was_stopped_goes_on",
    "run.end.failed": "cli/test_bad_runs.py::test_a_run_meets_trouble_again_and_again_and_ends_well",
    "run_screen.banner.gone": "screens/test_run_embedded.py::"
    "test_a_runner_killed_under_the_screen_is_taken_up_by_a_key",
    "cli.run.runner_halted": "cli/test_follow.py::test_a_runner_halted_from_outside_is_said_once_with_what_to_do",
    "cli.run.runner_silent": "cli/test_follow.py::test_a_runner_that_answers_nothing_is_said_once_with_what_to_do",
    "run_screen.banner.no_answer": "screens/test_run_bad_input.py::"
    "test_a_runner_that_answers_nothing_is_said_by_itself_with_what_to_do",
    "run_screen.banner.halted": "screens/test_run_bad_input.py::"
    "test_a_runner_halted_from_outside_is_said_by_itself_with_what_to_do",
    "run_screen.banner.given_up": STEERING + "test_a_run_left_unfinished_is_given_up_for_a_new_one",
    "run_screen.told.given_up": STEERING + "test_a_run_left_unfinished_is_given_up_for_a_new_one",
    "run_screen.banner.asking": STEERING + "test_a_question_comes_up_on_every_section_and_can_be_put_off",
    "run_screen.banner.paused": STEERING + "test_keys_that_steer",
}
"""By sentence of the files `ADVISING` that advises a run's operator: the test that does it."""
NO_REFUSAL = frozenset(
    {
        "cli.run.goes_on", "cli.run.no_such_code", "cli.run.waits", "run_screen.none", "run_screen.banner.done",
        "run_screen.banner.nothing_changed", "run_screen.banner.failed", "run_screen.banner.stopped",
        "run_screen.banner.gave_up", "run_screen.banner.deleted", "run_screen.banner.partial",
        "run_screen.told.cannot_go_on", "run_screen.stop.question", "run_screen.anew.title",
        "command.nothing_to_retry", "engine.unexpected_remedy", "run_screen.runs.hint",
    }
)  # fmt: skip
"""Sentences that name a command or key as the usual next one, or whose advice is that of another sentence."""
ADVISING = ("engine", "cli", "screens_run")
OF_RUNS = ("cli.run.", "cli.steered.", "cli.passphrase.")
"""Of what the command line says only this is about runs; the rest has tests of its own."""
_ADVICE = re.compile(r"`rbdtui |`kill |--[a-z]|\bpress [a-z]\b|[Tt]ry again|[Ss]tart (it|one|another|the new|a new)")


def test_every_advice_has_a_test_that_follows_it() -> None:
    advising = set()
    for name in ADVISING:
        sentences = flat(tomllib.loads(asset("words", "en", f"{name}.toml").read_text(encoding="utf-8")))
        advising |= {key for key, sentence in sentences.items() if _ADVICE.search(sentence)}
    advising = {key for key in advising if not key.startswith("cli.") or key.startswith(OF_RUNS)}
    advising -= {"help.run"}
    assert advising - FOLLOWED.keys() - NO_REFUSAL == set(), "advice that no test follows"
    assert set(FOLLOWED) - set(catalogue("en")) == set()
    assert NO_REFUSAL - set(catalogue("en")) == set()
    for test in FOLLOWED.values():
        file, _, function = test.partition("::")
        assert f"def {function}(" in (TESTS / file).read_text(encoding="utf-8"), test


def flat(tree: dict[str, object], path: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, below in tree.items():
        if isinstance(below, dict):
            found |= flat(below, f"{path}{name}.")
        else:
            found[path + name] = str(below)
    return found
