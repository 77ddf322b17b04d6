"""A bundle made to do harm: things that are no plain files, in every place where one is looked for."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from rbdtui.bundle.scan import RKE2, RKE2_IMAGES, open_bundle
from rbdtui.bundle.verify import verify_bundle
from rbdtui.errors import StepError
from rbdtui.facts.model import NodeFacts, OsRelease
from rbdtui.findings import Finding, Severity
from rbdtui.plain_file import NotPlainError, list_plain, open_plain
from rbdtui.spec.model import ClusterSpec
from tests.bundle.archives import IMAGES_GZ, PROGRAM, deb, good, sums, write

SUMS = "sha256sum-amd64.txt"
SYSTEM = "debian-12-amd64"
SECRET = "TOP SECRET OF THE JUMP HOST"


def spec() -> ClusterSpec:
    return ClusterSpec.model_validate(
        {
            "apiVersion": "rbdtui/v1",
            "name": "a",
            "profile": "kubernetes-only",
            "bundle": "b",
            "nodes": [{"name": "n1", "address": "10.0.0.1", "roles": ["control-plane", "etcd", "gateway"]}],
            "gateway": {"mode": "keepalived", "vip": "10.0.0.100/24", "virtual_router_id": 1},
        }
    )


LACKING = NodeFacts("n1", 0.0, os=OsRelease(id="debian", version_id="12"), arch="amd64", tools=frozenset({"tar"}))


def listening_socket(path: Path) -> None:
    short = Path("/tmp") / f"rbdtui-{os.getpid()}.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(short))
        shutil.move(short, path)


ODD: dict[str, Callable[[Path], None]] = {
    "a link to a secret": lambda path: path.symlink_to("/etc/hostname"),
    "a link to nothing": lambda path: path.symlink_to("/nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to zeros without end": lambda path: path.symlink_to("/dev/zero"),
    "a link into the bundle": lambda path: path.symlink_to("good.deb"),
    "a pipe": os.mkfifo,
    "a socket": listening_socket,
    "a directory": os.mkdir,
}  # fmt: skip


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A good bundle with packages and their list."""
    directory = write(tmp_path / "bundle", good())
    packages = directory / "packages" / SYSTEM
    packages.mkdir(parents=True)
    (packages / "keepalived.deb").write_bytes(deb())
    (packages / "sha256sum.txt").write_text(sums({"keepalived.deb": deb()}))
    assert errors(directory) == []
    return directory


def findings(directory: Path) -> list[Finding]:
    found = verify_bundle(open_bundle(directory), spec(), [LACKING])
    for finding in found:
        assert "{" not in str(finding.message) + str(finding.remedy)
    return found


def errors(directory: Path) -> list[str]:
    return [finding.code for finding in findings(directory) if finding.severity is Severity.ERROR]


