"""What a check of one service outside of the hosts is: the same while it is typed, in `check` and before a run."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from rbdtui.checks.services.asking import THIS_MACHINE as THIS_MACHINE
from rbdtui.checks.services.asking import Asking
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding
from rbdtui.spec.model import ClusterSpec

QuestionT = TypeVar("QuestionT", bound=Hashable)
AnswerT = TypeVar("AnswerT")


class ServiceCheck(Protocol[QuestionT, AnswerT]):
    """A service that hosts of the plan will use, asked from these hosts."""

    @property
    def name(self) -> str:
        """Unique among all of them."""
        ...

    @property
    def field(self) -> str:
        """The path in cluster.yaml where the service stands."""
        ...

    @property
    def logs_in(self) -> bool:
        """Whether whoever answers is shown a password or a proof of one: never while the address is being typed."""
        ...

    def question(self, spec: ClusterSpec) -> QuestionT | None:
        """All that an answer depends on; None when there is nothing to ask. Another value is another question."""
        ...

    def hosts(self, spec: ClusterSpec) -> Sequence[str]:
        """Names of the nodes that will use the service, those to be asked first in front.

        `THIS_MACHINE` among them has this machine asked as well.
        """
        ...

    async def ask(self, question: QuestionT, asking: Asking) -> AnswerT:
        """What the service looks like from one of these places. Raises `TransportError`.

        It may be cancelled at any time, and leaves nothing behind then.
        """
        ...

    def judge(self, question: QuestionT, answers: Mapping[str, AnswerT], view: ClusterView) -> Iterable[Finding]:
        """What the answers so far, by node (`THIS_MACHINE` for our own), give rise to; there is one at least."""
        ...
