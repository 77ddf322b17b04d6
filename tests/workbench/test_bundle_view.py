"""The bundle's releases for the screen: read in the background, and told also when nothing can be read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rbdtui.site import Site
from rbdtui.workbench.background import BackgroundLoop
from rbdtui.workbench.live import bundle_view
from rbdtui.workbench.live.bundle_view import BundleLook, BundleView
from tests.bundle import rainbond
from tests.bundle.archives import write
from tests.bundle.test_rainbond import OWN, SPEC, V6, V6_9
from tests.rainbond.plans import release
from tests.waiting import until


@pytest.fixture
def view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BundleView]:
    monkeypatch.setattr(bundle_view, "DEBOUNCE_S", 0.0)
    background = BackgroundLoop()
    site = Site.create(tmp_path / "site")
    view = BundleView(site.path, site.bundle_hashes_file, background, lambda: None)
    yield view
    view.close()
    background.close()


async def looked(view: BundleView, directory: str, *, again: bool = False) -> BundleLook:
    view.follow(directory, again=again)
    await until(lambda: not view.look.reading)
    return view.look


async def test_releases_are_read_and_read_again_when_the_disk_was_changed(view: BundleView, tmp_path: Path) -> None:
    directory = tmp_path / "bundle"
    write(directory, dict(rainbond.files(SPEC, release(V6), own=OWN)))
    assert await looked(view, str(directory)) == BundleLook(str(directory), releases=(V6,))
    for name, content in rainbond.files(SPEC, release(V6_9), own=OWN).items():
        (directory / f"rainbond-next-{name.removeprefix('rainbond-')}").write_bytes(content)
    view.follow(str(directory))
    assert view.look.releases == (V6,), "nothing is read without a reason"
    assert (await looked(view, str(directory), again=True)).releases == (V6, V6_9)


async def test_what_is_no_bundle_is_said(view: BundleView, tmp_path: Path) -> None:
    assert (await looked(view, str(tmp_path / "nowhere"))).unreadable is not None
    (tmp_path / "empty").mkdir()
    assert await looked(view, str(tmp_path / "empty")) == BundleLook(str(tmp_path / "empty"))


async def test_a_disk_that_hangs_keeps_nobody_waiting(
    view: BundleView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = tmp_path / "hanging"
    hanging.mkdir()
    begun, over = threading.Event(), threading.Event()

    def hang(directory: Path, **_: object) -> None:
        assert directory == hanging
        begun.set()
        over.wait()
        raise RuntimeError

    monkeypatch.setattr(bundle_view, "open_bundle", hang)
    view.follow(str(hanging))
    view.follow(str(hanging), again=True)
    assert view.look == BundleLook(str(hanging), reading=True)
    assert await asyncio.to_thread(begun.wait, 30)
    monkeypatch.undo()
    assert (await looked(view, "elsewhere")).unreadable is not None
    over.set()