def replaced(path: Path, make: Callable[[Path], None]) -> Path:
    path.unlink()
    make(path)
    return path


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", [PROGRAM, IMAGES_GZ])
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_archive_that_is_no_plain_file(bundle: Path, odd: Callable[[Path], None], name: str) -> None:
    replaced(bundle / name, odd)
    assert errors(bundle) == ["RBD-BUNDLE-011"]
    (finding,) = (each for each in findings(bundle) if each.severity is Severity.ERROR)
    assert name in str(finding.message)
    with pytest.raises(StepError) as caught:
        open_bundle(bundle).file(RKE2 if name == PROGRAM else RKE2_IMAGES, "amd64")
    assert caught.value.code == "bundle_not_plain"
    assert name in str(caught.value)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_list_of_digests_that_is_no_plain_file(bundle: Path, odd: Callable[[Path], None]) -> None:
    replaced(bundle / SUMS, odd)
    assert errors(bundle) == ["RBD-BUNDLE-012"]
    with pytest.raises(StepError) as caught:
        open_bundle(bundle).images(spec(), "amd64")
    assert caught.value.code == "bundle_bad_list"
    assert SUMS in str(caught.value)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_what_is_no_plain_file_is_not_taken_for_the_program(bundle: Path, odd: Callable[[Path], None]) -> None:
    (bundle / PROGRAM).unlink()
    odd(bundle / "x.tgz")
    assert errors(bundle) == ["RBD-BUNDLE-001"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_package_that_is_no_plain_file(bundle: Path, odd: Callable[[Path], None]) -> None:
    directory = bundle / "packages" / SYSTEM
    (directory / "good.deb").write_bytes(deb())
    (directory / "sha256sum.txt").unlink()
    odd(directory / "z.deb")
    assert errors(bundle) == ["RBD-BUNDLE-011"]
    with pytest.raises(StepError) as caught:
        open_bundle(bundle).packages("debian", "12", "amd64")
    assert caught.value.code == "bundle_not_plain"
    assert "z.deb" in str(caught.value)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("odd", [ODD["a link to a secret"], ODD["a pipe"], ODD["a link to zeros without end"]])
@pytest.mark.parametrize("place", ["packages", f"packages/{SYSTEM}"])
def test_directories_that_are_none(bundle: Path, place: str, odd: Callable[[Path], None]) -> None:
    shutil.rmtree(bundle / place)
    odd(bundle / place)
    assert errors(bundle) == ["RBD-BUNDLE-014"]
    with pytest.raises(StepError):
        open_bundle(bundle).packages("debian", "12", "amd64")


@pytest.mark.parametrize("place", ["packages", f"packages/{SYSTEM}"])
def test_a_linked_directory_is_not_gone_through(bundle: Path, tmp_path: Path, place: str) -> None:
    shutil.move(bundle / place, tmp_path / "elsewhere")
    (bundle / place).symlink_to(tmp_path / "elsewhere")
    assert errors(bundle) == ["RBD-BUNDLE-014"]
    with pytest.raises(StepError) as caught:
        open_bundle(bundle).packages("debian", "12", "amd64")
    assert caught.value.code == "bundle_not_plain"


def test_the_bundle_itself_may_be_a_link(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(bundle)
    assert errors(tmp_path / "link") == []


@pytest.mark.parametrize(
    "content", [b"", b"-----BEGIN OPENSSH PRIVATE KEY-----\n", b"!<arch>\n", b"\xed\xab\xee\xdb", b"\x1f\x8b"]
)
def test_a_package_that_is_none_is_not_taken(bundle: Path, content: bytes) -> None:
    directory = bundle / "packages" / SYSTEM
    (directory / "keepalived.deb").write_bytes(content)
    (directory / "sha256sum.txt").write_text(sums({"keepalived.deb": content}))
    assert errors(bundle) == ["RBD-BUNDLE-003"]
    with pytest.raises(StepError) as caught:
        open_bundle(bundle).packages("debian", "12", "amd64")
    assert caught.value.code == "bundle_damaged"


@pytest.mark.parametrize("name", [PROGRAM, IMAGES_GZ])
def test_an_archive_is_one_though_its_digest_is_listed(bundle: Path, name: str) -> None:
    files = {**good(), name: SECRET.encode()}
    write(bundle, files)
    assert errors(bundle) == ["RBD-BUNDLE-003"]


@pytest.mark.parametrize(
    ("listed", "codes"),
    [
        ({"keepalived.deb": deb()}, []),
        ({"./x/keepalived.deb": deb()}, []),
        ({"keepalived.deb": deb("another")}, ["RBD-BUNDLE-006"]),
        ({"other.deb": deb()}, ["RBD-BUNDLE-013", "RBD-BUNDLE-001"]),
        ({"keepalived.deb": deb(), "libnl.deb": deb()}, ["RBD-BUNDLE-001"]),
        ({}, ["RBD-BUNDLE-013"]),
    ],
)
@pytest.mark.parametrize("name", ["sha256sum.txt", "SHA256SUMS", "sha256sum-amd64.txt"])
def test_packages_are_held_to_the_list_beside_them(
    bundle: Path, name: str, listed: dict[str, bytes], codes: list[str]
) -> None:
    directory = bundle / "packages" / SYSTEM
    (directory / "sha256sum.txt").unlink()
    (directory / name).write_text(sums(listed))
    assert errors(bundle) == codes
    if set(codes) - {"RBD-BUNDLE-001"}:
        with pytest.raises(StepError):
            open_bundle(bundle).packages("debian", "12", "amd64")


def test_packages_without_a_list_are_named(bundle: Path) -> None:
    (bundle / "packages" / SYSTEM / "sha256sum.txt").unlink()
    warnings = [finding for finding in findings(bundle) if finding.severity is Severity.WARNING]
    assert [finding.code for finding in warnings] == ["RBD-BUNDLE-015"]
    assert "keepalived.deb" in warnings[0].evidence


@pytest.mark.timeout(20)
@pytest.mark.parametrize("place", [SUMS, f"packages/{SYSTEM}/sha256sum.txt"])
@pytest.mark.parametrize(
    ("content", "is_used"),
    [
        (b"0" * (1 << 20) + b"\n", False),
        (b"\n" * (3 << 20), False),
        (b" " * (1 << 19) + b"/" * (1 << 19), True),
        (b"f" * 64 + b" " * (1 << 19) + b"/" * (1 << 18), True),
        (b"\xff" * 1000, True),
    ],
)
def test_a_list_of_digests_is_a_few_lines(bundle: Path, place: str, content: bytes, is_used: bool) -> None:
    (bundle / place).write_bytes(content)
    codes = {"RBD-BUNDLE-012", "RBD-BUNDLE-014"} & set(errors(bundle))
    assert bool(codes) != is_used


def hole(head: bytes) -> Callable[[Path], None]:
    """A file that says it is a TiB long."""

    def make(path: Path) -> None:
        path.write_bytes(head)
        os.truncate(path, 1 << 40)

    return make


@pytest.mark.timeout(30)
@pytest.mark.parametrize("head", [b"", b"\x1f\x8b\x08", deb(), b"x" * 257 + b"ustar"])
@pytest.mark.parametrize("name", [PROGRAM, IMAGES_GZ, f"packages/{SYSTEM}/keepalived.deb"])
def test_a_file_of_any_size_is_not_read_for_hours(bundle: Path, name: str, head: bytes) -> None:
    replaced(bundle / name, hole(head))
    assert errors(bundle) == ["RBD-BUNDLE-003"]


@pytest.mark.timeout(60)
def test_thousands_of_files_are_not_looked_into(bundle: Path, tmp_path: Path) -> None:
    (bundle / PROGRAM).rename(bundle / "rke2-of-somebody.tgz")
    for number in range(3000):
        (bundle / f"{number}.tgz").write_bytes(b"\x1f\x8b\x08 no archive")
        (bundle / "packages" / SYSTEM / f"{number}.deb").write_bytes(deb(str(number)))
    looked = open_bundle(bundle, cache_file=tmp_path / "cache.json")
    assert looked.file(RKE2, "amd64").path.name == "rke2-of-somebody.tgz"
    assert looked.rke2_version("amd64") is not None
    assert len(verify_bundle(looked, spec(), [LACKING])) > 3000, "each package that the list does not name"


# --- the way in ---


def test_only_plain_files_below_the_directory_are_opened(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("here")
    (tmp_path / "secret").write_text(SECRET)
    with open_plain(tmp_path / "a" / "b" / "file", tmp_path) as file:
        assert file.read() == b"here"
    (tmp_path / "link").symlink_to("a")
    for path in (tmp_path / "link" / "b" / "file", tmp_path / "a" / ".." / "secret", tmp_path):
        with pytest.raises(NotPlainError):
            open_plain(path, tmp_path)
    with open_plain(tmp_path / "link" / "b" / "file", tmp_path / "link") as file:
        assert file.read() == b"here"
    assert list_plain(tmp_path / "a" / "b", tmp_path) == ["file"]
    with pytest.raises(FileNotFoundError):
        open_plain(tmp_path / "a" / "none", tmp_path)
    with pytest.raises(NotPlainError):
        open_plain(tmp_path / "secret" / "x", tmp_path)
    with pytest.raises(ValueError, match="subpath"):
        open_plain(tmp_path / "secret", tmp_path / "a")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_nothing_else_is_opened_and_no_descriptor_is_left(tmp_path: Path, odd: Callable[[Path], None]) -> None:
    odd(tmp_path / "odd")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(NotPlainError) as caught:
        open_plain(tmp_path / "odd")
    assert caught.value.filename == str(tmp_path / "odd")
    assert caught.value.strerror
    assert len(os.listdir("/proc/self/fd")) == before
