"""Whole sites entered by keyboard alone at 80x24: each layout from an empty plan to one without errors."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from textual.pilot import Pilot
from textual.widget import Widget

from rbdtui.findings import Severity
from rbdtui.spec.loader import load_spec
from rbdtui.spec.model import ClusterSpec, Role
from rbdtui.spec.sections.etcd import EtcdMode
from rbdtui.spec.sections.mysql import MysqlMode
from rbdtui.spec.sections.registry import RegistryMode
from rbdtui.spec.sections.storage import StorageMode
from rbdtui.vault import Vault
from rbdtui.workbench.workbench import Workbench
from screens.dialogs.passphrase import PassphraseDialog
from screens.dialogs.secret import SecretDialog
from screens.shell.base import SectionScreen
from screens.widgets.field import ChoiceLine, TextLine
from tests.checks.test_existing import GOOD, NODES, node
from tests.kube.api import Api
from tests.kube.conftest import authority as authority
from tests.probes.targets import Authority, serve
from tests.screens.conftest import Opened, bench, make_site, settled
from tests.screens.pilot import key_event
from tests.screens.waiting import drawn, program, until

EMPTY = "apiVersion: rbdtui/v1\nname: new\nprofile: rainbond-6\nbundle: bundle\nnodes: []\n"
PASSPHRASE = "correct horse battery"
LANGUAGES = pytest.mark.parametrize("language", ["en", "zh"])


class Typist:
    """Somebody with a keyboard: presses keys, and looks where the cursor is."""

    def __init__(self, pilot: Pilot[int]) -> None:
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await settled(self.pilot)

    async def type(self, text: str, *ending: str) -> None:
        for letter in text:
            self.pilot.app.post_message(key_event(letter))
        await self.press(*ending)
        await drawn(self.pilot)

    async def section(self, key: str) -> None:
        """Go to a section: what was typed is done, and Escape gives digits back."""
        await self.press("escape", key)

    async def to(self, path: str) -> Widget:
        """Go down to a field; it is in sight then."""
        for _ in range(40):
            focused = self.pilot.app.screen.focused
            owner = focused.parent if focused is not None else None
            if focused is not None and getattr(owner, "path", "") == path:
                assert self.pilot.app.screen.find_widget(focused).visible_region.area > 0
                return focused
            await self.press("down")
        raise AssertionError(f"{path} cannot be reached")

    async def fill(self, path: str, text: str) -> None:
        line = await self.to(path)
        if isinstance(line, TextLine) and not line.ready:
            await self.press("enter", "ctrl+u")  # the first field of a section leaves letters to its keys
        await self.type(text, "enter")

    async def choose(self, path: str, value: str) -> None:
        line = cast(ChoiceLine, await self.to(path))
        for _ in range(5):
            if line.value == value:
                return
            await self.press("right")
        raise AssertionError(f"{value} cannot be chosen")

    async def store(self, path: str, value: str) -> None:
        """Have a secret kept in the vault, which is made for the first one."""
        await self.to(path)
        await self.press("enter")
        await until(self.pilot, lambda: not isinstance(self.pilot.app.screen, SectionScreen))
        if isinstance(self.pilot.app.screen, PassphraseDialog):
            await self.type(PASSPHRASE, "down")
            await self.type(PASSPHRASE, "enter")
            await until(self.pilot, lambda: isinstance(self.pilot.app.screen, SecretDialog))
        await self.type(value, "enter")
        await until(self.pilot, lambda: isinstance(self.pilot.app.screen, SectionScreen))

    async def servers(self, *lines: str) -> None:
        await self.section("1")
        await self.press("p")
        for line in lines:
            await self.type(line, "enter")
        await self.press("enter")
        await until(self.pilot, lambda: isinstance(self.pilot.app.screen, SectionScreen))

    async def login(self) -> None:
        await self.section("0")
        await self.fill("ssh.user", "ops")
        await self.store("ssh.password", "pw")
        await self.store("ssh.sudo_password", "pw")

    async def vip(self) -> None:
        await self.section("3")
        await self.fill("gateway.vip", "127.88.0.100/24")
        await self.fill("gateway.virtual_router_id", "87")

    async def mysql(self) -> None:
        await self.section("7")
        await self.choose("mysql.mode", "external")
        await self.fill("mysql.host", "127.88.0.20")
        await self.fill("mysql.username", "rainbond")
        await self.store("mysql.password", "db secret")

    async def registry(self) -> None:
        await self.section("6")
        await self.choose("registry.mode", "external")
        await self.fill("registry.domain", "hub.corp:5000")
        await self.fill("registry.namespace", "rainbond")
        await self.fill("registry.username", "push")
        await self.store("registry.password", "hub secret")

    async def saved(self, workbench: Workbench) -> ClusterSpec:
        """Save, and read what is in the file now; nothing in it is an error."""
        await self.press("escape", "s")
        await until(self.pilot, lambda: not workbench.draft.dirty)
        wrong = [str(finding.message) for finding in workbench.findings if finding.severity is Severity.ERROR]
        assert wrong == []
        spec = load_spec(workbench.site.spec_file).spec
        assert spec is not None
        return spec


@LANGUAGES
async def test_three_servers_that_do_everything_with_mysql_and_registry_outside(
    opened: Opened, home: Path, language: str
) -> None:
    workbench = bench(make_site(home / "new", EMPTY))
    async with opened(workbench, language=language) as pilot:
        hands = Typist(pilot)
        await hands.login()
        await hands.servers("127.88.0.11-13")
        await hands.vip()
        await hands.registry()
        await hands.mysql()
        await hands.section("8")
        await hands.fill("rainbond.version", "v6.9.8-release")
        await hands.fill("rainbond.domain_suffix", "apps.site-a.lan")
        await hands.to("rainbond.values")
        await hands.press("enter")
        await hands.type("Cluster:", "enter", "space", "space")
        await hands.type("replicas: 2", "f2")
        spec = await hands.saved(workbench)
    assert [str(node.address) for node in spec.nodes] == ["127.88.0.11", "127.88.0.12", "127.88.0.13"]
    assert (spec.mysql.mode, spec.mysql.host, spec.mysql.port) == (MysqlMode.EXTERNAL, "127.88.0.20", 3306)
    assert (spec.registry.mode, spec.registry.domain) == (RegistryMode.EXTERNAL, "hub.corp:5000")
    assert spec.storage.mode is StorageMode.BUILTIN
    assert spec.rainbond.values == {"Cluster": {"replicas": 2}}
    assert (spec.rainbond.version, spec.rainbond.domain_suffix) == ("v6.9.8-release", "apps.site-a.lan")
    vault = Vault.open(workbench.site.vault_file, PASSPHRASE)
    assert (vault.get("mysql"), vault.get("registry")) == ("db secret", "hub secret")
    assert "db secret" not in workbench.site.spec_file.read_text(encoding="utf-8")


@LANGUAGES
async def test_gateways_and_builders_apart_from_the_servers(opened: Opened, home: Path, language: str) -> None:
    workbench = bench(make_site(home / "new", EMPTY))
    async with opened(workbench, language=language) as pilot:
        hands = Typist(pilot)
        await hands.login()
        await hands.servers("127.88.0.11-17")
        await hands.section("2")
        await hands.press("p", "down", "down", "enter")
        await hands.vip()
        await hands.section("4")
        await hands.choose("storage.mode", "nfs")
        await hands.fill("storage.server", "127.88.0.30")
        await hands.fill("storage.path", "/data/rainbond")
        await hands.fill("storage.mount_options", "nfsvers=4.1, hard")
        await hands.section("8")
        await hands.fill("rainbond.version", "v6.9.8-release")
        spec = await hands.saved(workbench)
    assert len(spec.nodes) == 7
    assert not {node.name for node in spec.gateways} & {node.name for node in spec.servers}
    assert not {node.name for node in spec.nodes_with(Role.BUILD)} & {node.name for node in spec.servers}
    assert (spec.storage.mode, spec.storage.server) == (StorageMode.NFS, "127.88.0.30")
    assert spec.storage.mount_options == ["nfsvers=4.1", "hard"]


@LANGUAGES
async def test_rainbond_5_17_with_the_clusters_etcd_and_everything_else_outside(
    opened: Opened, home: Path, language: str
) -> None:
    workbench = bench(make_site(home / "new", EMPTY))
    async with opened(workbench, language=language) as pilot:
        hands = Typist(pilot)
        await hands.section("0")
        await hands.choose("profile", "rainbond-5.17")
        await hands.login()
        await hands.servers("127.88.0.11-13")
        await hands.vip()
        await hands.section("4")
        await hands.choose("storage.mode", "nfs")
        await hands.fill("storage.server", "127.88.0.30")
        await hands.fill("storage.path", "/data/rainbond")
        await hands.section("5")
        await hands.choose("etcd.mode", "external")
        await hands.fill("etcd.endpoints", "127.88.0.41:2379")
        await hands.section("4")
        await hands.section("5")
        await hands.choose("etcd.mode", "reuse")
        await hands.registry()
        await hands.mysql()
        spec = await hands.saved(workbench)
        assert program(pilot).current_mode == "mysql"
    assert spec.profile.name == "rainbond-5.17"
    assert (spec.etcd.mode, spec.etcd.endpoints) == (EtcdMode.REUSE, [])
    assert spec.storage.mode is StorageMode.NFS
    assert spec.registry.password == "secret:registry"
    assert spec.mysql.password == "secret:mysql"


@LANGUAGES
async def test_a_cluster_that_is_there_already(opened: Opened, home: Path, authority: Authority, language: str) -> None:
    workbench = bench(make_site(home / "new", EMPTY))
    listed = {"items": [node("node1", "127.88.0.11"), node("node2", "127.88.0.12")]}
    async with serve(Api({**GOOD, NODES: (200, listed)}), authority.server("127.0.0.1", mutual=True)) as port:
        kubeconfig = authority.kubeconfig(home / "kubeconfig", f"https://127.0.0.1:{port}")
        kubeconfig.chmod(0o600)
        async with opened(workbench, language=language) as pilot:
            hands = Typist(pilot)
            await hands.section("0")
            await hands.choose("kubernetes.distribution", "existing")
            await hands.fill("kubernetes.kubeconfig", str(kubeconfig))
            await hands.servers("127.88.0.11-12")
            await hands.section("3")
            await hands.choose("gateway.mode", "external")
            await hands.fill("gateway.address", "127.88.0.90")
            await hands.section("8")
            await hands.fill("rainbond.version", "v6.9.8-release")
            spec = await hands.saved(workbench)
            assert workbench.live.nodes == {}, "nobody logs in"
    assert spec.is_existing
    assert (spec.kubernetes.kubeconfig, len(spec.gateways)) == (str(kubeconfig), 2)
