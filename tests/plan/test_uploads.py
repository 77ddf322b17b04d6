"""What goes to a host is a plain file of the bundle, also when it became something else since it was looked at."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.bundle.scan import open_bundle
from rbdtui.plan.resources.base import Target
from rbdtui.plan.resources.images import IMAGES_DIR
from rbdtui.plan.resources.uploads import UploadedFiles
from rbdtui.plan.step import ChangeKind, StepContext, StepError
from rbdtui.plan.steps.ship import InstallHostPackages, ShipBundle
from rbdtui.simulator.fleet import Build
from rbdtui.transport.base import RemoteScriptError, SourceError
from rbdtui.transport.scripts import script
from tests.bundle.archives import PROGRAM, images, part, program, write, zstd_images
from tests.plan.support import Bench, bench, carry_out, settle

SECRET = b"TOP SECRET OF THE JUMP HOST"
PLACE = "/var/lib/rbdtui/bundle/file"


def link(bundle: Path, secret: Path) -> None:
    (bundle / "d" / "file").unlink()
    (bundle / "d" / "file").symlink_to(secret / "file")


def linked_directory(bundle: Path, secret: Path) -> None:
    shutil.rmtree(bundle / "d")
    (bundle / "d").symlink_to(secret)


def pipe(bundle: Path, secret: Path) -> None:
    (bundle / "d" / "file").unlink()
    os.mkfifo(bundle / "d" / "file")


def zeros(bundle: Path, secret: Path) -> None:
    (bundle / "d" / "file").unlink()
    (bundle / "d" / "file").symlink_to("/dev/zero")


@pytest.mark.parametrize("change", [link, linked_directory, pipe, zeros])
async def test_a_file_that_became_a_link_is_not_sent(tmp_path: Path, change: Callable[[Path, Path], None]) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_bytes(SECRET)
    async with bench(tmp_path) as at:
        bundle = tmp_path / "bundle"
        (bundle / "packages" / "debian-12-amd64").rename(bundle / "d")
        (bundle / "d" / "file").write_bytes(SECRET)
        file = at.context.bundle.file("rke2", "amd64")
        file = type(file)(bundle / "d" / "file", file.size_bytes, file.sha256, file.within)
        change(bundle, secret)
        target, uploads = Target.of(at.context, "node1"), UploadedFiles({PLACE: file})
        pending = await uploads.pending(target)
        with pytest.raises(SourceError) as caught:
            await uploads.settle(target, pending)
        assert "file" in str(caught.value)
        files = at.machine().files
        assert not [name for name in (PLACE, f"{PLACE}.part") if files.exists(name) and SECRET in files.read(name)]


async def test_a_bundle_that_goes_between_look_and_sending_is_told_as_such(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        file = at.context.bundle.file("rke2", "amd64")
        target, uploads = Target.of(at.context, "node1"), UploadedFiles({PLACE: file})
        pending = await uploads.pending(target)
        assert file.within is not None
        file.within.rename(tmp_path / "unplugged")
        with pytest.raises(StepError) as caught:
            await uploads.settle(target, pending)
        assert (caught.value.code, caught.value.params["path"]) == ("bundle_absent", str(file.within))


async def test_packages_of_an_earlier_bundle_are_not_installed(tmp_path: Path) -> None:
    async with bench(tmp_path, 3, builds=[Build(keepalived=False)]) as at:
        machine, directory = at.machine(), "/var/lib/rbdtui/bundle/packages"
        for name in ("old_1.deb", "old_1.deb.part", "older_1.rpm", "keepalived_1.deb"):
            machine.files.put(f"{directory}/{name}", b"of another bundle")
        await carry_out(InstallHostPackages("node1"), at.context)
        packages = at.context.bundle.packages("debian", "12", "amd64")
        wanted = [each.path.name for each in packages if each.path.name.startswith("keepalived")]
        assert machine.files.listdir(directory) == wanted
        assert machine.packages >= {"keepalived"}
        assert not machine.packages & {"old", "older"}


# --- images ---

ARCHIVE = "rke2-images.linux-amd64.tar.gz"
MEMORY = f"{IMAGES_DIR}/.cache.json"
NOTE = "/var/lib/rbdtui/images"


def with_images(at: Bench, names: Iterable[str], version: str = "v1.30.4+rke2r1") -> StepContext:
    """The context with a bundle of just these archives of images, and a program of this version."""
    directory = at.context.site_dir / "-".join(["b", version, *names])
    files = {PROGRAM: program("amd64", version)}
    files |= {name: images("amd64", version) if "-c" not in name else part(name) for name in names}
    return replace(at.context, bundle=open_bundle(write(directory, files)))


def listed(at: Bench) -> list[str]:
    return at.machine().files.listdir(IMAGES_DIR)


async def test_all_archives_of_a_set_are_brought(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        core, canal = "rke2-images-core.linux-amd64.tar.gz", "rke2-images-canal.linux-amd64.tar.gz"
        context = with_images(at, [core, canal])
        changes = (await ShipBundle("node1").pending(context)).changes
        assert [change.kind for change in changes] == [ChangeKind.UPLOAD] * 3
        await carry_out(ShipBundle("node1"), context)
        assert listed(at) == [canal, core]
        assert (await ShipBundle("node1").pending(context)).changes == ()


async def test_lists_of_images_to_pull_go_when_the_archive_comes(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        for name in ("etcd-image.txt", "kube-apiserver-image.txt", "runtime-image.txt", "of-the-operator.txt"):
            at.machine().files.put(f"{IMAGES_DIR}/{name}", "index.docker.io/rancher/x:v1\n")
        told = await carry_out(ShipBundle("node1"), at.context)
        assert any("etcd-image.txt, kube-apiserver-image.txt, runtime-image.txt" in title for title in told)
        assert listed(at) == ["of-the-operator.txt", ARCHIVE]
        assert (await ShipBundle("node1").pending(at.context)).is_done


async def test_our_archives_of_an_earlier_bundle_go_and_those_of_others_are_named(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        old = ARCHIVE.replace(".gz", ".zst")
        await carry_out(ShipBundle("node1"), with_images(at, [ARCHIVE]))
        at.machine().files.put(f"{IMAGES_DIR}/{ARCHIVE}.part", b"half of it")
        at.machine().files.put(f"{IMAGES_DIR}/mine.tar.zst", b"the operator's")
        at.machine().files.put(f"{IMAGES_DIR}/mine.tar.zst.part", b"half of the operator's")
        (at.context.site_dir / "z").mkdir()
        newer = {PROGRAM: program("amd64", "v1.31.0+rke2r1"), old: zstd_images("amd64", "v1.31.0+rke2r1")}
        context = replace(at.context, bundle=open_bundle(write(at.context.site_dir / "z", newer)))
        told = await carry_out(ShipBundle("node1"), context)
        assert any(f"{ARCHIVE}, {ARCHIVE}.part" in title for title in told)
        assert listed(at) == ["mine.tar.zst", "mine.tar.zst.part", old]
        assert [note for note in at.heard.notes if "mine.tar.zst" in str(note)]
        assert not [note for note in at.heard.notes if ARCHIVE in str(note)]
        assert (await ShipBundle("node1").pending(context)).is_done


@pytest.mark.parametrize("note", [b"", b"\xff\xfe\0", b"../../../etc/theirs\n*\n-rf\n\n"])
async def test_a_note_that_says_anything_takes_nothing_else_away(tmp_path: Path, note: bytes) -> None:
    async with bench(tmp_path) as at:
        at.machine().files.put(NOTE, note)
        at.machine().files.put("/var/lib/rancher/etc/theirs", b"the operator's")
        at.machine().files.put(f"{IMAGES_DIR}/mine.tar", b"the operator's")
        await carry_out(ShipBundle("node1"), at.context)
        assert at.machine().files.exists("/var/lib/rancher/etc/theirs")
        assert listed(at) == ["mine.tar", ARCHIVE]
        assert at.file(NOTE) == f"{ARCHIVE}\n"


@pytest.mark.parametrize(
    ("version", "remembers"),
    [("v1.28.15+rke2r1", False), ("v1.29.99+rke2r1", False), ("v1.30.12+rke2r1", False), ("v1.30.13+rke2r1", True),
     ("v1.31.8+rke2r2", False), ("v1.31.9+rke2r1", True), ("v1.32.4+rke2r1", False), ("v1.32.5+rke2r1", True),
     ("v1.33.0+rke2r1", False), ("v1.33.1+rke2r1", True), ("v1.34.0+rke2r1", True), ("v1.36.3-rc1+rke2r1", True)],
)  # fmt: skip
async def test_rke2_is_to_remember_its_imports_where_it_can(tmp_path: Path, version: str, remembers: bool) -> None:
    async with bench(tmp_path) as at:
        context = with_images(at, [ARCHIVE], version)
        await carry_out(ShipBundle("node1"), context)
        assert at.machine().files.exists(MEMORY) == remembers
        if remembers:
            assert at.file(MEMORY) == ""
            at.machine().files.put(MEMORY, b'{"what RKE2 wrote": 1}')
        assert (await ShipBundle("node1").pending(context)).is_done
        await settle(ShipBundle("node1"), context)
        assert not remembers or "RKE2 wrote" in at.file(MEMORY), "the notes of what is still there stay"


async def test_what_rke2_remembers_goes_before_an_archive_changes(tmp_path: Path) -> None:
    """RKE2 tells a changed archive by its size; a try that was cut off must not leave its notes behind."""
    async with bench(tmp_path) as at:
        context = with_images(at, [ARCHIVE], "v1.33.1+rke2r1")
        await carry_out(ShipBundle("node1"), context)
        content = at.machine().files.read(f"{IMAGES_DIR}/{ARCHIVE}")
        at.machine().files.put(f"{IMAGES_DIR}/{ARCHIVE}", content[::-1])
        at.machine().files.put(MEMORY, b'{"what RKE2 wrote": 1}')
        at.fleet.fail_next("node1", "upload-receive", status=1, message="cut off")
        with pytest.raises(RemoteScriptError):
            await settle(ShipBundle("node1"), context)
        assert not at.machine().files.exists(MEMORY)
        await carry_out(ShipBundle("node1"), context)
        assert at.machine().files.read(f"{IMAGES_DIR}/{ARCHIVE}") == content
        assert at.file(MEMORY) == ""


def test_half_an_archive_has_a_name_that_rke2_does_not_import(tmp_path: Path) -> None:
    """Versions from 1.33 on watch the directory and import what appears under a name with one of these endings."""
    imported = (".txt", ".tar", ".tar.lz4", ".tar.bz2", ".tbz", ".tar.gz", ".tgz", ".tar.zst", ".tzst")
    target, digest = tmp_path / ARCHIVE, hashlib.sha256(b"whole").hexdigest()
    state = run("upload-state", str(target), "5", digest, "644")
    assert state.stdout.startswith("part 0 ")
    for payload, status in ((b"wh", 8), (b"wrong", 6), (b"", 7)):
        ended = run("upload-receive", str(target), "0", "5", digest, "644", payload=payload)
        assert ended.returncode == status, ended.stderr
        assert [path.name for path in tmp_path.iterdir() if path.name.endswith(imported)] == []
    run("upload-state", str(target), "5", digest, "644")
    before = tmp_path / f"{ARCHIVE}.part"
    inode = before.stat().st_ino
    ended = run("upload-receive", str(target), "0", "5", digest, "644", payload=b"whole")
    if os.getuid() == 0:
        assert (ended.returncode, target.stat().st_ino) == (0, inode), "renamed, not copied"


def run(name: str, *args: str, payload: bytes = b"") -> subprocess.CompletedProcess[str]:
    """A script of the product, in this machine's shell."""
    command = ["sh", "-c", script(name).file_text().decode(), f"rbdtui/{name}", *args]
    return subprocess.run(command, input=payload.decode(), capture_output=True, text=True, check=False, timeout=30)
