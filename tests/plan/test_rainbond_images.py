"""Rainbond's images in a node's containerd: only what is missing by digest, and each fault in words."""

from __future__ import annotations

import gzip
import os
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.bundle.archives import ArchivedImage
from rbdtui.bundle.scan import open_bundle
from rbdtui.plan.builder import build_plan
from rbdtui.plan.step import BundleFile, StepError
from rbdtui.plan.steps.images import ImportImages, missing_on
from rbdtui.plan.steps.ship import ShipBundle, rainbond_archives
from rbdtui.rainbond.images import full_name
from rbdtui.simulator.call import Call
from rbdtui.simulator.verbs import VERBS
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.scripts import script
from tests.bundle import rainbond
from tests.bundle.archives import good, write
from tests.bundle.test_rainbond import OWN
from tests.plan.support import Bench, bench, carry_out
from tests.rainbond.plans import REGISTRY, plan, release

V6 = "v6.2.1-release"
SPEC = plan()
WITHOUT_RAINBOND = SPEC.model_copy(update={"profile": replace(SPEC.profile, is_complete=False)})


def image(name: str, digest: str = "sha256:1") -> ArchivedImage:
    return ArchivedImage(name, digest, "amd64")


def file(*images: ArchivedImage) -> BundleFile:
    return BundleFile(Path("/b/images.tar.gz"), 1, "ab" * 32, images=images)


def test_only_what_is_missing_by_digest() -> None:
    one, two = file(image("hub.lan/a:1")), file(image("hub.lan/b:1"), image("hub.lan/c:1", "sha256:3"))
    there = {"hub.lan/a:1": "sha256:1", "hub.lan/b:1": "sha256:1", "hub.lan/c:1": "sha256:3"}
    assert missing_on([one, two], there) == []
    [found] = missing_on([one, two], {**there, "hub.lan/c:1": "sha256:other"})
    assert (found.file, [each.name for each in found.images]) == (two, ["hub.lan/c:1"])
    [found] = missing_on([one], {})
    assert found.path == "/var/lib/rancher/rke2/agent/images/images.tar.gz"
    assert missing_on([file(image("hub.lan/d:1", ""))], {"hub.lan/d:1": "sha256:9"}) == [], "no digest to compare"


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("alpine:3", "docker.io/library/alpine:3"),
        ("rainbond/nfs-client-provisioner:v4.0.2", "docker.io/rainbond/nfs-client-provisioner:v4.0.2"),
        ("hub.lan/a:1", "hub.lan/a:1"),
        ("hub:5000/a/b:1", "hub:5000/a/b:1"),
        ("localhost/a:1", "localhost/a:1"),
    ],
)
def test_names_are_as_containerd_has_them(name: str, full: str) -> None:
    assert full_name(name) == full


def with_registry(text: str) -> ClusterSpec:
    return plan(more=text)


def test_the_step_stands_behind_the_start_of_its_node_and_before_the_proof() -> None:
    steps = {step.id: step for step in build_plan(SPEC, {}).steps}
    assert steps["rainbond-images@n1"].after == ("rke2-first-server@n1",)
    assert "rainbond-images@n3" in {step_id for step in steps.values() for step_id in step.after}
    assert not any(
        step.startswith("rainbond-images") for step in map(str, {s.id for s in build_plan(WITHOUT_RAINBOND, {}).steps})
    )
    assert not any("rainbond-images" in step.id for step in build_plan(with_registry(REGISTRY), {}).steps)


class Containerd:
    """What the two scripts find: images by name, and what an import ends with."""

    def __init__(self) -> None:
        self.images: dict[str, str] = {}
        self.ends, self.says = 0, "unpacking ... done"
        self.imported: list[str] = []
        self.brings: dict[str, str] = {}

    async def state(self, call: Call) -> int:
        for name, digest in self.images.items():
            call.line(f"{name} {digest}")
        return 0

    async def bring(self, call: Call) -> int:
        self.imported.append(call.args[0])
        call.line(self.says)
        if self.ends == 0:
            self.images |= {name: self.brings[name] for name in call.args[1:]}
        return self.ends


class Prepared:
    """A fleet of one, with a bundle of Rainbond and a containerd of our own."""

    def __init__(self, tmp_path: Path) -> None:
        self.containerd = Containerd()
        self.verbs = {**VERBS, "images-state": self.containerd.state, "images-import": self.containerd.bring}
        self.directory = write(tmp_path / "more", {**good(), **rainbond.files(SPEC, release(V6), own=OWN)})

    def context(self, of: Bench) -> Bench:
        spec = of.context.spec.model_copy(update={"profile": SPEC.profile})
        of.context = replace(of.context, spec=spec, bundle=open_bundle(self.directory))
        [archive] = rainbond_archives(of.context, "node1")
        self.containerd.brings = {full_name(each.name): each.digest for each in archive.images}
        return of


async def test_a_node_that_runs_already_gets_them_once(tmp_path: Path) -> None:
    prepared = Prepared(tmp_path)
    async with bench(tmp_path, verbs=prepared.verbs) as of:
        context = prepared.context(of).context
        await carry_out(ShipBundle("node1"), context)
        place = "/var/lib/rancher/rke2/agent/images/rainbond-images-amd64.tar.gz"
        assert of.machine().files.exists(place)
        changes = await carry_out(ImportImages("node1"), context)
        assert changes == [f"Import {len(prepared.containerd.brings)} images from rainbond-images-amd64.tar.gz"]
        assert prepared.containerd.imported == [place]
        assert (await ImportImages("node1").pending(context)).is_done, "a second run changes nothing"


