"""Images pushed to an external registry (Debian's docker-registry): what is missing by digest, once, and whole."""

from __future__ import annotations

import base64
import errno
import gzip
import hashlib
import io
import json
import os
import tarfile
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rbdtui.bundle.layers import ArchiveError, images_in, layers_in
from rbdtui.bundle.scan import open_bundle
from rbdtui.facts.model import NodeFacts
from rbdtui.plan.builder import build_plan
from rbdtui.plan.step import StepContext, StepError
from rbdtui.plan.steps import push as push_step
from rbdtui.plan.steps.push import PushImages
from rbdtui.rainbond.images import needed_images
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.model import ClusterSpec
from tests.bundle import rainbond
from tests.bundle.archives import good, write
from tests.bundle.test_rainbond import OWN, V6, without
from tests.lab.servers.registry import Registry, registry, unavailable
from tests.plan.support import Heard, carry_out
from tests.rainbond.plans import NODES, VIP, release

pytestmark = pytest.mark.skipif(
    unavailable() is not None, reason=f"NOT TESTED AGAINST A REAL REGISTRY: {unavailable()}"
)

USER, PASSWORD = "rbd", "Push-1"


@pytest.fixture(scope="module")
def server() -> Iterator[Registry]:
    with registry(user=USER, password=PASSWORD) as running:
        yield running


def spec_of(server: Registry, namespace: str) -> ClusterSpec:
    section = f"{{mode: external, domain: '{server.address}:{server.port}', namespace: {namespace}, scheme: http, "
    section += f"username: {USER}, password: secret:hub}}"
    text = f"apiVersion: rbdtui/v1\nname: a\nprofile: rainbond-6\nbundle: /b\nnodes:\n{NODES}{VIP}registry: {section}\n"
    spec = parse_spec(text).spec
    assert spec is not None
    return spec


def layer(text: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("file")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


BASE = layer("of all")


def docker_archive(names: list[str], version: str = "1") -> bytes:
    """As Docker 24 writes it: the layer that all have is a link in all but the first; one image is packed by crane."""
    buffer, manifest = io.BytesIO(), []

    def put(name: str, content: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))

    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number, name in enumerate(names):
            own = layer(f"{name} {version}")
            diffs = [f"sha256:{hashlib.sha256(content).hexdigest()}" for content in (BASE, own)]
            config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diffs}}
            put(f"{number}.json", json.dumps(config).encode())
            if number == 0:
                put("base0/layer.tar", BASE)
            else:
                link = tarfile.TarInfo(f"base{number}/layer.tar")
                link.type, link.linkname = tarfile.SYMTYPE, "../base0/layer.tar"
                tar.addfile(link)
            own_name = f"{number}.tar.gz" if number == 1 else f"own{number}/layer.tar"
            put(own_name, gzip.compress(own) if number == 1 else own)
            layers = [f"base{number}/layer.tar", own_name]
            manifest.append({"Config": f"{number}.json", "RepoTags": [name], "Layers": layers})
        put("manifest.json", json.dumps(manifest).encode())
    return gzip.compress(buffer.getvalue(), 1)


def context_of(tmp_path: Path, spec: ClusterSpec, archive: bytes | None, password: str = PASSWORD) -> StepContext:
    files = without(dict(rainbond.files(spec, release(V6), own=OWN)), "rainbond-images-amd64.tar.gz")
    if archive is not None:
        files["rainbond-images-amd64.tar.gz"] = archive
    bundle = open_bundle(write(tmp_path, {**good(), **files}))
    secrets = {"hub": password}
    return StepContext("run1", spec, {}, {}, bundle, secrets.__getitem__, Heard(), tmp_path)


def names_of(spec: ClusterSpec) -> list[str]:
    return [f"registry.example/goodrain/{name}" for name in needed_images(spec, release(V6))]


def ask(server: Registry, path: str) -> tuple[bytes, dict[str, str]]:
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    request = urllib.request.Request(
        f"http://{server.address}:{server.port}{path}", headers={"Authorization": f"Basic {login}", "Accept": kind}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read(), dict(answer.headers)


def pulled(server: Registry, repository: str, tag: str) -> tuple[dict[str, Any], list[bytes]]:
    """Configuration and unpacked layers, each proven by its digest."""
    manifest = json.loads(ask(server, f"/v2/{repository}/manifests/{tag}")[0])

    def blob(described: dict[str, Any]) -> bytes:
        content, _ = ask(server, f"/v2/{repository}/blobs/{described['digest']}")
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == described["digest"]
        assert len(content) == described["size"]
        return content

    return json.loads(blob(manifest["config"])), [gzip.decompress(blob(each)) for each in manifest["layers"]]


async def test_what_was_pushed_can_be_pulled_and_nothing_is_pushed_twice(tmp_path: Path, server: Registry) -> None:
    spec = spec_of(server, "one/two")
    names = names_of(spec)
    context = context_of(tmp_path, spec, docker_archive(names))
    [title] = await carry_out(PushImages(""), context)
    assert title.startswith(f"Push {len(names)} images from rainbond-images-amd64.tar.gz to 127.0.0.1:")
    for name in names[:4]:
        repository, tag = name.rpartition("/")[2].rsplit(":", 1)
        config, layers = pulled(server, f"one/two/{repository}", tag)
        assert layers == [BASE, layer(f"{name} 1")]
        assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(each).hexdigest()}" for each in layers]
    assert (await PushImages("").pending(context)).is_done
    assert not [path for path in tmp_path.iterdir() if "tmp" in path.name], "no layer stays on this machine"
    by_hand = context_of(tmp_path / "none", spec, None)
    assert (await PushImages("").pending(by_hand)).is_done, "what is there need not be in the bundle"


