"""The operator's kubeconfig: what a server says is never stored, only certificates that were checked and used."""

from __future__ import annotations

import base64
import posixpath
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from rbdtui.kube.kubeconfig import read_kubeconfig
from rbdtui.plan.step import StepError
from rbdtui.plan.steps.gates import VipToServer
from rbdtui.plan.steps.keepalived import Keepalived
from rbdtui.plan.steps.kubeconfig import SERVER_KUBECONFIG, WriteKubeconfig
from rbdtui.plan.steps.rke2_start import StartFirstServer
from rbdtui.simulator.kubernetes.certificates import Authority
from rbdtui.transport.base import NotReachedError, Reach, ReachResult
from tests.plan.support import Bench, bench, carry_out, settle
from tests.plan.test_start_steps import lay_down

STEP = WriteKubeconfig("")


@pytest.fixture
async def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """A cluster of one server, and a step that does not wait for long."""
    monkeypatch.setattr(WriteKubeconfig, "wait_s", 0.0)
    async with bench(tmp_path) as made:
        await lay_down(made, made.context, "node1")
        await carry_out(StartFirstServer("node1"), made.context)
        yield made


def offered(at: Bench) -> str:
    return at.fleet.machines["node1"].files.text(SERVER_KUBECONFIG)


def offer(at: Bench, text: str | bytes) -> None:
    content = text if isinstance(text, bytes) else text.encode()
    at.fleet.machines["node1"].files.write(SERVER_KUBECONFIG, content)


