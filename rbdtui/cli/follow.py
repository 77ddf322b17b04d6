"""Following a run to its end: drawing, answering its questions, and the exit status that follows from it."""

from __future__ import annotations

import asyncio
import sys

from rbdtui.cli.lanes import LiveLanes, finish_text, record_lines
from rbdtui.cli.options import Common
from rbdtui.cli.output import Exit, answer, answer_json, clean_console, evidence_lines, tell
from rbdtui.engine import client
from rbdtui.engine.client import CommandError as RefusedError
from rbdtui.engine.client import RunClient
from rbdtui.engine.events import Choice, QuestionAsked, Record, RunOutcome
from rbdtui.engine.inputs import PurposeKind, purpose_of
from rbdtui.engine.state import RunState
from rbdtui.kubesphere import chart as kubesphere
from rbdtui.log_words import log_messages
from rbdtui.paths import as_typed
from rbdtui.rainbond.console import console_url
from rbdtui.spec.loader import load_spec
from rbdtui.words import T, Text

_EXITS = {
    RunOutcome.DONE: Exit.GOOD,
    RunOutcome.PARTIAL: Exit.FAILED,
    RunOutcome.FAILED: Exit.FAILED,
    RunOutcome.STOPPED: Exit.WAITING,
}


LOOK_S = 2.0
"""How often is looked whether the runner is halted."""
TOLD_LINES = 5
"""Of what a failed step said last."""


