"""The composed script, run by the shells of this machine: frames, time limits, and that it changes nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from rbdtui.facts.clock import reading_of
from rbdtui.facts.compose import compose, frame_outputs, split_outputs
from rbdtui.facts.fact import Answers, Fact, Output
from rbdtui.facts.gather import facts_script
from rbdtui.facts.system import parse_line
from rbdtui.facts.table import FACTS
from rbdtui.transport.scripts import Script, script

SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]


def fact(name: str, command: str, limit_s: int = 5) -> Fact[str]:
    return Fact(name, command, parse_line, "", limit_s)


PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def run(composed: Script, shell: str = "sh", path: str = PATH) -> tuple[dict[str, Output], str]:
    words = [shell, "sh"] if shell == "busybox" else [shell]
    done = subprocess.run(
        [*words, "-c", composed.file_text()], capture_output=True, timeout=60, check=False, env={"PATH": path}
    )
    assert done.returncode == 0
    text = done.stdout.decode("utf-8", "replace")
    return split_outputs(text, done.stderr.decode("utf-8", "replace")), text


@pytest.mark.parametrize("shell", SHELLS)
def test_each_fact_costs_only_itself(shell: str) -> None:
    composed = compose(
        (
            fact("before", "echo one"),
            fact("hangs", "echo started; sleep 30", limit_s=1),
            fact("ignores_the_limit", "trap '' TERM; sleep 30", limit_s=1),
            fact("fails", "echo why >&2; exit 3"),
            fact("no_newline", "printf end"),
            fact("not_utf8", r"printf '\316\322\n'"),
            fact("quotes", """echo "it's" '"quoted"'"""),
            fact("reads_input", "cat"),
            fact("kills_its_shell", "kill -9 $$"),
            fact("after", "echo two"),
        )
    )
    began = time.monotonic()
    outputs, _ = run(composed, shell)
    assert time.monotonic() - began < 10
    assert {name: out.status for name, out in outputs.items()} == {
        "before": 0, "hangs": 124, "ignores_the_limit": 137, "fails": 3, "no_newline": 0, "not_utf8": 0, "quotes": 0,
        "reads_input": 0, "kills_its_shell": 137, "after": 0,
    }  # fmt: skip
    assert outputs["hangs"].text.strip() == "started"
    assert outputs["fails"].error.strip() == "why"
    assert outputs["no_newline"].text == "end"
    assert outputs["not_utf8"].text == "\ufffd\ufffd\n"
    assert outputs["quotes"].text.strip() == """it's "quoted\""""
    assert outputs["after"].text.strip() == "two"


@pytest.mark.parametrize("shell", SHELLS)
def test_all_facts_are_had_from_this_machine(shell: str) -> None:
    outputs, text = run(facts_script(), shell)
    answers = Answers(outputs)
    values = {each.name: answers.value(each) for each in FACTS}
    assert answers.failed == {}
    assert values["cpu_count"] >= 1
    assert len([line for line in text.splitlines() if reading_of(line) is not None]) == 2


def test_a_hanging_program_of_the_host_costs_only_its_fact(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("#!/bin/sh\nexec sleep 30\n")
    (tmp_path / "stat").chmod(0o755)
    outputs, _ = run(facts_script(), path=f"{tmp_path}:{PATH}")
    answers = Answers(outputs)
    for each in FACTS:
        answers.value(each)
    assert answers.failed.keys() == {"path_spaces", "cgroups"}


def test_a_cut_off_answer_gives_what_had_come() -> None:
    whole = frame_outputs({"a": Output(0, "1\n"), "b": Output(0, "2\n")}, 1.0)
    assert split_outputs(whole[: whole.index("@@end b")]).keys() == {"a"}
    assert split_outputs("motd\n@@fact\n" + whole).keys() == {"a", "b"}


def test_a_host_cannot_steer_the_terminal() -> None:
    outputs, _ = run(compose((fact("a", r"printf '\033]0;x\007a\tb\r\nc\n'; printf '\033[2J' >&2; exit 1"),)))
    assert outputs["a"].text == "\ufffd]0;x\ufffda\tb\nc\n"
    assert outputs["a"].error == "\ufffd[2J"


def test_framed_outputs_are_what_the_script_prints() -> None:
    outputs, text = run(compose((fact("a", "echo x; exit 4"), fact("b", "printf y"))))
    times = [line for line in text.splitlines() if line.startswith("@@clock")]
    framed = frame_outputs(outputs, 5.25)
    assert reading_of(framed.splitlines()[0]) == 5.25
    assert framed.replace("@@clock 5.250000000", times[0], 1).replace("@@clock 5.250000000", times[1]) == text


@pytest.mark.parametrize("each", FACTS, ids=lambda each: each.name)
def test_a_fact_writes_nowhere(each: Fact[object]) -> None:
    """Output goes to standard output, standard error or nowhere; no command that changes anything is called."""
    assert set(re.findall(r"(?<!-)>+\s*(\S+)", each.command)) <= {"/dev/null", "&2", "/dev/null;", "/dev/null)"}
    called = set(re.findall(r"(?:^|[|;&(]|\bdo|\bthen|\belse)\s*([a-z][a-z-]+)", each.command, re.MULTILINE))
    assert not called & {"rm", "mv", "cp", "touch", "mkdir", "tee", "modprobe", "chmod", "chown", "kill", "awk", "curl"}


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("each", FACTS, ids=lambda each: each.name)
def test_shellcheck_is_content_with_a_fact(each: Fact[object]) -> None:
    asked = ["shellcheck", "-s", "sh", "-S", "warning", "-"]
    done = subprocess.run(asked, input=each.command, text=True, capture_output=True, check=False)
    assert done.stdout == ""


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("name", ["clock", "neighbour"])
def test_shellcheck_is_content_with_a_script(name: str) -> None:
    done = subprocess.run(
        ["shellcheck", "-s", "sh", "-"], input=script(name).text, text=True, capture_output=True, check=False
    )
    assert done.stdout == ""
