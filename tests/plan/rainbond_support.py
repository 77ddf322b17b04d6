"""A context for the steps of Rainbond: an API on loopback that a node leads to, and a bundle of a chart and a helm."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rbdtui.bundle.model import BundleFile, Chart
from rbdtui.plan.step import StepContext
from rbdtui.rke2_version import Rke2Version
from rbdtui.spec.model import ClusterSpec
from tests.kube.api import Api
from tests.plan.support import ALL_IN_ONE, Heard, spec_of
from tests.probes.standin import Network, StandIn
from tests.probes.targets import Authority, serve

VIP = "127.0.9.100"
PASSWORD = "s3cret-of-mysql"
MYSQL = {"mode": "external", "host": "198.51.100.20", "port": 3306, "username": "rbd", "password": "secret:mysql"}
NODES = ("n1", "n2", "n3")


@dataclass
class SmallBundle:
    """A chart's name and a helm."""

    helm_path: Path
    chart_name: str = "rainbond"
    chart_version: str = "6.2.1"
    releases: tuple[str, ...] = ("v6.2.1-release",)
    chart_values: Mapping[str, Any] = field(default_factory=dict)

    def file(self, kind: str, arch: str) -> BundleFile:
        raise NotImplementedError

    def images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        return []

    def packages(self, os_id: str, os_version: str, arch: str) -> list[BundleFile]:
        return []

    def rke2_version(self, arch: str) -> Rke2Version | None:
        return None

    def chart(self, spec: ClusterSpec) -> Chart:
        file = BundleFile(self.helm_path.parent / "rainbond.tgz", 1, "0" * 64)
        return Chart(file, self.chart_name, self.chart_version, self.chart_values)

    def helm(self, arch: str) -> BundleFile:
        content = self.helm_path.read_bytes()
        return BundleFile(self.helm_path, len(content), hashlib.sha256(content).hexdigest())

    def rainbond_images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        return []

    def kubesphere_chart(self) -> Chart:
        raise NotImplementedError

    def kubesphere_images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        return []

    def rook_chart(self) -> Chart:
        raise NotImplementedError

    def rook_images(self, arch: str) -> list[BundleFile]:
        return []

    def ceph_image(self, arch: str) -> str:
        raise NotImplementedError

    def rainbond_releases(self) -> tuple[str, ...]:
        return self.releases


@dataclass
class Stage:
    """What a step is carried out on; loopback, so that nobody goes straight to the API."""

    context: StepContext
    heard: Heard
    bundle: SmallBundle
    network: Network


def plan_of(**sections: Any) -> ClusterSpec:
    gateway = {"mode": "keepalived", "vip": f"{VIP}/24", "virtual_router_id": 87}
    roles = dict.fromkeys(NODES, (*ALL_IN_ONE, "build"))
    return spec_of(roles, profile="rainbond-6", sections={"gateway": gateway, **sections})


@asynccontextmanager
async def stage(
    authority: Authority,
    tmp_path: Path,
    api: Api,
    *,
    helm: str = "#!/bin/sh\nexit 0\n",
    spec: ClusterSpec | None = None,
) -> AsyncIterator[Stage]:
    """A context whose API is ``api``, behind the VIP as the first node sees it."""
    site = tmp_path / "site"
    site.mkdir()
    authority.kubeconfig(site / "kubeconfig")
    program = tmp_path / "helm-amd64"
    program.write_text(helm)
    bundle, heard = SmallBundle(program), Heard()
    async with serve(api, authority.server(VIP, mutual=True)) as port:
        network: Network = {(VIP, 6443): port}
        hosts = {"n1": StandIn("n1", network)}
        secrets = {"mysql": PASSWORD}
        context = StepContext("run-1", spec or plan_of(), {}, hosts, bundle, secrets.__getitem__, heard, site)
        yield Stage(context, heard, bundle, network)
