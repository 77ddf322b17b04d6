"""Where words lead in the picture of a run."""

from __future__ import annotations

import pytest

from rbdtui.engine.state import RunState
from rbdtui.workbench.run.matrix import Matrix
from tests.screens.journals import Story


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return Matrix.of(RunState.of(Story(12).records(1.0)))


@pytest.mark.parametrize(
    ("wanted", "row", "node"),
    [
        ("node2", "claim", "node2"),
        ("NODE12", "claim", "node12"),
        ("2", "claim", "node2"),
        ("agent", "rke2-agent", "node1"),
        ("unpack RKE2", "rke2-unpack", "node1"),
        ("node3 proof", "cluster-proof", "node3"),
        ("hosts node4", "hosts-file", "node4"),
    ],
)
def test_words_lead_to_a_cell(matrix: Matrix, wanted: str, row: str, node: str) -> None:
    found = matrix.find(wanted, 0, "node1")
    assert found is not None
    assert (matrix.rows[found[0]].name, found[1]) == (row, node)


@pytest.mark.parametrize("wanted", ["node99", "node1 nothing", "\x00"])
def test_words_that_are_nowhere_lead_nowhere(matrix: Matrix, wanted: str) -> None:
    assert matrix.find(wanted, 3, "node1") is None
