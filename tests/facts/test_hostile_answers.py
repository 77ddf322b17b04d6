"""What a host that has been tampered with may answer: read in linear time, within bounds, and never our own failure."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbdtui.facts.clock import reading_of
from rbdtui.facts.compose import MOST_LINE, frame_outputs, split_outputs
from rbdtui.facts.fact import Answers, Fact, Output
from rbdtui.facts.gather import facts_script, gather_all
from rbdtui.facts.model import NODE_FACTS, NodeFacts
from rbdtui.facts.table import FACTS, assemble
from rbdtui.transport.base import CommandResult, RemoteAnswerError
from tests.facts.local_host import LocalHost
from tests.facts.test_parsers import RECORDED_OUTPUTS
from tests.growth import grows_no_faster_than_it_should, nasty_texts

NUMBERS = ("9" * 5000, "9" * 400, str(2**63), "-1", "0x" + "f" * 300, "1e9", "nan", "\u0663", "")


@pytest.mark.parametrize("end", ["", "@@end a 0\n"])
def test_the_marks_of_an_answer_are_found_in_one_pass(end: str) -> None:
    for text_of in nasty_texts():
        grows_no_faster_than_it_should(split_outputs, lambda size, of=text_of: of(size) + "\n" + end, 10_000)  # type: ignore[misc]
        grows_no_faster_than_it_should(lambda text: split_outputs("", text), text_of, 10_000)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_a_fact_is_read_in_linear_time(fact: Fact[object]) -> None:
    heads = {"", *(line + "\n" for text in RECORDED_OUTPUTS[fact.name] for line in text.splitlines()[:1])}
    for head in sorted(heads):
        for text_of in nasty_texts():
            grows_no_faster_than_it_should(fact.parse, lambda size, of=text_of, head=head: head + of(size), 4000)  # type: ignore[misc]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_a_fact_is_read_in_linear_time_however_often_its_own_lines_come(fact: Fact[object]) -> None:
    for text in RECORDED_OUTPUTS[fact.name]:
        for line in set(text.splitlines()):
            for glue in ("\n", " ", ""):
                grows_no_faster_than_it_should(
                    fact.parse,
                    lambda size, text=text, line=line, glue=glue: (  # type: ignore[misc]
                        text + "\n" + (line + glue) * (size // (len(line) + 1))
                    ),
                    8000,
                )


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_more_than_a_fact_may_be_is_not_read(fact: Fact[object]) -> None:
    text = "x\n" * (fact.limit_bytes // 2)
    for longer, failed in (("", False), ("\u00e9\u00e9", True)):
        answers = Answers(split_outputs(frame_outputs({fact.name: Output(0, text + longer)}, 1.0)))
        answers.value(fact)
        assert (answers.failed.get(fact.name) == f"more than {fact.limit_bytes // 1024} KiB") is failed


def test_bytes_are_counted_as_they_came() -> None:
    for text in ("a\r\n" * 10, "\x00" * 30, "\ufffd" * 10):
        (output,) = split_outputs(frame_outputs({"a": Output(0, text)}, 1.0)).values()
        assert output.size_bytes == 30


def test_a_line_is_cut_where_the_kernel_would_have_ended_it() -> None:
    (output,) = split_outputs(frame_outputs({"a": Output(0, "x" * 100_000 + "\ny")}, 1.0)).values()
    assert output.text == "x" * MOST_LINE + "\ny"


def test_marks_within_a_text_belong_to_the_text() -> None:
    whole = "@@fact a\n@@fact b\n@@end b 0\n\n@@end a 7\n@@fact b\nown\n@@end b 3\n@@fact c\nno end\n"
    outputs = split_outputs(whole)
    assert {name: (out.status, out.text) for name, out in outputs.items()} == {
        "a": (7, "@@fact b\n@@end b 0\n"),
        "b": (3, "own"),
    }


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_that_is_none_costs_only_its_own_fact(number: str) -> None:
    for fact in FACTS:
        for text in RECORDED_OUTPUTS[fact.name]:
            for digits in sorted(_numbers(text)):
                outputs = {fact.name: Output(0, text.replace(digits, number))}
                NODE_FACTS.dump_json(assemble("n1", Answers(outputs), clock=None, gathered_at=0.0))
    assert split_outputs(f"@@fact a\n1\n@@end a {number}\n") == {}


def _numbers(text: str) -> set[str]:
    return {word for word in text.replace(":", " ").replace("/", " ").split() if word.isalnum()}


@pytest.mark.parametrize("time", ["9" * 400 + ".0", "1." + "9" * 5000, "-1.0", "nan", "1e5", "\u0661.\u0661"])
def test_a_time_that_is_none_is_no_reading(time: str) -> None:
    assert reading_of(f"@@clock {time}") is None


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_whatever_a_host_answers_is_facts_or_a_reason(data: st.DataObject) -> None:
    """Pieces of real answers, of the frame and of things that parsers trip over, in any order."""
    texts = {fact.name: data.draw(st.sampled_from(RECORDED_OUTPUTS[fact.name])) for fact in FACTS}
    whole = frame_outputs({name: Output(0, text) for name, text in texts.items()}, 1.0)
    marks = ("@@fact claim\n", "\n@@end claim 0\n", "\t", " ", "/", "::", "\n\n")
    pieces = st.sampled_from([*NUMBERS, *marks, "[" * 3000])
    for _ in range(data.draw(st.integers(1, 12))):
        place = data.draw(st.integers(0, len(whole)))
        whole = whole[:place] + data.draw(pieces) + whole[place + data.draw(st.integers(0, 30)) :]
    facts = assemble("n1", Answers(split_outputs(whole)), clock=None, gathered_at=0.0)
    assert NODE_FACTS.validate_json(NODE_FACTS.dump_json(facts)).node == "n1"


class Answering(LocalHost):
    """A host that gives one answer, whatever it is asked."""

    def __init__(self, name: str, stdout: bytes) -> None:
        super().__init__(name)
        self._stdout = stdout

    async def run(self, *_: Any, **__: Any) -> CommandResult:
        return CommandResult(0, self._stdout, b"", 0.01)


async def test_an_answer_that_upsets_us_is_an_error_of_its_node_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def upset(node: str, *_: object, **__: object) -> NodeFacts:
        if node == "n2":
            raise ZeroDivisionError("division by zero")
        return assemble(node, *_, **__)  # type: ignore[arg-type]

    monkeypatch.setattr("rbdtui.facts.gather.assemble", upset)
    hosts = {name: Answering(name, b"") for name in ("n1", "n2", "n3")}
    told: Mapping[str, object] = await gather_all(hosts)
    assert [type(answer) for answer in told.values()] == [NodeFacts, RemoteAnswerError, NodeFacts]
    assert "ZeroDivisionError: division by zero" in str(told["n2"])


@pytest.mark.parametrize("shell", [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)])
def test_a_host_with_much_to_tell_is_cut_on_the_host_itself(shell: str, tmp_path: Path) -> None:
    """Files that grew without end cost their own facts: the others come, and the answer stays within its limit."""
    big = tmp_path / "big"
    big.write_bytes(b"10.0.0.1 a-name\n" * 400_000)
    text = facts_script().text
    for path in ("/etc/hosts", "/etc/machine-id", "/proc/self/mounts", "/etc/os-release", "/proc/net/route"):
        text = text.replace(path, str(big))
    done = subprocess.run(
        [*([shell, "sh"] if shell == "busybox" else [shell]), "-c", text], capture_output=True, check=True
    )
    assert len(done.stdout) < 2 << 20
    answers = Answers(split_outputs(done.stdout.decode("utf-8", "replace")))
    for fact in FACTS:
        answers.value(fact)
    too_long = {name for name, reason in answers.failed.items() if reason.startswith("more than")}
    assert too_long == {"hosts_file", "machine_id", "mount_table", "os_release", "routes"}
