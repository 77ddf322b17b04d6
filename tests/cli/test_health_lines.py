"""Health as the command line draws it: a verdict, aligned tables, and only what is not good in full."""

from __future__ import annotations

import click
import pytest
from rich.cells import cell_len

from rbdtui.cli.health import health_lines
from rbdtui.probes import admin_port, api, clocks, etcd, gateway, hosts, vip
from rbdtui.probes.model import CLUSTER, Answer, Health, HealthSnapshot, ProbeKey, ProbeKind, ProbeState, ProbeStatus
from rbdtui.profiles import USUAL, Reach, ports_in_front
from rbdtui.words import LANGUAGES, T, use_language


def snapshot() -> HealthSnapshot:
    def status(kind: ProbeKind, target: str, state: ProbeState, port: int = 0, ms: float | None = None) -> ProbeStatus:
        return ProbeStatus(ProbeKey(kind, target, port), state, T("probe.etcd.silent"), 0.0, ms)

    nodes = ("node1", "a-longer-name")
    probes = [status(hosts.SSH, node, ProbeState.OK, ms=3.2) for node in nodes]
    probes += [status(etcd.ETCD, nodes[0], ProbeState.DOWN)]
    probes += [status(vip.VIP_HOLDER, CLUSTER, ProbeState.OK)]
    probes += [status(gateway.GATEWAY, node, ProbeState.EXPECTED, port) for node in nodes for port in (80, 8443)]
    return HealthSnapshot(Health.DEGRADED, T("probe.etcd.silent"), tuple(probes))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("ascii_only", [False, True])
def test_columns_stand_below_each_other_in_every_language(language: str, ascii_only: bool) -> None:
    use_language(language)
    lines = [click.unstyle(line) for line in health_lines(snapshot(), ascii_only=ascii_only)]
    head = next(line for line in lines if "8443" in line)
    row = lines[lines.index(head) + 1]
    sign = "-" if ascii_only else "–"
    second = row.index(sign, row.index(f"{sign} ") + 1)
    assert cell_len(row[:second]) == cell_len(head[: head.index("8443")])
    assert all(cell_len(line) <= 80 for line in lines)


def test_only_what_is_not_good_is_told_in_full() -> None:
    told = "\n".join(click.unstyle(line) for line in health_lines(snapshot(), ascii_only=True))
    assert "etcd@node1" in told
    assert "vip-holder" in told
    assert "ssh@node1" not in told
    everything = "\n".join(click.unstyle(line) for line in health_lines(snapshot(), ascii_only=True, verbose=True))
    assert "ssh@node1" in everything


def status(kind: ProbeKind, target: str, state: ProbeState, port: int = 0) -> ProbeStatus:
    """An answer."""
    return ProbeStatus(ProbeKey(kind, target, port), state, T("probe.etcd.silent"), 0.0)


HOST_KINDS = (hosts.DISK, clocks.CLOCK, hosts.RKE2, vip.KEEPALIVED, api.API, etcd.ETCD)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_server_that_is_gone_is_one_complaint_and_the_first(language: str) -> None:
    use_language(language)
    probes = [status(etcd.ETCD, "node1", ProbeState.DEGRADED), status(hosts.SSH, "node1", ProbeState.OK)]
    probes += [status(kind, "node2", ProbeState.UNKNOWN) for kind in HOST_KINDS]
    probes += [status(hosts.SSH, "node2", ProbeState.DOWN)]
    picture = HealthSnapshot(Health.DEGRADED, T("probe.etcd.silent"), tuple(probes))
    lines = [click.unstyle(line) for line in health_lines(picture, ascii_only=True)]
    told = lines[lines.index("", 2) + 1 :]
    assert [line.split()[0] for line in told if line[0] != " "] == ["ssh@node2", "etcd@node1"]
    assert str(len(HOST_KINDS)) in told[1]
    assert "-v" in told[1]
    everything = [click.unstyle(line) for line in health_lines(picture, ascii_only=True, verbose=True)]
    assert sum("@node2" in line for line in everything) == 1 + len(HOST_KINDS)


def test_ports_that_the_profile_does_not_use_are_not_in_the_table_and_columns_are_named_as_on_the_screen() -> None:
    unused = T("probe.gateway.unused_closed", trouble="")
    keys = [ProbeKey(gateway.GATEWAY, "node1", port) for port in ports_in_front(USUAL, Reach.USERS)]
    answers = [Answer(key, ProbeState.EXPECTED, unused) for key in keys]
    ports = [ProbeStatus(a.key, a.state, a.detail, 0.0, newest=a) for a in answers]
    picture = HealthSnapshot(
        Health.OK, T("probe.verdict.ok", count=9), (status(vip.KEEPALIVED, "node1", ProbeState.OK), *ports)
    )
    table = "\n".join(click.unstyle(line) for line in health_lines(picture, ascii_only=True))
    assert "6060" not in table
    assert str(T("health_screen.column.vrrp")) in table
    assert "keepalived" not in table


def test_a_notice_is_not_called_in_order() -> None:
    key = ProbeKey(admin_port.ADMIN_PORT, "node1", admin_port.PORT)
    newest = Answer(key, ProbeState.OK, T("probe.admin_port.open", code=admin_port.CODE), notice=True)
    told = HealthSnapshot(
        Health.OK, T("probe.ssh.ok"), (ProbeStatus(key, ProbeState.OK, newest.detail, 0.0, newest=newest),)
    )
    (line,) = (
        click.unstyle(line) for line in health_lines(told, ascii_only=True) if "admin-port" in click.unstyle(line)
    )
    assert "! notice" in line
