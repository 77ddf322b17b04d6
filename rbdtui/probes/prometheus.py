"""Health as a text file for Prometheus, as node_exporter's textfile collector reads it (``*.prom``).

Format: prometheus.io, "Exposition formats", text format 0.0.4: label values escape backslash, quote and line feed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from rbdtui.probes.model import Health, HealthSnapshot, ProbeState, ProbeStatus

_STATES: Final = tuple(dict.fromkeys(state.published for state in ProbeState))
_HELP: Final = {
    "rbdtui_health_state": "The verdict over the cluster: 1 for the state it is in, 0 for the others.",
    "rbdtui_health_timestamp_seconds": "When the states were written, Unix time.",
    "rbdtui_probe_state": "A probe: 1 for the state it is in, 0 for the others.",
    "rbdtui_probe_latency_seconds": "How long the target took for its newest answer; not there when it gave none.",
    "rbdtui_probe_since_timestamp_seconds": "From when on the probe has been in its state, Unix time.",
    "rbdtui_probe_answered_timestamp_seconds": "When the newest answer came, Unix time.",
}


def metrics(snapshot: HealthSnapshot, site: str) -> str:
    """The whole file; ``site`` is the label that tells sites apart."""
    return "".join(f"{line}\n" for line in _lines(snapshot, site))


def _lines(snapshot: HealthSnapshot, site: str) -> Iterator[str]:
    own = {"site": site}
    states = [({**own, "state": state.value}, float(state is snapshot.health)) for state in Health]
    yield from _family("rbdtui_health_state", states)
    yield from _family("rbdtui_health_timestamp_seconds", [(own, snapshot.at)])
    labels = {status.key.id: {**own, **_labels(status)} for status in snapshot.probes}
    known = [(labels[status.key.id], status) for status in snapshot.probes]
    yield from _family(
        "rbdtui_probe_state",
        (({**label, "state": state}, float(state == s.state.published)) for label, s in known for state in _STATES),
    )
    latencies = ((label, s.latency_ms / 1000) for label, s in known if s.latency_ms is not None)
    yield from _family("rbdtui_probe_latency_seconds", latencies)
    yield from _family("rbdtui_probe_since_timestamp_seconds", ((label, s.since) for label, s in known))
    answered = ((label, s.answered_at) for label, s in known if s.answered_at is not None)
    yield from _family("rbdtui_probe_answered_timestamp_seconds", answered)


def _labels(status: ProbeStatus) -> dict[str, str]:
    key = status.key
    return {
        "probe": key.id,
        "kind": key.kind.value,
        "target": key.target,
        "port": str(key.port or ""),
        "part": key.part,
    }


def _family(name: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Iterator[str]:
    yield f"# HELP {name} {_HELP[name]}"
    yield f"# TYPE {name} gauge"
    for labels, value in samples:
        said = ",".join(f'{label}="{escaped(text)}"' for label, text in labels.items() if text)
        yield f"{name}{{{said}}} {value:.10g}" if value != int(value) else f"{name}{{{said}}} {int(value)}"


def escaped(text: str) -> str:
    """A label's value between quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
