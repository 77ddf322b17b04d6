"""All of Rainbond's namespace in one look, through a real HTTPS server."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbdtui.kube.session import KubeError
from rbdtui.probes.namespace import look
from rbdtui.rainbond.workloads import LISTS
from tests.kube.api import Api, refusal
from tests.kube.test_session import session
from tests.probes.targets import Authority


async def test_every_kind_is_listed_and_a_kind_that_is_not_known_has_nothing(
    authority: Authority, tmp_path: Path
) -> None:
    answers = {("GET", path): (200, {"items": [{"metadata": {"name": kind}}]}) for kind, path in LISTS.items()}
    del answers["GET", LISTS["RbdComponent"]]
    async with session(authority, tmp_path, Api(answers)) as kube:
        seen = await look(kube)
        pods = await look(kube, "Pod")
    assert seen.find("Node", "Node") is not None
    assert list(seen.of("RbdComponent")) == []
    assert [*pods.items] == ["Pod"]


async def test_what_may_not_be_listed_is_an_error(authority: Authority, tmp_path: Path) -> None:
    api = Api({("GET", LISTS["Pod"]): (403, refusal(403, "Forbidden", "not you"))})
    async with session(authority, tmp_path, api) as kube:
        with pytest.raises(KubeError, match="not you"):
            await look(kube, "Pod")
