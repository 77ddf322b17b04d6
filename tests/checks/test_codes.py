"""Every code that a check can give is provoked by some test."""

from __future__ import annotations

import re
from pathlib import Path

from tests.checks import test_jump_host, test_network, test_preflight
from tests.checks.test_cluster_checks import CASES as CLUSTER_CASES
from tests.checks.test_node_checks import CASES as NODE_CASES

CODE = re.compile(r"RBD-[A-Z]+-\d{3}")
CHECKS = Path(__file__).resolve().parents[2] / "rbdtui" / "checks"


def test_every_code_is_provoked() -> None:
    given = {code for file in CHECKS.rglob("*.py") for code in CODE.findall(file.read_text(encoding="utf-8"))}
    expected = {code for case in NODE_CASES for code in case.expected}
    expected |= {code for case in CLUSTER_CASES for code in case[2]}
    for module in (test_jump_host, test_network, test_preflight):
        expected |= set(CODE.findall(Path(str(module.__file__)).read_text(encoding="utf-8")))
    assert given - expected == set()
