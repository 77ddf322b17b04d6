"""What is really inside an archive, whatever somebody put there."""

from __future__ import annotations

import hashlib
import io
import json
import random
import subprocess
import sys
import tarfile
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbdtui.bundle.archives import HEAD_BYTES, Contents, Format, format_of, look_into
from tests.bundle.archives import (
    VERSION,
    crane_image_files,
    deb,
    gz,
    image_files,
    oci_image_files,
    program,
    program_files,
    rpm,
    runtime_tag,
    tar,
    tar_gz,
    zst,
    zstd_images,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

RELEASE_CANDIDATE = "v1.36.3-rc2+rke2r1"


def looked_into(content: bytes) -> Contents:
    return look_into(io.BytesIO(content), format_of(content[:HEAD_BYTES]), len(content))


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
@pytest.mark.parametrize("version", [VERSION, RELEASE_CANDIDATE])
def test_a_program_tells_its_architecture_and_version(arch: str, version: str) -> None:
    assert looked_into(program(arch, version)) == Contents(True, arch=arch, version=version, has_program=True)


@pytest.mark.parametrize("pack", [gz, zst, bytes], ids=["gz", "zst", "not packed"])
@pytest.mark.parametrize("layout", [image_files, oci_image_files, crane_image_files])
@pytest.mark.parametrize("version", [VERSION, RELEASE_CANDIDATE])
def test_images_tell_theirs_in_every_layout_and_form(
    pack: Callable[[bytes], bytes], layout: Callable[[str, str], Mapping[str, bytes]], version: str
) -> None:
    packed = pack(tar(layout("arm64", runtime_tag(version))))
    seen = looked_into(packed)
    assert replace(seen, images=()) == Contents(True, arch="arm64", version=version)
    [image] = seen.images
    assert (image.name, image.arch) == (runtime_tag(version), "arm64")
    # What containerd calls the image's id is the digest of its configuration, whatever that is called in here.
    [configuration] = [text for text in layout("arm64", runtime_tag(version)).values() if b'"arm64"' in text]
    assert image.digest == f"sha256:{hashlib.sha256(configuration).hexdigest()}"


def test_an_unknown_machine_is_named_by_its_number() -> None:
    assert looked_into(program("s390x")).arch == "elf-22"


@pytest.mark.parametrize("before", [(1 << 20) - 8, (1 << 20) - 64, (1 << 20) - 96, 0, 3])
def test_a_version_across_two_reads_is_found(before: int) -> None:
    elf = b"\x7fELF\x02\x01\x01" + bytes(57)
    for after in (bytes(1 << 20), b"", b"x"):
        content = elf + bytes(before) + RELEASE_CANDIDATE.encode() + after
        assert looked_into(tar_gz({"bin/rke2": content})).version == RELEASE_CANDIDATE


def test_several_frames_and_what_zstd_skips_are_one_file() -> None:
    content = tar(image_files("amd64", runtime_tag()))
    skipped = b"\x50\x2a\x4d\x18\x04\0\0\0skip"
    packed = skipped + zst(content[:1000]) + skipped + zst(content[1000:]) + skipped
    for packed in (packed, gz(content[:1000]) + gz(content[1000:])):  # noqa: B020
        assert replace(looked_into(packed), images=()) == Contents(True, arch="amd64", version=VERSION)


GZIP, ZSTD, TAR = program("amd64"), zstd_images(), tar(program_files("amd64"))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_file_that_is_cut_off_anywhere_is_not_whole(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([GZIP, ZSTD, TAR.rstrip(b"\0") + bytes(512)]))
    length = data.draw(st.integers(0, len(whole) - 1) | st.integers(len(whole) - 12, len(whole) - 1))
    assert not looked_into(whole[:length]).is_whole


@pytest.mark.parametrize("whole", [GZIP, ZSTD], ids=["gz", "zst"])
def test_a_flipped_byte_is_noticed(whole: bytes) -> None:
    damaged = bytearray(whole)
    damaged[len(damaged) // 2] ^= 0xFF
    assert not looked_into(bytes(damaged)).is_whole


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"PK\x03\x04 a zip", b"\x1f\x8b", b"\x1f\x8b\x08\x00junk" * 10, gz(b"text"), zst(b"text" * 99)],
)
def test_what_is_no_archive(content: bytes) -> None:
    seen = looked_into(content)
    assert not seen.is_whole
    assert seen.trouble