def inline(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()


async def test_what_is_written_is_ours_and_was_used(at: Bench) -> None:
    offer(at, offered(at).replace("default", "a-name-of-the-server") + "# a remark of the server\n")
    await carry_out(STEP, at.context)
    file = at.context.site_dir / "kubeconfig"
    text = file.read_text()
    assert "server" in text
    assert "a-name-of-the-server" not in text
    assert "remark" not in text
    assert file.stat().st_mode & 0o777 == 0o600
    written, theirs = yaml.safe_load(text), yaml.safe_load(offered(at))
    assert written["clusters"][0]["cluster"]["server"] == f"https://{at.context.spec.api_address}:6443"
    for kind, section in (("clusters", "cluster"), ("users", "user")):
        for key, value in written[kind][0][section].items():
            if key != "server":
                assert base64.b64decode(value) == base64.b64decode(theirs[kind][0][section][key])
    assert read_kubeconfig(file).key
    assert (await STEP.pending(at.context)).is_done


USER = "    client-certificate-data"
EVILS = {
    "exec": (USER, "    exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, id]}\n" + USER),
    "auth-provider": (USER, "    auth-provider: {name: gcp}\n" + USER),
    "tokenFile": (USER, "    tokenFile: /etc/shadow\n" + USER),
    "client-key": (USER, "    client-key: /root/.ssh/id_ed25519\n" + USER),
    "impersonation": (USER, "    as: system:admin\n" + USER),
    "proxy-url": ("    server:", "    proxy-url: http://198.51.100.1\n    server:"),
    "insecure-skip-tls-verify": ("    server:", "    insecure-skip-tls-verify: true\n    server:"),
    "certificate-authority": ("    server:", "    certificate-authority: /etc/passwd\n    server:"),
    "two users": ("users:\n", "users:\n- {name: other, user: {token: x}}\n"),
    "alias": ("preferences: {}", "preferences: &a [x]\nmore: [*a, *a]"),
    "python": ("preferences: {}", "preferences: !!python/object/apply:os.system [id]"),
}


@pytest.mark.parametrize("evil", EVILS)
async def test_a_kubeconfig_that_would_do_more_than_log_in_is_refused(at: Bench, evil: str) -> None:
    old, new = EVILS[evil]
    changed = offered(at).replace(old, new, 1)
    assert changed != offered(at)
    offer(at, changed)
    assert [str(change.title) for change in (await STEP.pending(at.context)).changes] != []
    with pytest.raises(StepError) as caught:
        await settle(STEP, at.context)
    assert "kubeconfig_refused" in caught.value.code
    assert "node1: " in caught.value.evidence
    assert not (at.context.site_dir / "kubeconfig").exists()


async def test_a_kubeconfig_without_credentials_is_not_proven(at: Bench) -> None:
    whole = offered(at)
    other = Authority("another", "rke2-client-ca", at.fleet.machines["node1"].clock()).client("system:admin")
    spoilt: dict[str, str | bytes] = {
        "no certificate": re.sub(r"(?m)^    client-.*\n", "", whole),
        "no authority": re.sub(r"authority-data: \S+", "authority-data: Zm9v", whole),
        "another's key": re.sub(r"key-data: \S+", f"key-data: {inline(other.key)}", whole),
        "leaf as authority": re.sub(r"authority-data: \S+", f"authority-data: {inline(other.certificate)}", whole),
        "empty": "",
        "deep": "[" * 200_000,
        "blank": "\n" * 200_000,
        "binary": b"\xff\xfe\x00",
    }
    for name, text in spoilt.items():
        offer(at, text)
        with pytest.raises(StepError) as caught:
            await settle(STEP, at.context)
        assert "kubeconfig_refused" in caught.value.code, name
        assert "PRIVATE" not in caught.value.evidence
    assert not (at.context.site_dir / "kubeconfig").exists()


async def test_credentials_that_the_api_does_not_take_are_not_written(at: Bench) -> None:
    stranger = Authority("another", "another-ca", at.fleet.machines["node1"].clock())
    client = stranger.client("system:admin", "system:masters")
    whole = offered(at)
    for text in (
        re.sub(r"authority-data: \S+", f"authority-data: {inline(stranger.certificate)}", whole),
        re.sub(
            r"certificate-data: \S+",
            f"certificate-data: {inline(client.certificate)}",
            re.sub(r"key-data: \S+", f"key-data: {inline(client.key)}", whole),
        ),
    ):
        offer(at, text)
        with pytest.raises(StepError) as caught:
            await settle(STEP, at.context)
        assert "kubeconfig_useless" in caught.value.code
    assert not (at.context.site_dir / "kubeconfig").exists()


async def test_a_kubeconfig_that_was_changed_in_the_site_is_written_anew(at: Bench) -> None:
    await carry_out(STEP, at.context)
    file = at.context.site_dir / "kubeconfig"
    good = file.read_bytes()
    for change in (lambda: file.write_bytes(good + b"#"), lambda: file.chmod(0o644), file.unlink):
        change()
        assert not (await STEP.pending(at.context)).is_done
        await carry_out(STEP, at.context)
        assert file.read_bytes() == good


async def test_where_no_way_leads_to_the_api_that_is_said(at: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    host = at.context.hosts["node1"]

    async def forbidden(*_: object, **__: object) -> None:
        raise NotReachedError(ReachResult(Reach.FORBIDDEN, 0.1))

    monkeypatch.setattr(host, "dial", forbidden)
    await settle(STEP, at.context)
    assert any("was not tested" in str(note) for note in at.heard.notes)
    assert (at.context.site_dir / "kubeconfig").exists()


async def test_another_server_stands_in_for_one_whose_kubeconfig_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        await lay_down(at, at.context, "node1")
        for node in ("node1", "node2", "node3"):
            await carry_out(Keepalived(node), at.context)
        await carry_out(StartFirstServer("node1"), at.context)
        await carry_out(VipToServer(""), at.context)
        good = offered(at)
        at.machine("node2").files.mkdir(posixpath.dirname(SERVER_KUBECONFIG))
        at.machine("node2").files.write(SERVER_KUBECONFIG, good.encode())
        old, new = EVILS["exec"]
        offer(at, good.replace(old, new, 1))
        await carry_out(STEP, at.context)
        assert "exec" not in (at.context.site_dir / "kubeconfig").read_text()
        assert ["node1" in str(note) and "user: exec" in str(note) for note in at.heard.notes] == [True]
