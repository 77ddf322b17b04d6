"""Real hosts with real Kubernetes for tests, on one Linux machine; see README.md in this directory."""

from __future__ import annotations

from tests.lab.lab import Lab
from tests.lab.layout import BASTION_USER, OP_PASSWORD, OP_USER, Host
from tests.lab.shell import LabError

__all__ = ["BASTION_USER", "OP_PASSWORD", "OP_USER", "Host", "Lab", "LabError"]
