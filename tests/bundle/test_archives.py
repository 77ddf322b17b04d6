"""What is really inside an archive."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbdtui.bundle.archives import Compression, Contents, compression_of, look_into
from tests.bundle.archives import VERSION, images, program, tar_gz, zstd


def looked_into(tmp_path: Path, content: bytes) -> Contents:
    file = tmp_path / "archive"
    file.write_bytes(content)
    return look_into(file)


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_a_program_tells_its_architecture_and_version(tmp_path: Path, arch: str) -> None:
    seen = looked_into(tmp_path, program(arch))
    assert seen == Contents(Compression.GZIP, is_whole=True, arch=arch, version=VERSION, has_program=True)


def test_images_tell_theirs(tmp_path: Path) -> None:
    assert looked_into(tmp_path, images("arm64")) == Contents(Compression.GZIP, True, "arm64", VERSION)


def test_an_unknown_machine_is_named_by_its_number(tmp_path: Path) -> None:
    assert looked_into(tmp_path, program("s390x")).arch == "elf-22"


def test_a_version_across_two_reads_is_found(tmp_path: Path) -> None:
    elf = b"\x7fELF\x02\x01\x01" + bytes(57)
    padding = bytes((1 << 20) - 8)
    assert looked_into(tmp_path, tar_gz({"bin/rke2": elf + padding + VERSION.encode() + padding})).version == VERSION


@pytest.mark.parametrize("checksum", [True, False])
def test_a_whole_zstd_file(tmp_path: Path, checksum: bool) -> None:
    assert looked_into(tmp_path, zstd(checksum=checksum)) == Contents(Compression.ZSTD, is_whole=True)
    assert looked_into(tmp_path, zstd() + b"\x50\x2a\x4d\x18\x04\0\0\0skip" + zstd()).is_whole, "several frames"


GZIP, ZSTD = program("amd64"), zstd()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_file_that_is_cut_off_anywhere_is_not_whole(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = data.draw(st.sampled_from([GZIP, ZSTD]))
    length = data.draw(st.integers(0, len(whole) - 1) | st.integers(len(whole) - 12, len(whole) - 1))
    assert not looked_into(tmp_path_factory.mktemp("cut"), whole[:length]).is_whole


def test_a_flipped_byte_in_a_gzip_file_is_noticed(tmp_path: Path) -> None:
    damaged = bytearray(GZIP)
    damaged[len(damaged) // 2] ^= 0xFF
    assert not looked_into(tmp_path, bytes(damaged)).is_whole


@pytest.mark.parametrize("content", [b"", b"x", b"PK\x03\x04 a zip", b"\x1f\x8b", b"\x1f\x8b\x08\x00junk" * 10])
def test_what_is_no_archive(tmp_path: Path, content: bytes) -> None:
    assert not looked_into(tmp_path, content).is_whole


def test_an_archive_of_somebody_else_holds_no_program(tmp_path: Path) -> None:
    seen = looked_into(tmp_path, tar_gz({"README": b"hello", "broken.json": b"{"}))
    assert (seen.is_whole, seen.has_program, seen.arch, seen.version) == (True, False, "", "")


def test_compression_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(ZSTD)
    assert compression_of(tmp_path / "a.tar.gz") is Compression.ZSTD