class Follower:
    """One terminal, or one pipe, that looks at a run."""

    def __init__(self, client: RunClient, *, as_json: bool, common: Common) -> None:
        self._client = client
        self._as_json = as_json
        self._console = clean_console(color=common.color)
        self._can_ask = sys.stdin.isatty() and sys.stderr.isatty() and not as_json
        draws = sys.stderr.isatty() and sys.stdout.isatty() and not as_json and not self._console.is_dumb_terminal
        self._purpose = purpose_of(client.run_dir)
        self._installs = self._purpose is not None and self._purpose.kind is PurposeKind.INSTALL
        self._lanes = (
            LiveLanes(
                self._console,
                installs=self._installs,
                ascii_only=common.ascii_only,
                slow_link=common.slow_link,
            )
            if draws
            else None
        )
        self._state = RunState()

    def follow(self) -> int:
        """Stay until the run has ended, its runner is gone, or nobody here can answer its question."""
        try:
            return asyncio.run(self._follow())
        except KeyboardInterrupt:
            tell("")
            tell(T("cli.run.goes_on", run=self._client.run_id, site=as_typed(self._client.site.path)))
            return Exit.INTERRUPTED

    async def _follow(self) -> int:
        if self._lanes is None:
            return await self._read_and_look()
        with self._lanes:
            status = await self._read_and_look()
        if self._state.finished is not None:
            answer(finish_text(self._state.finished, self._state, installs=self._installs))
        return status

    async def _read_and_look(self) -> int:
        looking = asyncio.create_task(self._look_after_runner()), asyncio.create_task(self._ask_runner())
        try:
            return await self._read()
        finally:
            for each in looking:
                each.cancel()

    async def _look_after_runner(self) -> None:
        """Say once each time the runner is halted from outside: no line would come then, and none that says why."""
        told: int | None = None
        while True:
            halted = self._client.halted_pid()
            if halted is not None and halted != told:
                self._tell_aside(T("cli.run.runner_halted", run=self._client.run_id, pid=halted))
            told = halted
            await asyncio.sleep(LOOK_S)

    async def _ask_runner(self) -> None:
        """Say once each time the runner answers nothing, although it is not halted."""
        told: int | None = None
        while True:
            await asyncio.sleep(client.ASK_EVERY_S)
            silent = await self._client.silent_pid() if self._client.halted_pid() is None else None
            if silent is not None and silent != told:
                run, site = self._client.run_id, as_typed(self._client.site.path)
                seconds = round(client.ANSWER_LIMIT_S)
                self._tell_aside(T("cli.run.runner_silent", run=run, pid=silent, seconds=seconds, site=site))
            told = silent

    def _tell_aside(self, text: Text) -> None:
        """Say a sentence beside what is drawn."""
        if self._lanes is not None:
            self._lanes.pause()
        tell(text)
        if self._lanes is not None and not self._state.questions:
            self._lanes.go_on()

    async def _read(self) -> int:
        async for record in self._client.records():
            self._state.apply(record)
            self._show(record)
            if self._state.questions and record.seq >= self._client.state().seq:
                if not self._can_ask:
                    return self._waits()
                await self._settle_questions()
        return self._end()

    def _show(self, record: Record) -> None:
        if self._as_json:
            answer_json(record.to_json(), one_line=True)
        elif self._lanes is not None:
            self._lanes.show(record, self._state)
        else:
            for line in record_lines(record, self._state, installs=self._installs):
                answer(line)

    def _tell_what_next(self) -> None:
        """How the cluster is used from here; of other work on it, what holds now."""
        site = self._client.site
        if self._purpose is not None and self._purpose.kind is PurposeKind.RECIPE:
            tell(self._purpose.done)
        if not self._installs:
            return
        spec = load_spec(site.spec_file).spec
        if spec is not None and (url := console_url(spec)):
            tell(T("cli.run.console", url=url))
        if spec is not None and (url := kubesphere.console_url(spec)):
            tell(T("cli.run.kubesphere", url=url))
        if site.kubeconfig_file.is_file():
            tell(T("cli.run.use", file=str(site.kubeconfig_file), site=as_typed(site.path)))

    def _waits(self) -> int:
        question = next(iter(self._state.questions.values()))
        tell(T("cli.run.waits", step=question.step, site=as_typed(self._client.site.path)))
        return Exit.WAITING

    def _end(self) -> int:
        if self._state.outcome is not None:
            if self._state.outcome is RunOutcome.DONE and not self._as_json:
                self._tell_what_next()
            return _EXITS[self._state.outcome]
        if self._installs:
            tell(T("cli.run.runner_gone", run=self._client.run_id, site=as_typed(self._client.site.path)))
        else:
            tell(T("cli.run.runner_gone_other", run=self._client.run_id))
        return Exit.FAILED

    async def _settle_questions(self) -> None:
        if self._lanes is not None:
            self._lanes.pause()
        for question in list(self._client.state().questions.values()):
            await self._ask(question)
        if self._lanes is not None:
            self._lanes.go_on()

    async def _ask(self, question: QuestionAsked) -> None:
        """Ask here while the question is open; another terminal may settle it first."""
        failure = self._state.steps[question.step].failure
        tell("")
        tell(question.text)
        if failure is not None:
            last = "\n".join(failure.evidence.rstrip("\n").split("\n")[-TOLD_LINES:])
            for line in evidence_lines(log_messages(last), most=TOLD_LINES, indent=2):
                tell(line)
            tell(f"  {failure.remedy}")
        words = " · ".join(
            f"[{choice.value[0]}] {T(f'run.choice.{choice.value}')}" for choice in question.choices
        )  # words: run.choice.*
        while question.question in self._client.state().questions and self._client.alive():
            tell(words)
            letter = await self._line_or_settled(question)
            chosen = next(
                (choice for choice in question.choices if letter and choice.value[0] == letter[0].lower()), None
            )
            if chosen is not None:
                await self._answer(question, chosen)

    async def _answer(self, question: QuestionAsked, choice: Choice) -> None:
        try:
            await self._client.answer(question.question, choice)
        except RefusedError as error:
            tell(error.text)
            await asyncio.sleep(0.3)

    async def _line_or_settled(self, question: QuestionAsked) -> str:
        loop = asyncio.get_running_loop()
        typed: asyncio.Future[str] = loop.create_future()

        def read() -> None:
            if not typed.done():
                typed.set_result(sys.stdin.readline().strip())

        loop.add_reader(sys.stdin.fileno(), read)
        try:
            while not typed.done() and question.question in self._client.state().questions and self._client.alive():
                await asyncio.wait([typed], timeout=0.3)
        finally:
            loop.remove_reader(sys.stdin.fileno())
        return typed.result() if typed.done() else ""
