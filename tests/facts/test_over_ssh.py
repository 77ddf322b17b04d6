"""Facts over SSH: one round trip to a real OpenSSH server."""

from __future__ import annotations

from rbdtui.facts.gather import gather
from rbdtui.transport.ssh import SshHost
from tests.transport.conftest import connect, host, sshd, start_sshd

__all__ = ["connect", "host", "sshd", "start_sshd"]


async def test_facts_come_over_ssh(host: SshHost) -> None:
    facts = await gather(host)
    assert facts.failed == {}
    assert facts.cpu_count >= 1
    assert facts.clock is not None
    assert abs(facts.clock.offset_s) <= facts.clock.uncertainty_s + 0.001
    assert any(listener.process == "sshd" for listener in facts.listeners)
