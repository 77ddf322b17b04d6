"""What a check is that needs all hosts at once, and leaves none of them quite as it was while it lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from rbdtui.checks.services.asking import KnownSecret
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding
from rbdtui.transport.base import Host

QuestionT = TypeVar("QuestionT")
AnswerT = TypeVar("AnswerT")


class FleetCheck(Protocol[QuestionT, AnswerT]):
    """A service that is asked from several hosts in concert: by `check` and before a run, never while it is typed."""

    @property
    def name(self) -> str:
        """Unique among all checks of services."""
        ...

    @property
    def field(self) -> str:
        """The path in cluster.yaml where the service stands."""
        ...

    @property
    def limit_s(self) -> float:
        """How long it may take, tidying up not included."""
        ...

    def question(self, view: ClusterView) -> QuestionT | None:
        """What to ask, by the plan and by what hosts are; None when there is nothing to ask."""
        ...

    async def ask(self, question: QuestionT, hosts: Mapping[str, Host], secret: KnownSecret) -> AnswerT:
        """What the hosts found out together; a host that fails is part of the answer.

        It may be cancelled at any time, and what it began on hosts ends by itself soon even if nobody can be reached.
        """
        ...

    def judge(self, question: QuestionT, answer: AnswerT | None, view: ClusterView) -> Iterable[Finding]:
        """What the answer gives rise to; None stands for no answer within the limit."""
        ...


async def ask_fleet(
    check: FleetCheck[QuestionT, AnswerT], view: ClusterView, hosts: Mapping[str, Host], secret: KnownSecret
) -> list[Finding]:
    """All findings of one check, within its time limit."""
    question = check.question(view)
    if question is None:
        return []
    answer: AnswerT | None = None
    try:
        async with asyncio.timeout(check.limit_s):
            answer = await check.ask(question, hosts, secret)
    except TimeoutError:
        answer = None
    return list(check.judge(question, answer, view))
