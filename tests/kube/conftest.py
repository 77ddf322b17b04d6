"""Fixtures of the tests of the Kubernetes client."""

from __future__ import annotations

import kubernetes.aio.client  # noqa: F401 - seconds of importing, which no test's time limit should pay

from tests.probes.conftest import authority as authority
