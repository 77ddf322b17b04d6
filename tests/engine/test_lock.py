"""One run of a site at a time, and what looking at it costs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rbdtui.engine.lock import SiteLockedError, hold_site, holder_of
from rbdtui.site import Site

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_holder_is_named_to_everybody_else(site: Site) -> None:
    assert holder_of(site) is None
    with hold_site(site, "run-1"):
        holder = holder_of(site)
        assert holder is not None
        assert (holder.run, holder.pid) == ("run-1", os.getpid())
        with pytest.raises(SiteLockedError, match="run-1"), hold_site(site, "run-2"):
            pass
        assert (site.path / "run.lock").stat().st_mode & 0o777 == 0o600
    assert holder_of(site) is None
    with hold_site(site, "run-2"):
        pass


def test_looking_whether_a_run_is_active_keeps_nobody_from_starting(site: Site) -> None:
    """Clients look by trying the lock for a moment; a start beside them must still succeed."""
    program = (
        "import sys; from pathlib import Path; from rbdtui.site import Site; from rbdtui.engine.lock import holder_of\n"
        "print('looking', flush=True)\n"
        "while True: holder_of(Site(Path(sys.argv[1])))\n"
    )
    (site.path / "run.lock").touch()
    lookers = [
        subprocess.Popen([sys.executable, "-c", program, str(site.path)], stdout=subprocess.PIPE, cwd=ROOT)
        for _ in range(2)
    ]
    try:
        for looker in lookers:
            assert looker.stdout is not None
            assert looker.stdout.readline() == b"looking\n"
        for _ in range(30):
            with hold_site(site, "r"):
                pass
            time.sleep(0.01)
    finally:
        for looker in lookers:
            looker.kill()
            looker.communicate()


@pytest.mark.parametrize("module", ["rbdtui.engine.runner", "rbdtui.engine.assembly", "rbdtui.engine.client"])
def test_a_runner_loads_only_what_it_needs(module: str) -> None:
    heavy = ("textual", "rich", "kubernetes", "screens", "click")
    program = f"import sys, {module}; print(*[name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
