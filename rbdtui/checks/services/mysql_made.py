"""Whether two servers can be made MySQL servers of the plan: nothing is there that somebody needs, or has the port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rbdtui.checks.services.asking import Asking
from rbdtui.checks.services.mysql_answer import PasswordTrouble, password_trouble
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.probes.mysql_host_state import MysqlHostState, read_host_state
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.values import SECRET_PREFIX

_SOURCE, _REPLICA, _PASSWORD = "mysql.source", "mysql.replica", "mysql.password"
_OWN_PROGRAMS: Final = frozenset({"", "mysqld"})
_LEAST_FREE_GIB: Final = 10
"""Rainbond's databases are small; binary logs of a week are not."""
_KIB_PER_GIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class MadeQuestion:
    """Both servers, and the account that Rainbond gets."""

    source: str
    replica: str
    port: int
    username: str
    secret: str


@dataclass(frozen=True, slots=True)
class MadeAnswer:
    """What a server says of itself, and what is wrong with the password for it, which nobody is shown."""

    state: MysqlHostState
    password: PasswordTrouble | None = None


class MysqlMadeCheck:
    """Both servers are free to be made the pair."""

    name = "mysql-made"
    field = _SOURCE
    logs_in = False

    def question(self, spec: ClusterSpec) -> MadeQuestion | None:
        """Where the plan makes a pair."""
        if spec.mysql_pair is None or spec.is_existing:
            return None
        source, replica = spec.mysql_pair
        secret = (spec.mysql.password or "").removeprefix(SECRET_PREFIX)
        return MadeQuestion(source.name, replica.name, spec.mysql.port, spec.mysql.username or "", secret)

    def hosts(self, spec: ClusterSpec) -> Sequence[str]:
        """These two alone."""
        return list(dict.fromkeys(node.name for node in spec.mysql_pair or ()))

    async def ask(self, question: MadeQuestion, asking: Asking) -> MadeAnswer:
        """Look at what is installed, and at the data directory. Raises `TransportError`."""
        assert asking.host is not None, "only the two are asked"
        password = asking.secret(question.secret) if question.secret else None
        trouble = password_trouble(password) if password is not None else None
        return MadeAnswer(await read_host_state(asking.host), trouble)

    def judge(self, question: MadeQuestion, answers: Mapping[str, MadeAnswer], view: ClusterView) -> Iterator[Finding]:
        """What stands in the way; of our own earlier run nothing does."""
        for field, node in ((_SOURCE, question.source), (_REPLICA, question.replica)):
            if node in answers:
                yield from _server(field, node, answers[node].state, view)
            yield from _port(field, node, question.port, view)
        troubles = {answer.password for answer in answers.values()}
        if PasswordTrouble.CHANGED in troubles:
            yield view.finding("RBD-MYSQL-151", Severity.ERROR, field=_PASSWORD, user=question.username)
        elif PasswordTrouble.DELICATE in troubles:
            yield view.finding("RBD-MYSQL-152", Severity.WARNING, field=_PASSWORD, user=question.username)


def _server(field: str, node: str, state: MysqlHostState, view: ClusterView) -> Iterator[Finding]:
    evidence = state.evidence()
    if not state.is_good_version:
        yield view.finding(
            "RBD-MYSQL-163", Severity.ERROR, field=field, node=node, version=state.program, evidence=evidence
        )
    if state.site and state.site != view.spec.name:
        yield view.finding("RBD-MYSQL-165", Severity.ERROR, field=field, node=node, site=state.site, evidence=evidence)
    elif state.databases and not state.site:
        names = ", ".join(state.databases)
        yield view.finding("RBD-MYSQL-162", Severity.ERROR, field=field, node=node, databases=names, evidence=evidence)
    free = round(state.free_kib / _KIB_PER_GIB, 1)
    if state.size_kib and not state.site and free < _LEAST_FREE_GIB:
        yield view.finding(
            "RBD-MYSQL-166",
            Severity.WARNING,
            field=field,
            node=node,
            gib=free,
            wanted=_LEAST_FREE_GIB,
            evidence=evidence,
        )


def _port(field: str, node: str, port: int, view: ClusterView) -> Iterator[Finding]:
    facts = view.facts.get(node)
    for listener in facts.listeners if facts is not None else ():
        if listener.port == port and listener.process not in _OWN_PROGRAMS:
            yield view.finding(
                "RBD-MYSQL-164", Severity.ERROR, field=field, node=node, port=port, process=listener.process,
                evidence=f"{listener.protocol} {listener.address}:{listener.port}",
            )  # fmt: skip


CHECK: Final = MysqlMadeCheck()