def test_an_archive_of_somebody_else_holds_no_program() -> None:
    seen = looked_into(tar_gz({"README": b"hello", "broken.json": b"{", "list.json": b"[1]", "number": b"3"}))
    assert seen == Contents(True)


@pytest.mark.parametrize(
    ("content", "form"),
    [(GZIP, Format.GZIP), (ZSTD, Format.ZSTD), (TAR, Format.TAR), (deb(), Format.DEB), (rpm(), Format.RPM),
     (b"!<arch>\nnot-debian", Format.OTHER), (b"", Format.OTHER), (b"-----BEGIN OPENSSH PRIVATE KEY", Format.OTHER)],
)  # fmt: skip
def test_a_format_is_told_by_content(content: bytes, form: Format) -> None:
    assert format_of(content[:HEAD_BYTES]) is form


# --- archives made to do harm ---


def header(kind: bytes, size: int, name: str = "x") -> bytes:
    """A member's header that says of itself what one likes."""
    info = tarfile.TarInfo(name)
    info.type = kind
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = b"%011o\0" % size if 0 <= size < 8**11 else bytes([0x80]) + size.to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(records: bytes) -> bytes:
    return header(b"x", len(records)) + records + bytes(-len(records) % 512)


MEMBER = header(b"0", 0)
END = bytes(1024)
HARMFUL = {
    "a long name of 3 GiB": gz(header(b"L", 3 << 30) + bytes(1 << 20)),
    "PAX records of 3 GiB": gz(header(b"x", 3 << 30) + bytes(1 << 20)),
    "global PAX records of 3 GiB": gz(header(b"g", 3 << 30) + bytes(1 << 20)),
    "a size that is no number": gz(pax(b"12 size=zz\n") + MEMBER + END),
    "a size of twenty digits": gz(pax(b"31 size=99999999999999999999\n\n\n") + MEMBER + END),
    "a negative size": gz(header(b"0", 0)[:124] + b"\xff" * 12 + header(b"0", 0)[136:] + END),
    "a size of half the world": gz(header(b"0", 1 << 61)),
    "a record longer than all": gz(pax(b"99999 path=x\n") + MEMBER + END),
    "a record of no length": gz(pax(b"0 path=x\n") + MEMBER + END),
    "records without end": gz(pax(b"\n" * 900) + MEMBER + END),
    "a file with holes": gz(header(b"S", 0) + END),
    "no end": gz(MEMBER),
    "zeros for ever": gz(bytes(300 << 20)),
}  # fmt: skip
HARMLESS = {
    "a map of holes that is none": gz(pax(b"24 GNU.sparse.map=1,zz,\n") + MEMBER + END),
    "JSON in JSON": tar_gz({"manifest.json": b"[" * 400_000}),
    "images that are numbers": tar_gz({"manifest.json": b"[5]"}),
    "tags that are a number": tar_gz({"manifest.json": json.dumps([{"RepoTags": 5}]).encode()}),
    "tags that are numbers": tar_gz({"manifest.json": json.dumps([{"RepoTags": [5, None, {}]}]).encode()}),
    "a number of 400 000 digits": tar_gz({"manifest.json": b"[" + b"9" * 400_000 + b"]"}),
    "an architecture of 400 000 letters": tar_gz({"a.json": json.dumps({"architecture": "x" * 400_000}).encode()}),
    "an architecture with escapes": tar_gz({"a.json": json.dumps({"architecture": "\x1b[2J"}).encode()}),
}  # fmt: skip


