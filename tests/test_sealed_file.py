"""Sealed files: what was written is read again, and nothing else ever is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rbdtui.sealed_file import PIECE_BYTES, SealedFileError, Sealing, file_size_for, read_header, unseal

KEY = bytes(range(32))


def write(path: Path, content: bytes, *, key: bytes = KEY, step: int = 700_000) -> None:
    sealing = Sealing(path, key, len(content), {"what": "test"})
    for start in range(0, len(content), step):
        sealing.write(content[start : start + step])
    sealing.finish()


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_what_was_written_is_read_again_and_lies_nowhere_in_the_clear(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    path = tmp_path / "f"
    write(path, content)
    assert b"".join(unseal(path, KEY)) == content
    assert read_header(path).about == {"what": "test"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size == read_header(path).file_bytes <= file_size_for(size)
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]
    assert size < 64 or content[:64] not in path.read_bytes()


def test_two_files_of_the_same_content_differ(tmp_path: Path) -> None:
    write(tmp_path / "a", b"x" * 1000)
    write(tmp_path / "b", b"x" * 1000)
    assert (tmp_path / "a").read_bytes()[-500:] != (tmp_path / "b").read_bytes()[-500:]


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    write(tmp_path / "f", b"secret")
    with pytest.raises(SealedFileError):
        list(unseal(tmp_path / "f", bytes(32)))


def test_a_file_that_is_not_whole_or_was_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write(path, os.urandom(2 * PIECE_BYTES + 5))
    whole = path.read_bytes()
    head = len(read_header(path).line) + 1
    sealed = PIECE_BYTES + 16
    changed = {
        "cut": whole[:-1],
        "longer": whole + b"x",
        "a bit": whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:],
        "pieces in another order": whole[:head] + whole[head + sealed : head + 2 * sealed]
        + whole[head : head + sealed] + whole[head + 2 * sealed :],
        "its header": whole.replace(b'"what": "test"', b'"what": "tesu"', 1),
        "no header": b"\n" + whole,
        "empty": b"",
    }  # fmt: skip
    for content in changed.values():
        path.write_bytes(content)
        with pytest.raises(SealedFileError):
            list(unseal(path, KEY))


def test_too_few_bytes_leave_nothing(tmp_path: Path) -> None:
    sealing = Sealing(tmp_path / "f", KEY, 10, {})
    sealing.write(b"12345")
    with pytest.raises(SealedFileError):
        sealing.finish()
    sealing.close()
    assert list(tmp_path.iterdir()) == []


def test_the_last_piece_cannot_be_left_out(tmp_path: Path) -> None:
    """Of two pieces the first alone, with a header that fits it, is not taken for the whole."""
    path = tmp_path / "f"
    write(path, os.urandom(PIECE_BYTES + 5))
    header = read_header(path)
    body = path.read_bytes()[len(header.line) + 1 :]
    line = header.line.replace(str(header.size_bytes).encode(), str(PIECE_BYTES).encode())
    path.write_bytes(line + b"\n" + body[: PIECE_BYTES + 16])
    with pytest.raises(SealedFileError):
        list(unseal(path, KEY))