async def test_only_another_image_under_a_name_is_pushed_again(tmp_path: Path, server: Registry) -> None:
    spec = spec_of(server, "again")
    names = names_of(spec)
    await carry_out(PushImages(""), context_of(tmp_path / "a", spec, docker_archive(names)))
    files = docker_archive(names[:-1])
    both = context_of(tmp_path / "b", spec, files)
    (tmp_path / "b" / "rainbond-more-images-amd64.tar.gz").write_bytes(docker_archive(names[-1:], version="2"))
    [title] = await carry_out(PushImages(""), replace(both, bundle=open_bundle(tmp_path / "b")))
    assert title.startswith("Push 1 image from rainbond-more-images-amd64.tar.gz")


async def refused(context: StepContext) -> StepError:
    with pytest.raises(StepError) as caught:
        await carry_out(PushImages(""), context)
    assert "{" not in f"{caught.value.text}{caught.value.remedy}"
    assert PASSWORD not in f"{caught.value.text}{caught.value.evidence}"
    return caught.value


async def test_a_registry_that_has_none_and_a_bundle_that_has_none(tmp_path: Path, server: Registry) -> None:
    error = await refused(context_of(tmp_path, spec_of(server, "none"), None))
    assert error.code == "registry_lacks"
    assert "rbd-api:v6.2.1-release" in str(error.text)


async def test_each_refusal_is_told_as_the_check_tells_it(tmp_path: Path, server: Registry) -> None:
    spec = spec_of(server, "wrong")
    archive = docker_archive(names_of(spec))
    error = await refused(context_of(tmp_path / "a", spec, archive, password="other"))
    assert (error.code, "UNAUTHORIZED" in error.evidence) == ("push_refused", True)
    with registry(read_only=True, user=USER, password=PASSWORD) as other:
        error = await refused(context_of(tmp_path / "b", spec_of(other, "wrong"), archive))
    assert error.code == "push_refused"
    error = await refused(context_of(tmp_path / "c", spec_of(other, "wrong"), archive))
    assert error.code == "push_refused", "it is gone"
    assert error.retryable


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, "push_disk_full"), (errno.EIO, "push_broken")])
async def test_a_disk_of_this_machine_that_fails(tmp_path: Path, server: Registry, number: int, code: str) -> None:
    context = context_of(tmp_path, spec_of(server, "disk"), None)
    with pytest.raises(StepError) as caught:
        async with push_step._registry(context):
            raise OSError(number, os.strerror(number))
    assert (caught.value.code, caught.value.retryable) == (code, True)


async def test_a_name_stands_for_images_of_one_architecture(tmp_path: Path, server: Registry) -> None:
    spec = spec_of(server, "several")
    context = context_of(tmp_path, spec, docker_archive(names_of(spec)))
    facts = {name: NodeFacts(name, 0.0, arch=arch) for name, arch in (("n1", "amd64"), ("n2", "arm64"))}
    assert (await refused(replace(context, facts=facts))).code == "push_several"


def test_the_push_waits_for_nothing_and_the_proof_for_the_push(server: Registry) -> None:
    steps = {step.id: step for step in build_plan(spec_of(server, "plan"), {}).steps}
    assert steps["registry-images"].after == ()
    assert "registry-images" in steps["cluster-proof"].after
    data = spec_of(server, "plan").model_dump(mode="json")
    data |= {"kubernetes": {"distribution": "existing", "kubeconfig": "/k"}}
    data |= {"gateway": {"mode": "external", "address": "10.0.0.9"}}
    existing = build_plan(ClusterSpec.model_validate(data), {}).steps
    assert [step.id for step in existing[:2]] == ["kubeconfig-given", "registry-images"]
    assert {"kubeconfig-given", "registry-images"} <= set(existing[2].after)
    assert not any(step.startswith("rainbond-images") for step in steps)


@pytest.mark.parametrize(
    "content", [b"", b"text", gzip.compress(b"text"), docker_archive(["a:1"])[:200]], ids=["none", "text", "gz", "half"]
)
def test_an_archive_that_changed_meanwhile(content: bytes) -> None:
    with pytest.raises(ArchiveError):
        images_in(io.BytesIO(content), len(content))


def test_a_layer_that_is_cut_off() -> None:
    content = gzip.decompress(docker_archive(["a:1"]))
    begin = content.index(b"own0/layer.tar")
    cut = io.BytesIO(content[: begin + 1000])
    _, pieces = next(layers_in(cut, begin + 1000, {"own0/layer.tar"}))
    with pytest.raises(ArchiveError):
        b"".join(pieces)
    with pytest.raises(ArchiveError, match="lacks other"):
        list(layers_in(io.BytesIO(content), len(content), {"other"}))