async def test_on_a_simulated_node_as_well(tmp_path: Path) -> None:
    prepared = Prepared(tmp_path)
    async with bench(tmp_path) as of:
        context, machine = prepared.context(of).context, of.machine()
        await carry_out(ShipBundle("node1"), context)
        with pytest.raises(StepError) as caught:
            await carry_out(ImportImages("node1"), context)
        assert caught.value.code == "images_no_containerd"
        for path in ("/var/lib/rancher/rke2/bin/ctr", "/run/k3s/containerd/containerd.sock"):
            machine.files.put(path, b"")
        assert len(await carry_out(ImportImages("node1"), context)) == 1
        assert machine.images == prepared.containerd.brings


@pytest.mark.parametrize(
    ("ends", "says", "code"),
    [
        (1, "ctr: write /var/lib/…/ingest: no space left on device", "images_disk_full"),
        (1, "ctr: image might be filtered out: no match for platform in manifest", "images_refused"),
        (3, "/run/k3s/containerd/containerd.sock is not there", "images_no_containerd"),
        (4, "", "images_packed"),
    ],
)
async def test_each_fault_of_an_import_is_named(tmp_path: Path, ends: int, says: str, code: str) -> None:
    prepared = Prepared(tmp_path)
    prepared.containerd.ends, prepared.containerd.says = ends, says
    async with bench(tmp_path, verbs=prepared.verbs) as of:
        context = prepared.context(of).context
        with pytest.raises(StepError) as caught:
            await carry_out(ImportImages("node1"), context)
        assert caught.value.code == code
        assert says in caught.value.evidence
        assert "{" not in f"{caught.value.text}{caught.value.remedy}"


CTR = """\
#!/bin/sh
case "$*" in
*"images ls"*) cat "$0.list" ;;
*"images import -") cat >"$0.got"; echo "unpacking … done" ;;
*"images label "*) echo "$*" >>"$0.labels" ;;
esac
"""
LIST = """\
REF                      TYPE                              DIGEST     SIZE    PLATFORMS   LABELS
hub.lan/a:1              application/vnd.docker.v2+json    sha256:m1  1.0 MiB linux/amd64 -
hub.lan/late:1           application/vnd.docker.v2+json    sha256:m3  1.0 MiB linux/amd64 -
sha256:c1                application/vnd.docker.v2+json    sha256:m1  1.0 MiB linux/amd64 -
"""


def run(name: str, ctr: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """A script with another ctr, and a file in place of containerd's socket."""
    text = script(name).text.replace("/var/lib/rancher/rke2/bin/ctr", str(ctr)).replace("-S $socket", "-e $socket")
    text = text.replace("/run/k3s/containerd/containerd.sock", str(ctr.parent))
    return subprocess.run(["sh", "-c", text, name, *args], capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def ctr(tmp_path: Path) -> Path:
    place = tmp_path / "ctr"
    place.write_text(CTR)
    place.chmod(place.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "ctr.list").write_text(LIST)
    return place


def test_an_image_is_told_by_the_digest_of_its_configuration(ctr: Path) -> None:
    assert run("images-state", ctr).stdout.splitlines() == ["hub.lan/a:1 sha256:c1", "hub.lan/late:1 "]


@pytest.mark.parametrize("name", ["images-state", "images-import"])
def test_without_containerd_that_is_said(tmp_path: Path, name: str) -> None:
    answer = run(name, tmp_path / "none" / "ctr", str(tmp_path))
    assert (answer.returncode, "is not there" in answer.stderr) == (3, True)


def test_an_archive_is_unpacked_on_its_way_and_its_images_are_kept(ctr: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(gzip.compress(b"images"))
    assert run("images-import", ctr, str(archive), "hub.lan/a:1", "hub.lan/b:1").returncode == 0
    assert (tmp_path / "ctr.got").read_bytes() == b"images"
    labels = (tmp_path / "ctr.labels").read_text().splitlines()
    # Without the mark of an image that had the name before, Kubernetes takes notice of the new one.
    assert [line.split()[-3:] for line in labels] == [
        ["hub.lan/a:1", "io.cri-containerd.image=", "io.cri-containerd.pinned=pinned"],
        ["hub.lan/b:1", "io.cri-containerd.image=", "io.cri-containerd.pinned=pinned"],
    ]


def test_a_refusal_of_containerd_is_the_end_of_the_script(ctr: Path, tmp_path: Path) -> None:
    ctr.write_text("#!/bin/sh\ncat >/dev/null\necho 'ctr: no space left on device' >&2\nexit 1\n")
    archive = tmp_path / "a.tar"
    archive.write_bytes(b"images")
    answer = run("images-import", ctr, str(archive))
    assert (answer.returncode, "no space left" in answer.stderr) == (1, True)


def test_zstd_without_its_program_is_told_apart(ctr: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.zst"
    archive.write_bytes(b"\x28\xb5\x2f\xfd rest")
    text = script("images-import").text.replace("/var/lib/rancher/rke2/bin/ctr", str(ctr))
    text = text.replace("-S $socket", "-e $socket").replace("/run/k3s/containerd/containerd.sock", str(tmp_path))
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("head", "od", "tr", "sh"):
        os.symlink(next(f"{d}/{tool}" for d in ("/usr/bin", "/bin") if Path(f"{d}/{tool}").exists()), tools / tool)
    answer = subprocess.run(
        ["sh", "-c", text, "images-import", str(archive)], capture_output=True, timeout=30, check=False,
        env={"PATH": str(tools)},
    )  # fmt: skip
    assert answer.returncode == 4
