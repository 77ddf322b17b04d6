"""The copy of the made NFS server between two real hosts: Debian's rsync and inotify-tools from the bundle.

The lab's kernel has no NFS server, so a unit that only reads the tables stands in its place, as in
test_lab_nfs_server.py; files are written into the exported directory on the server itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.bundle.scan import open_bundle
from rbdtui.errors import StepError
from rbdtui.facts.gather import gather_all
from rbdtui.facts.model import NodeFacts
from rbdtui.plan.builder import build_plan
from rbdtui.plan.removal.builder import build_reset
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.nfs_copy import CONFIG_FILE, PASSWORD_FILE, SCRIPT, SECRETS_FILE, NfsCopy, NfsCopyServer
from rbdtui.plan.steps.nfs_server import NfsServer
from rbdtui.plan.steps.ship import InstallHostPackages
from rbdtui.probes.nfs_copy_state import NfsCopyState, read_copy_state
from rbdtui.probes.nfs_state import read_state
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.nfs_copy import SECRET
from rbdtui.transport.base import Host
from rbdtui.transport.endpoints import endpoints_of
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool
from tests.lab import Lab
from tests.lab.packages import bundle_with
from tests.plan.support import Heard, carry_out
from tests.plan.test_lab_nfs_server import STAND_IN
from tests.plan.test_lab_steps import SECRETS

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

PATH = "/data/rainbond"
PASSWORD = "5b" * 32
SOURCE, TAKER = "n2", "n3"
WAIT_S = 90.0


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab("nfscopy", hosts=3) as made:
        yield made


def test_a_directory_is_copied_between_real_hosts_and_the_copy_is_spared(lab: Lab, tmp_path: Path) -> None:
    names = ["nfs-kernel-server", "rsync", "inotify-tools"]
    bundle = bundle_with(lab.bundle, Path(lab.directory) / "bundle", names)
    (tmp_path / "known_hosts").write_text("\n".join(line for name in lab.hosts for line in lab.host_keys(name)) + "\n")
    roles = ["control-plane", "etcd", "worker", "gateway", "build"]
    spec = ClusterSpec.model_validate(
        {
            "apiVersion": "rbdtui/v1", "name": "nfscopy", "profile": "rainbond-6", "bundle": str(bundle),
            "ssh": {"key": str(lab.key)},
            "nodes": [
                {"name": "n1", "address": lab.hosts["n1"].address, "roles": roles},
                {"name": SOURCE, "address": lab.hosts[SOURCE].address, "roles": ["service"]},
                {"name": TAKER, "address": lab.hosts[TAKER].address, "roles": ["service"]},
            ],
            "gateway": {"mode": "none"},
            "kubernetes": {"api": {"mode": "first-server"}},
            "storage": {"mode": "nfs-server", "node": SOURCE, "copy_node": TAKER, "path": PATH},
        }
    )  # fmt: skip
    asyncio.run(_story(lab, spec, bundle, tmp_path))


def _secret(name: str) -> str:
    return PASSWORD if name == SECRET else SECRETS[name]


async def _story(lab: Lab, spec: ClusterSpec, bundle: Path, site: Path) -> None:
    async with HostPool(endpoints_of(spec), KnownHosts(site / "known_hosts"), _secret) as hosts:
        answers = await gather_all(dict(hosts))
        context = StepContext(
            run_id="lab", spec=spec, hosts=hosts, bundle=open_bundle(bundle), secret=_secret,
            facts={name: each for name, each in answers.items() if isinstance(each, NodeFacts)}, report=Heard(),
            site_dir=site,
        )  # fmt: skip
        await _make(lab, spec, context)
        await _copied(lab, hosts[SOURCE])
        _refused(lab)
        await _spared(lab, context)
        await _power_cut(lab, hosts)
        await _taken_back(lab, spec, context)


async def _make(lab: Lab, spec: ClusterSpec, context: StepContext) -> None:
    for node in (SOURCE, TAKER):
        for name in ("claim", "hosts-file"):
            await carry_out(build_plan(spec, {}).step(f"{name}@{node}"), context)
        await carry_out(InstallHostPackages(node), context)
        said = _said(lab, node, "systemctl is-active rsync.service || true").strip()
        assert said != "active", "the package's own daemon has no configuration and does not run"
    _said(lab, SOURCE, "cat >/etc/systemd/system/nfs-server.service && systemctl daemon-reload", stdin=STAND_IN)
    steps = (NfsServer(SOURCE), NfsCopyServer(TAKER), NfsCopy(SOURCE))
    for step in steps:
        await carry_out(step, context)
    for step in steps:
        assert (await step.pending(replace(context, run_id="again"))).is_done, step.name
    state = await _state(context.hosts[SOURCE], lambda state: state.watching == "yes")
    assert (state.push, state.copy, state.failed) == ("active", "absent", "")
    for node in (SOURCE, TAKER):
        assert PASSWORD not in _said(lab, node, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        assert PASSWORD not in _said(lab, node, "journalctl -b --no-pager -u 'nfs-*-rbdtui*'")


async def _copied(lab: Lab, source: Host) -> None:
    """Owners, modes, hard links, symbolic links, holes and deletions; what changes within one second, too."""
    _said(
        lab, SOURCE,
        f"cd {PATH} && mkdir -p v/deep && echo one >v/f && chown 1234:2345 v/f && chmod 640 v/f && ln v/f v/hard && "
        "ln -s /nowhere v/link && truncate -s 20M v/holes && mkfifo v/pipe && echo gone >v/deep/gone",
    )  # fmt: skip
    await _until(lab, f"test -e {PATH}/v/deep/gone")
    assert _said(lab, TAKER, f"stat -c '%u:%g %a %h' {PATH}/v/f").strip() == "1234:2345 640 2"
    assert _said(lab, TAKER, f"stat -c %i {PATH}/v/f {PATH}/v/hard | uniq | wc -l").strip() == "1"
    assert _said(lab, TAKER, f"readlink {PATH}/v/link; test -p {PATH}/v/pipe && echo pipe").split() == [
        "/nowhere",
        "pipe",
    ]
    assert int(_said(lab, TAKER, f"du -k {PATH}/v/holes").split()[0]) < 1024
    _said(lab, SOURCE, f"rm -r {PATH}/v/deep; echo two >{PATH}/v/f; mkdir -p {PATH}/a/b/c; echo x >{PATH}/a/b/c/x")
    await _until(lab, f"test ! -e {PATH}/v/deep && grep -q two {PATH}/v/hard && test -e {PATH}/a/b/c/x")
    # Of the same length and within one second: only the parts of a second tell them apart.
    _said(lab, SOURCE, f"for each in 1 2 3 4 5 6 7 8 9; do echo $each >{PATH}/v/page; sleep 0.7; done")
    await _until(lab, f"grep -q 9 {PATH}/v/page")
    settled = await _state(source, lambda state: state.behind_s is not None and state.behind_s < 15)
    assert settled.directories == 5, "the directory itself, v, and a/b/c"


def _refused(lab: Lab) -> None:
    """Nobody else writes there, nobody reads, and nobody without the password."""
    address = lab.hosts[TAKER].address
    module, own = f"rsync://rbdtui@{address}/nfs/", f"--password-file={PASSWORD_FILE}"
    _said(lab, SOURCE, "install -m 600 /dev/null /root/wrong && echo wrong >/root/wrong")
    words = {
        f"rsync --password-file=/root/wrong /etc/hostname {module}": "auth failed",
        f"rsync {own} {module}v/f /root/stolen": "write only",
    }
    for command, word in words.items():
        said = _said(lab, SOURCE, f"{command} 2>&1 || true")
        assert word in said, said
    assert _said(lab, SOURCE, f"rsync rsync://{address}/").strip() == "", "its name is not listed"
    assert "stolen" not in _said(lab, SOURCE, "ls /root")
    assert "Unknown module" in _said(lab, TAKER, f"rsync /etc/hostname {module} 2>&1 || true")


async def _spared(lab: Lab, context: StepContext) -> None:
    """Neither a copy that was made the source is overwritten, nor one emptied by a source without its disk."""
    source = context.hosts[SOURCE]
    assert "site's name" in _said(lab, TAKER, f"{SCRIPT} become source other 2>&1 || true")
    _said(lab, TAKER, f"{SCRIPT} become source nfscopy && echo newer >{PATH}/newer && systemctl start nfs-copy-rbdtui")
    _said(lab, SOURCE, f"echo older >{PATH}/older")
    refused = await _state(source, lambda state: bool(state.failed))
    assert "does not say that this server is the copy" in refused.failed
    assert _said(lab, TAKER, f"cat {PATH}/newer; test -e {PATH}/older || echo spared").split() == ["newer", "spared"]
    with pytest.raises(StepError) as kept:
        await NfsCopyServer(TAKER).pending(context)
    assert kept.value.code == "nfs_copy_is_source"
    _said(lab, TAKER, f"{SCRIPT} become copy nfscopy")
    await carry_out(NfsCopyServer(TAKER), context)
    await _until(lab, f"test -e {PATH}/older && test ! -e {PATH}/newer")

    _said(lab, SOURCE, f"mount -t tmpfs none {PATH} && systemctl restart nfs-push-rbdtui")
    bare = await _state(source, lambda state: bool(state.failed))
    assert "the disk" in bare.failed
    with pytest.raises(StepError) as gone:
        await NfsCopy(SOURCE).pending(context)
    assert gone.value.code == "nfs_mark_gone"
    _said(lab, SOURCE, f"umount {PATH} && systemctl restart nfs-push-rbdtui")
    assert _said(lab, TAKER, f"ls {PATH}/older")
    await _state(source, lambda state: not state.failed and state.watching == "yes")


async def _power_cut(lab: Lab, hosts: HostPool) -> None:
    """What was copied stays with the copy, and the service goes on after the boot."""
    _said(lab, SOURCE, f"echo kept >{PATH}/kept; sync {PATH}/kept")
    await _until(lab, f"test -e {PATH}/kept")
    lab.off(SOURCE)
    assert _said(lab, TAKER, f"cat {PATH}/kept").strip() == "kept"
    lab.on(SOURCE)
    _said(lab, SOURCE, f"echo after >{PATH}/after")
    await _until(lab, f"test -e {PATH}/after")

    lab.off(TAKER)
    _said(lab, SOURCE, f"echo late >{PATH}/late")
    source = hosts[SOURCE]
    alone = await _state(source, lambda state: bool(state.failed))
    assert alone.push == "active"
    lab.on(TAKER)
    await _until(lab, f"test -e {PATH}/late")
    await _state(source, lambda state: not state.failed and state.behind_s is not None and state.behind_s < 15)


async def _taken_back(lab: Lab, spec: ClusterSpec, context: StepContext) -> None:
    for step in build_reset(spec, (SOURCE, TAKER), whole=False).steps:
        await carry_out(step, context)
    for node in (SOURCE, TAKER):
        state = await read_copy_state(context.hosts[node])
        assert (state.push, state.copy, state.complete_s) == ("absent", "absent", 0)
        assert (await read_state(context.hosts[node], PATH)).role == ""
        for path in (SCRIPT, CONFIG_FILE, SECRETS_FILE, PASSWORD_FILE, "/var/lib/rbdtui"):
            assert _said(lab, node, f"ls -d {path} 2>/dev/null || true").strip() == "", path
        assert _said(lab, node, f"cat {PATH}/kept").strip() == "kept"
        assert "873" not in _said(lab, node, "ss -Hltn")


async def _until(lab: Lab, holds_on_the_copy: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while _said(lab, TAKER, f"({holds_on_the_copy}) && echo yes || true").strip() != "yes":
        assert time.monotonic() < deadline, holds_on_the_copy
        await asyncio.sleep(1)


async def _state(host: Host, holds: Callable[[NfsCopyState], bool]) -> NfsCopyState:
    deadline = time.monotonic() + WAIT_S
    while not holds(state := await read_copy_state(host)):
        assert time.monotonic() < deadline, state.evidence()
        await asyncio.sleep(1)
    return state


def _said(lab: Lab, node: str, command: str, *, stdin: str | None = None) -> str:
    return lab.ssh(node, command, stdin=stdin).stdout
