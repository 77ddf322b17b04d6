"""What goes to a host is a plain file of the bundle, also when it became something else since it was looked at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rbdtui.plan.resources.base import Target
from rbdtui.plan.resources.uploads import UploadedFiles
from rbdtui.transport.base import SourceError
from tests.plan.support import bench

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
        with pytest.raises(SourceError) as caught:
            await UploadedFiles({PLACE: file}).settle(Target.of(at.context, "node1"))
        assert "file" in str(caught.value)
        files = at.machine().files
        assert not [name for name in (PLACE, f"{PLACE}.part") if files.exists(name) and SECRET in files.read(name)]
