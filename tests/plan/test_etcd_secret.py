"""The Secret with the certificates of etcd: from a server or from files, shown without its key, made when needed."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rbdtui.plan.step import StepError
from rbdtui.plan.steps.rainbond.etcd_secret import SERVER_FILES, EtcdSecret
from rbdtui.rainbond.values import needs_etcd_secret
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.base import CommandResult, ConnectTimeoutError
from rbdtui.transport.scripts import Script
from tests.kube.api import Api
from tests.lab.servers.certificates import CertificateAuthority, Pair
from tests.plan.rainbond_support import NODES, Stage, plan_of, stage
from tests.plan.support import ALL_IN_ONE, spec_of
from tests.probes.conftest import authority as authority
from tests.probes.standin import StandIn
from tests.probes.targets import Authority

PATH = "/api/v1/namespaces/rbd-system/secrets/rbd-etcd-secret"
ETCD_CA = CertificateAuthority("etcd-server-ca")
FIRST, SECOND = ETCD_CA.issue(), ETCD_CA.issue()
Answers = dict[tuple[str, str], tuple[int, object]]


class Server(StandIn):
    """A server with files."""

    files: dict[str, bytes]

    async def run(self, script: Script, *args: str, **how: Any) -> CommandResult:
        self.calls[script.name] += 1
        await self._trouble()
        if script.name != "file-read":
            return await super().run(script, *args, **how)
        found = self.files.get(args[0])
        return CommandResult(3, b"", b"", 0.001) if found is None else CommandResult(0, found, b"", 0.001)


def server(name: str, there: Stage, pair: Pair | None) -> Server:
    made = Server(name, there.network)
    contents = (ETCD_CA.pem, pair.cert_pem, pair.key_pem) if pair is not None else ()
    made.files = dict(zip(SERVER_FILES, contents, strict=False))
    return made


def reusing(**etcd: object) -> ClusterSpec:
    gateway = {"mode": "keepalived", "vip": "127.0.9.100/24", "virtual_router_id": 87}
    roles = dict.fromkeys(NODES, (*ALL_IN_ONE, "build"))
    return spec_of(roles, profile="rainbond-5.17", sections={"gateway": gateway, "etcd": etcd or {"mode": "reuse"}})


def with_servers(there: Stage, *pairs: Pair | None) -> Stage:
    hosts = {name: server(name, there, pair) for name, pair in zip(NODES, pairs, strict=False)}
    return dataclasses.replace(there, context=dataclasses.replace(there.context, hosts=hosts))


def secret(pair: Pair, ca: bytes = ETCD_CA.pem, **more: bytes) -> dict[str, Any]:
    contents = {"ca-file": ca, "cert-file": pair.cert_pem, "key-file": pair.key_pem} | more
    data = {key: base64.b64encode(part).decode() for key, part in contents.items() if part}
    return {"kind": "Secret", "metadata": {"name": "rbd-etcd-secret"}, "data": data}


def test_it_is_needed_where_rainbond_is_given_an_etcd() -> None:
    assert needs_etcd_secret(reusing())
    assert not needs_etcd_secret(reusing(mode="builtin"))
    assert not needs_etcd_secret(plan_of()), "Rainbond 6 keeps nothing in an etcd"


async def test_a_servers_certificates_become_the_secret_and_its_key_is_shown_nowhere(
    authority: Authority, tmp_path: Path
) -> None:
    answers: Answers = {("PATCH", PATH): (200, {})}
    api = Api(answers)
    async with stage(authority, tmp_path, api, spec=reusing()) as at:
        there, step = with_servers(at, FIRST, SECOND), EtcdSecret("")
        pending = await step.pending(there.context)
        await step.apply(there.context, pending)
        answers["GET", PATH] = (200, secret(FIRST))
        assert (await step.pending(there.context)).is_done
    (made,) = [asked.body for asked in api.asked if asked.method == "PATCH"]
    assert isinstance(made, dict)
    assert made["data"] == secret(FIRST)["data"]
    (change,) = pending.changes
    assert f"--from-file=key-file=n1:{SERVER_FILES[2]}" in change.detail
    assert "+key-file: (hidden)" in change.detail
    assert "+cert-file: CN=somebody, until " in change.detail
    everything = f"{pending} {change.detail} {there.heard.lines} {there.heard.notes}"
    for line in FIRST.key_pem.decode().splitlines()[1:-1]:
        assert line not in everything
    assert "PRIVATE KEY" not in everything
    assert [note.key for note in there.heard.notes] == ["plan.note.etcd_secret_until"]


@pytest.mark.parametrize(
    ("present", "is_done"),
    [
        (lambda: secret(SECOND), True),
        (lambda: secret(ETCD_CA.issue(days=(-300, 5))), False),
        (lambda: secret(ETCD_CA.issue(days=(-300, -5))), False),
        (lambda: secret(CertificateAuthority().issue()), False),
        (lambda: secret(FIRST, CertificateAuthority().pem), False),
        (lambda: secret(FIRST, **{"key-file": b""}), False),
        (lambda: secret(FIRST, **{"key-file": SECOND.key_pem}), False),
    ],
    ids=["another server's", "about to expire", "expired", "foreign", "old authority", "no key", "another key"],
)
async def test_a_secret_is_renewed_when_it_does_not_open_the_clusters_etcd_for_long(
    authority: Authority, tmp_path: Path, present: Callable[[], dict[str, Any]], is_done: bool
) -> None:
    api = Api({("GET", PATH): (200, present()), ("PATCH", PATH): (200, {})})
    async with stage(authority, tmp_path, api, spec=reusing()) as at:
        there = with_servers(at, FIRST)
        pending = await EtcdSecret("").pending(there.context)
        assert pending.is_done is is_done
        if not is_done:
            await EtcdSecret("").apply(there.context, pending)
            assert there.heard.notes[-1].key == "plan.note.etcd_secret_renewed"


async def test_the_next_server_is_asked_when_one_is_silent_or_has_none(authority: Authority, tmp_path: Path) -> None:
    async with stage(authority, tmp_path, Api({}), spec=reusing()) as at:
        there = with_servers(at, FIRST, None, SECOND)
        hosts = there.context.hosts
        broken = hosts["n1"]
        assert isinstance(broken, Server)
        broken.files = {}
        (change,) = (await EtcdSecret("").pending(there.context)).changes
        assert "n3:" in change.detail
        last = hosts["n3"]
        assert isinstance(last, Server)
        last.files[SERVER_FILES[2]] = FIRST.key_pem
        second = hosts["n2"]
        assert isinstance(second, Server)
        second.files = dict.fromkeys(SERVER_FILES, b"")
        with pytest.raises(StepError) as caught:
            await EtcdSecret("").pending(there.context)
    assert (caught.value.code, caught.value.retryable) == ("etcd_files_of_servers", True)
    assert f"n3: {SERVER_FILES[2]}: RBD-ETCD-124" in caught.value.evidence


async def test_the_operators_own_files_decide_by_what_is_in_them(authority: Authority, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("ca.pem", "client.pem", "client-key.pem")]
    for path, content in zip(paths, (ETCD_CA.pem, FIRST.cert_pem, FIRST.key_pem), strict=True):
        path.write_bytes(content)
    keys = dict(zip(("ca", "cert", "key"), map(str, paths), strict=True))
    spec = reusing(mode="external", endpoints=["10.0.0.41:2379"], **keys)
    answers: Answers = {("GET", PATH): (200, secret(SECOND))}
    async with stage(authority, tmp_path, Api(answers), spec=spec) as there:
        (change,) = (await EtcdSecret("").pending(there.context)).changes
        assert f"--from-file=cert-file={paths[1]}" in change.detail
        answers["GET", PATH] = (200, secret(FIRST))
        assert (await EtcdSecret("").pending(there.context)).is_done
        paths[2].write_bytes(SECOND.key_pem)
        with pytest.raises(StepError) as caught:
            await EtcdSecret("").pending(there.context)
        assert caught.value.code == "etcd_files_unusable"
        paths[2].unlink()
        with pytest.raises(StepError) as caught:
            await EtcdSecret("").pending(there.context)
        assert caught.value.code == "etcd_files_unreadable"


async def test_before_there_is_a_cluster_the_plan_says_where_they_will_come_from(
    authority: Authority, tmp_path: Path
) -> None:
    async with stage(authority, tmp_path, Api({}), spec=reusing()) as there:
        (there.context.site_dir / "kubeconfig").unlink()
        there.context.hosts["n1"].broken = ConnectTimeoutError("n1")  # type: ignore[attr-defined]
        (change,) = (await EtcdSecret("").pending(there.context)).changes
    assert change.detail.startswith(
        "kubectl -n rbd-system create secret generic rbd-etcd-secret --from-file=ca-file=n1:"
    )
