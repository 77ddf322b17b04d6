"""Health as the command line draws it: a verdict, aligned tables, and only what is not good in full."""

from __future__ import annotations

import click
import pytest
from rich.cells import cell_len

from rbdtui.cli.health import health_lines
from rbdtui.probes.model import CLUSTER, Health, HealthSnapshot, ProbeKey, ProbeKind, ProbeState, ProbeStatus
from rbdtui.words import LANGUAGES, T, use_language


def snapshot() -> HealthSnapshot:
    def status(kind: ProbeKind, target: str, state: ProbeState, port: int = 0, ms: float | None = None) -> ProbeStatus:
        return ProbeStatus(ProbeKey(kind, target, port), state, T("probe.etcd.silent"), 0.0, ms)

    nodes = ("node1", "a-longer-name")
    probes = [status(ProbeKind.SSH, node, ProbeState.OK, ms=3.2) for node in nodes]
    probes += [status(ProbeKind.ETCD, nodes[0], ProbeState.DOWN)]
    probes += [status(ProbeKind.VIP_HOLDER, CLUSTER, ProbeState.OK)]
    probes += [status(ProbeKind.GATEWAY, node, ProbeState.EXPECTED, port) for node in nodes for port in (80, 8443)]
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