@pytest.mark.parametrize("content", HARMFUL.values(), ids=HARMFUL)
def test_what_was_made_to_do_harm_is_not_whole(content: bytes) -> None:
    began = time.monotonic()
    seen = looked_into(content)
    assert not seen.is_whole
    assert seen.trouble
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("content", HARMLESS.values(), ids=HARMLESS)
def test_what_was_made_to_do_harm_and_does_none_tells_nothing(content: bytes) -> None:
    assert looked_into(content) == Contents(True)


def many_members() -> bytes:
    return gz(MEMBER * 150_000 + END)


def many_names() -> bytes:
    name = header(b"L", 1 << 20) + bytes(1 << 20)
    return gz((name + MEMBER) * 40 + END)


def many_frames() -> bytes:
    return gz(b"") * 100_000


def a_long_gzip_name() -> bytes:
    return b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * (40 << 20)


def a_bomb() -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    head = packer.compress(header(b"0", 8 << 30))
    return head + b"".join(packer.compress(bytes(1 << 24)) for _ in range(20)) + packer.flush()


def a_zstd_bomb() -> bytes:
    packer = zstd.ZstdCompressor()
    return b"".join(packer.compress(bytes(1 << 24)) for _ in range(20)) + packer.flush()


def a_wide_window() -> bytes:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 27}
    packer = zstd.ZstdCompressor(options=options)
    return packer.compress(random.Random(1).randbytes(1 << 20)) + packer.flush()


def as_rke2_packs() -> bytes:
    """RKE2's releases: ``zstd --long=25``, more in them than the window holds."""
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: 25,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
        zstd.CompressionParameter.compression_level: 1,
    }
    layer = random.Random(1).randbytes(1 << 20)
    files = {"layer.tar": layer * 40, **image_files("amd64", runtime_tag())}
    packer = zstd.ZstdCompressor(options=options)
    return packer.compress(tar(files)) + packer.flush()


def wide_json() -> bytes:
    return tar_gz({f"{number}.json": b"[" + b"[]," * 170_000 + b"0]" for number in range(12)})


BOMBS = (
    many_members,
    many_names,
    many_frames,
    a_long_gzip_name,
    a_bomb,
    a_zstd_bomb,
    a_wide_window,
    wide_json,
    as_rke2_packs,
)
CHILD = """
import io, resource, sys, time
from pathlib import Path
from rbdtui.bundle.archives import HEAD_BYTES, format_of, look_into
path = Path(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.monotonic()
with path.open("rb", buffering=0) as file:
    form = format_of(file.read(HEAD_BYTES))
    file.seek(0)
    seen = look_into(file, form, path.stat().st_size)
print(seen.is_whole, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, time.monotonic() - began)
"""


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_archive_takes_much_memory_or_time(tmp_path: Path, bomb: Callable[[], bytes]) -> None:
    file = tmp_path / "bomb"
    file.write_bytes(bomb())
    answer = subprocess.run(
        [sys.executable, "-c", CHILD, file], capture_output=True, text=True, check=True, timeout=100
    )
    whole, memory_kib, took_s = answer.stdout.split()
    assert int(memory_kib) < 64 * 1024
    assert float(took_s) < 30
    assert (whole == "True") == (bomb in (wide_json, as_rke2_packs))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_nothing_that_an_archive_may_hold_is_a_defect(data: st.DataObject) -> None:
    content = bytearray(tar(image_files("amd64", runtime_tag())) if data.draw(st.booleans()) else TAR)
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(content) - 1) | st.integers(0, 1500))
        content[place] = data.draw(st.integers(0, 255))
    packs: tuple[Callable[[bytes], bytes], ...] = (gz, zst, bytes)
    seen = looked_into(data.draw(st.sampled_from(packs))(bytes(content)))
    assert not seen.trouble.partition(":")[0].endswith("Error"), seen.trouble
