"""Whether the gateways' administration port is reachable from elsewhere: whoever reaches it can lead traffic astray.

APISIX of Rainbond 6 binds 9180 on every address, lets every address in and has a key that everybody knows
(goodrain/rainbond-operator@v6.2.1-release, controllers/handler/apigateway.go; apache/apisix, conf/config-default.yaml).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rbdtui.probes.model import Answer, Expectation, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, ProbeContext, Question, Stage
from rbdtui.probes.routes import Reply, by_way
from rbdtui.probes.wire import HttpAnswer, Place, http_get
from rbdtui.spec.model import Node, Role
from rbdtui.words import T

ADMIN_PORT: Final = ProbeKind("admin-port", 115, column="vrrp")
PORT: Final = 9180
CODE: Final = "RBD-HEALTH-001"
"""What an operator acknowledges in cluster.yaml who cannot close it."""
_PATH: Final = "/apisix/admin/routes"


def judge_admin_port(key: ProbeKey, asked: str, reply: Reply[HttpAnswer] | None, accepted: str | None) -> Answer:
    """Nobody who is no gateway should get an answer; None where all who could ask are gateways."""
    if reply is None or (not reply.told and reply.trouble is None):
        return Answer(key, ProbeState.EXPECTED, T("probe.admin_port.unasked"), None, asked)
    if not reply.met:
        return Answer(key, ProbeState.OK, by_way(T("probe.admin_port.closed"), reply.via), None, asked, reply.evidence)
    evidence = reply.value.evidence if reply.value else reply.evidence
    if accepted is not None:
        detail = T("probe.admin_port.accepted", reason=accepted)
        return Answer(key, ProbeState.OK, by_way(detail, reply.via), None, asked, evidence)
    # As Rainbond is delivered: nothing has failed, so that it is told and does not spoil the verdict.
    detail = T("probe.admin_port.open", code=CODE)
    return Answer(key, ProbeState.OK, by_way(detail, reply.via), None, asked, evidence, notice=True)


class AdminPortQuestion:
    """The port on one gateway, from this machine or from a node that is no gateway."""

    def __init__(self, around: ProbeContext, node: Node) -> None:
        self._around = around
        self._node, self._address = node.name, str(node.address)
        accepted = (entry for entry in around.spec.acknowledged if entry.code == CODE)
        self._accepted = next((entry.reason for entry in accepted if entry.node in (None, node.name)), None)
        self._outside = [one.name for one in around.spec.managed_nodes if Role.GATEWAY not in one.roles]
        self.keys = (ProbeKey(ADMIN_PORT, node.name, PORT),)
        self.interval_s = around.settings.cadence.services_s
        self.limit_s = around.settings.limits.script_s * 3

    async def ask(self, post: Post) -> None:
        asked = f"GET http://{self._address}:{PORT}{_PATH}"
        if self._around.expectation() is Expectation.CLOSED:
            post(Answer(self.keys[0], ProbeState.EXPECTED, T("probe.admin_port.not_yet"), None, asked))
            return
        post(judge_admin_port(self.keys[0], asked, await self._reply(), self._accepted))

    async def _reply(self) -> Reply[HttpAnswer] | None:
        limits = self._around.settings.limits

        async def question(place: Place) -> HttpAnswer:
            host = f"{self._address}:{PORT}"
            return await http_get(place, _PATH, host=host, connect_s=limits.connect_s, answer_s=limits.answer_s)

        ways = self._around.ways
        reply = await ways.ask_straight(self._address, PORT, question)
        if reply is not None and reply.met:
            return reply
        for name in self._outside:
            if self._around.readiness.usable(name):
                return await ways.ask_on(name, self._address, PORT, question)
        return reply


def _questions(around: ProbeContext) -> Iterator[Question]:
    if PORT in (port.number for port in around.spec.profile.gateway_ports):
        for node in around.gateways:
            yield AdminPortQuestion(around, node)


PROBE: Final = Probe("admin-port", (ADMIN_PORT,), _questions, Stage.GATEWAYS)
