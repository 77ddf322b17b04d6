"""Whether the MySQL server is there for the nodes, suits Rainbond, and lets its account do its work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from rbdtui.checks.services import mysql_findings
from rbdtui.checks.services.asking import THIS_MACHINE, Asking
from rbdtui.checks.services.mysql_answer import Greeting, MysqlAnswer, Stop, password_trouble
from rbdtui.checks.services.mysql_greeting import greet
from rbdtui.checks.services.mysql_session import look
from rbdtui.checks.services.ways import obstacle
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding
from rbdtui.probes.bounded import bounded_socket
from rbdtui.probes.mysql_login import Login
from rbdtui.probes.wire import WireError
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.sections.mysql import MysqlMode
from rbdtui.spec.values import SECRET_PREFIX

_REACH_S: Final = 3.0
_GREETING_S: Final = 6.0
_SESSION_S: Final = 20.0
_CLEAN_UP_S: Final = 4.0
_LIMIT_BYTES: Final = 4 << 20
_BASELINES: Final = 5
_DISCARD: Final = 9
_ACCESS_DENIED: Final = 1045


@dataclass(frozen=True, slots=True)
class MysqlQuestion:
    """Where the server is and who logs in."""

    host: str
    port: int
    username: str
    secret: str
    """Name of the password in the vault."""


class MysqlCheck:
    """The external MySQL server as Rainbond will use it."""

    name = "mysql"
    field = "mysql.host"
    logs_in = True

    def question(self, spec: ClusterSpec) -> MysqlQuestion | None:
        """The server and its account, once all of it is written."""
        mysql = spec.mysql
        if "mysql" not in spec.profile.sections or mysql.mode is not MysqlMode.EXTERNAL:
            return None
        if mysql.host is None or mysql.username is None or mysql.password is None:
            return None
        return MysqlQuestion(mysql.host, mysql.port, mysql.username, mysql.password.removeprefix(SECRET_PREFIX))

    def hosts(self, spec: ClusterSpec) -> Sequence[str]:
        """Every node, since the console and the region may run on any; and this machine, for comparison."""
        return [*(node.name for node in spec.cluster_nodes), THIS_MACHINE]

    async def ask(self, question: MysqlQuestion, asking: Asking) -> MysqlAnswer:
        """Reach it, read its greeting, log in and look around. Raises `TransportError`."""
        password = asking.secret(question.secret)
        answer = await self._ask(question, asking, password)
        return replace(answer, password=password_trouble(password)) if password is not None else answer

    async def _ask(self, question: MysqlQuestion, asking: Asking, password: str | None) -> MysqlAnswer:
        reach = await asking.reach(question.host, question.port, timeout_s=_REACH_S)
        if (in_the_way := obstacle(reach)) is not None:
            return MysqlAnswer(obstacle=in_the_way, detail=reach.detail)
        try:
            async with asking.towards(question.host, question.port) as place:
                answer = await greet(place, connect_s=_REACH_S, answer_s=_GREETING_S)
                if answer.greeting is None or password is None:
                    return answer if answer.greeting is None else replace(answer, stop=Stop.NOT_LOGGED_IN)
                login = Login(question.username, password)

                async def talk(login: Login, greeting: Greeting) -> MysqlAnswer:
                    async with bounded_socket(place, limit_bytes=_LIMIT_BYTES, connect_s=_REACH_S) as sock:
                        return await _in_thread(sock, greeting, login)

                answer = await talk(login, answer.greeting)
                if answer.error == _ACCESS_DENIED and answer.greeting is not None and answer.greeting.offers_tls:
                    # An account that must use TLS is refused with the same words as one with a wrong password.
                    with_tls = await talk(replace(login, with_tls=True), answer.greeting)
                    if with_tls.settings is not None:
                        answer = replace(answer, stop=Stop.TLS_DEMANDED)
        except (OSError, WireError) as error:
            return MysqlAnswer(stop=Stop.BROKEN, detail=str(error))
        if answer.round_trip_ms is None:
            return answer
        return replace(answer, round_trip_ms=max(0.0, answer.round_trip_ms - await _way_to_the_node_ms(asking)))

    def judge(
        self, question: MysqlQuestion, answers: Mapping[str, MysqlAnswer], view: ClusterView
    ) -> Iterator[Finding]:
        """One finding for all places that see the same."""
        return mysql_findings.judge(question.host, question.port, question.username, answers, view)


CHECK: Final = MysqlCheck()


async def _in_thread(sock: object, greeting: Greeting, login: Login) -> MysqlAnswer:
    """The talk, in a thread of its own; once nobody waits for it, it gets a moment to clean up after itself."""
    stopped = threading.Event()
    threads = ThreadPoolExecutor(1, thread_name_prefix="mysql")
    talk = asyncio.wrap_future(threads.submit(look, sock, greeting, login, stopped))  # type: ignore[arg-type]
    threads.shutdown(wait=False)
    done, _ = set[asyncio.Future[MysqlAnswer]](), None
    try:
        done, _ = await asyncio.wait({talk}, timeout=_SESSION_S)
    finally:
        stopped.set()
        if not done:
            await asyncio.wait({talk}, timeout=_CLEAN_UP_S)
    return talk.result() if talk.done() else MysqlAnswer(stop=Stop.BROKEN, greeting=greeting, detail="time limit")


async def _way_to_the_node_ms(asking: Asking) -> float:
    """What of a round trip is the way from here to the node: nothing from this machine."""
    if asking.host is None:
        return 0.0
    tries = [await asking.host.reach("127.0.0.1", _DISCARD, timeout_s=_REACH_S) for _ in range(_BASELINES)]
    return min(one.latency_ms for one in tries)
