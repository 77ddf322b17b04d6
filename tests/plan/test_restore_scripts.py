"""What a restore does on a host, by its scripts themselves, below a directory that stands for the host's own."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from rbdtui.transport.scripts import script

DB = "var/lib/rancher/rke2/server/db"
CONFIG = "server: https://10.0.0.1:9345\ntoken: t\nnode-name: node2\n"
RKE2 = """#!/bin/sh
echo "$@" >$ROOT/asked
while [ $# -gt 0 ]; do [ "$1" != --config ] || cp "$2" $ROOT/configuration; shift; done
mv $ROOT/var/lib/rancher/rke2/server/db/etcd $ROOT/var/lib/rancher/rke2/server/db/etcd-old-200
mkdir $ROOT/var/lib/rancher/rke2/server/db/etcd
touch $ROOT/var/lib/rancher/rke2/server/db/reset-flag
exit $STATUS
"""
"""As RKE2 does it: the old data are moved aside before anything can fail."""
ROOTED = ("/etc/rancher", "/var/lib/", "/usr/local/bin/rke2", "/opt/rke2")


@dataclass
class HostBelow:
    root: Path
    active: str = "inactive"
    status: int = 0

    def __post_init__(self) -> None:
        for directory in (f"{DB}/etcd", f"{DB}/snapshots", f"{DB}/etcd-old-100", "etc/rancher/rke2", "bin"):
            (self.root / directory).mkdir(parents=True)
        (self.root / DB / "etcd" / "member").write_text("as it was")
        (self.root / "etc/rancher/rke2/config.yaml").write_text(CONFIG)
        self.program("usr/local/bin/rke2", RKE2)
        self.program("bin/systemctl", "#!/bin/sh\necho $ACTIVE\n")

    def program(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)

    def run(self, name: str, *args: str) -> subprocess.CompletedProcess[str]:
        text = script(name).text
        for place in ROOTED:
            text = text.replace(place, f"{self.root}{place}")
        environment = {
            "PATH": f"{self.root}/bin:{os.environ['PATH']}",
            "LC_ALL": "C",
            "ROOT": str(self.root),
            "ACTIVE": self.active,
            "STATUS": str(self.status),
        }
        return subprocess.run(
            ["sh", "-c", text, name, *args], capture_output=True, text=True, timeout=30, check=False, env=environment
        )

    @property
    def data(self) -> set[str]:
        return {entry.name for entry in (self.root / DB).iterdir()}


@pytest.fixture
def host(tmp_path: Path) -> HostBelow:
    return HostBelow(tmp_path / "host")


def test_rke2_is_asked_without_the_server_to_join_and_only_for_that(host: HostBelow) -> None:
    done = host.run("rke2-restore", "/backup/snapshot", "--debug")
    assert done.returncode == 0, done.stderr
    asked = (host.root / "asked").read_text()
    assert "--cluster-reset --cluster-reset-restore-path=/backup/snapshot --debug" in asked
    assert (host.root / "configuration").read_text() == CONFIG.partition("\n")[2]
    assert (host.root / "etc/rancher/rke2/config.yaml").read_text() == CONFIG
    assert not (host.root / "var/lib/rbdtui/restore").exists()
    assert host.data == {"etcd", "etcd-old-100", "etcd-old-200", "reset-flag", "snapshots"}


def test_what_a_refused_restore_has_moved_is_put_back_and_nothing_older_is(host: HostBelow) -> None:
    host.status = 1
    done = host.run("rke2-restore", "/backup/snapshot")
    assert done.returncode == 1
    assert done.stdout.endswith(f"put back {host.root}/{DB}/etcd-old-200\n")
    assert host.data == {"etcd", "etcd-old-100", "snapshots"}
    assert (host.root / DB / "etcd" / "member").read_text() == "as it was"


@pytest.mark.parametrize("active", ["active", "activating", "reloading"])
@pytest.mark.parametrize("name", ["rke2-restore", "etcd-set-aside"])
def test_beneath_a_running_rke2_nothing_is_touched(host: HostBelow, active: str, name: str) -> None:
    host.active = active
    assert host.run(name, "/backup/snapshot").returncode == 5
    assert host.data == {"etcd", "etcd-old-100", "snapshots"}


def test_a_host_without_rke2_says_so(host: HostBelow) -> None:
    (host.root / "usr/local/bin/rke2").unlink()
    assert host.run("rke2-restore", "/backup/snapshot").returncode == 3


def test_data_are_set_aside_once_and_snapshots_stay(host: HostBelow) -> None:
    done = host.run("etcd-set-aside")
    assert done.returncode == 0, done.stderr
    aside = Path(done.stdout.strip())
    assert (aside / "member").read_text() == "as it was"
    assert host.data == {aside.name, "etcd-old-100", "snapshots"}
    assert host.run("etcd-set-aside").stdout == ""
