"""What a process must not load: seen at run time, where a lazy import would hide from static analysis."""

from __future__ import annotations

import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Neither at the top, nor within functions, nor for types alone: each can be read without those above it."""
    graph = grimp.build_graph("rbdtui", "screens")
    TopologicalSorter({name: graph.find_modules_directly_imported_by(name) for name in graph.modules}).prepare()


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


WRITERS = {
    "rbdtui/cli/output.py": {"click.echo", "click.style"},
    "rbdtui/__main__.py": {"print"},
    "rbdtui/simulator/__main__.py": {"sys.stdout.write", "sys.stderr.write"},
    "rbdtui/simulator/helm/command_line.py": {"sys.stderr.write"},
    "rbdtui/simulator/helm/reading.py": {"sys.stdout.write"},
    "rbdtui/spec/schema.py": {"sys.stdout.write"},
}
"""Who may write past everybody else, and how: the first cleans all that it writes, the others have only our words."""
WRITES = re.compile(r"\b(click\.(?:echo|secho|style|echo_via_pager)|(?<!\.)print|Console|sys\.std(?:out|err)\.write)\(")


def test_nothing_is_written_to_a_terminal_but_by_those_who_clean_it() -> None:
    root = Path(__file__).resolve().parent.parent
    files = [*(root / "rbdtui").rglob("*.py"), *(root / "screens").rglob("*.py")]
    writing = {str(file.relative_to(root)): set(WRITES.findall(file.read_text(encoding="utf-8"))) for file in files}
    assert {name: found for name, found in writing.items() if found} == WRITERS
