"""Files of this machine are looked at away from the screen: a change of the draft touches none."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rbdtui.findings import Finding
from rbdtui.site import Site
from rbdtui.spec import references
from rbdtui.spec.references import LocalFile
from rbdtui.workbench.draft import local_files
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.workbench import Workbench
from tests.screens.journals import spec_text
from tests.waiting import until

_WATCHING: list[tuple[int, list[str]]] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    for thread, seen in _WATCHING:
        if threading.get_ident() == thread and event in {"open", "os.scandir", "os.listdir", "socket.connect"}:
            seen.append(f"{event} {arguments[0]!r}")


sys.addaudithook(_hook)


@contextmanager
def touched() -> Iterator[list[str]]:
    """What this thread opens, lists or connects to in the block."""
    watch: tuple[int, list[str]] = (threading.get_ident(), [])
    _WATCHING.append(watch)
    try:
        yield watch[1]
    finally:
        _WATCHING.remove(watch)


@pytest.fixture
def workbench(tmp_path: Path) -> Iterator[Workbench]:
    site = Site.create(tmp_path / "site")
    site.spec_file.write_text(spec_text(3), encoding="utf-8")
    opened = Workbench.open(site.path, HeldPassphrase(), ask_servers=False)
    yield opened
    opened.close()


def codes(workbench: Workbench) -> list[str]:
    return [finding.code for finding in workbench.draft.findings if finding.code.startswith("RBD-LOCAL")]


async def test_a_change_touches_no_file_and_its_finding_comes_soon(workbench: Workbench, tmp_path: Path) -> None:
    before = codes(workbench)
    with touched() as seen:
        workbench.change(lambda data: data.update(bundle=str(tmp_path / "none")))
        workbench.change(lambda data: data.update(ssh={"user": "root", "key": str(tmp_path / "id")}))
        now = codes(workbench)
    with touched() as control:
        workbench.site.spec_file.read_bytes()
    assert (seen, len(control)) == ([], 1)
    assert set(now) <= set(before)
    await until(lambda: {"RBD-LOCAL-001", "RBD-LOCAL-005"} <= set(codes(workbench)))
    (tmp_path / "none").mkdir()
    workbench.change(lambda data: data.update(name="site-b"))
    await until(lambda: "RBD-LOCAL-005" not in codes(workbench))
    assert "RBD-LOCAL-001" in codes(workbench)


async def test_a_mount_that_hangs_holds_nobody_up(
    workbench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, looks, real = threading.Event(), list[str](), references.look_at_local

    def look(file: LocalFile, site_dir: Path) -> list[Finding]:
        looks.append(file[1])
        if file[1] == "/hangs":
            free.wait(30)
        return real(file, site_dir)

    monkeypatch.setattr(local_files, "look_at_local", look)
    workbench.change(lambda data: data.update(bundle="/hangs"))
    await until(lambda: "/hangs" in looks)
    for _ in range(3):
        workbench.change(lambda data: data.update(name=f"site-{len(looks)}"))
        workbench.change(lambda data: data.update(ssh={"user": "root", "key": str(tmp_path / "id")}))
    await until(lambda: "RBD-LOCAL-001" in codes(workbench))
    assert looks.count("/hangs") == 1
    free.set()
    await until(lambda: "RBD-LOCAL-005" in codes(workbench))
