"""What a process must not load: seen at run time, where a lazy import would hide from static analysis."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("textual", "screens", "rich", "kubernetes", "pymysql")


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("rbdtui.engine.runner", HEAVY),
        ("rbdtui.engine.client", (*HEAVY, "asyncssh")),
        ("rbdtui.cli.app", ("textual", "screens", "kubernetes", "pymysql")),
        ("rbdtui.words", (*HEAVY, "asyncssh", "pydantic", "yaml")),
        ("screens.launch", ("textual", "rich", "asyncssh", "pydantic", "yaml")),
        ("screens.app", ("asyncssh", "kubernetes", "pydantic", "pymysql", "rbdtui.checks", "rbdtui.spec", "yaml")),
    ],
)
def test_a_process_loads_only_what_it_needs(module: str, forbidden: tuple[str, ...]) -> None:
    program = f"import sys, {module}; print(*sorted(m for m in {forbidden!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
