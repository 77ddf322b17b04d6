"""The health of a cluster that was there already: asked where its kubeconfig says, and no server is logged in to."""

from __future__ import annotations

from pathlib import Path

from rbdtui.probes.model import ProbeState
from rbdtui.probes.monitor import HealthMonitor
from tests.kube.api import Api
from tests.plan.support import spec_of
from tests.probes.targets import Authority, serve

NODE = {
    "metadata": {"name": "node1"},
    "status": {
        "conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": "10.0.0.11"}],
    },
}


async def test_api_and_nodes_are_asked_where_the_kubeconfig_leads(authority: Authority, tmp_path: Path) -> None:
    given = {"distribution": "existing", "kubeconfig": "/kubeconfig"}
    spec = spec_of(
        {"node1": ("gateway", "build")},
        profile="rainbond-6",
        sections={"kubernetes": given, "gateway": {"mode": "none"}},
    )
    before = {probe.key.id: probe.state for probe in (await HealthMonitor(spec, {}).once()).probes}
    assert {before["api@LB"], before["node@node1"]} == {ProbeState.UNKNOWN}
    api = Api({("GET", "/readyz"): (200, b"ok"), ("GET", "/api/v1/nodes"): (200, {"items": [NODE]})})
    async with serve(api, authority.server("127.0.0.1")) as port:
        file = authority.kubeconfig(tmp_path / "kubeconfig", f"https://127.0.0.1:{port}")
        snapshot = await HealthMonitor(spec, {}, file).once()
    states = {probe.key.id: probe.state for probe in snapshot.probes}
    assert (states["api@LB"], states["node@node1"]) == (ProbeState.OK, ProbeState.OK)
    assert not {name for name in states if name.startswith(("ssh", "disk", "rke2", "clock", "etcd"))}
