"""The kubeconfig of a cluster that is there already: used before it is written, in our own form, for nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from rbdtui.bundle.scan import open_bundle
from rbdtui.errors import StepError
from rbdtui.kube.access import read_access
from rbdtui.plan.builder import build_plan
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.kubeconfig_given import TakeKubeconfig
from tests.kube.api import Api, refusal
from tests.kube.conftest import authority as authority
from tests.plan.support import Heard, carry_out, spec_of
from tests.probes.targets import Authority, serve

NODES = ("GET", "/api/v1/nodes")
STEP = TakeKubeconfig("")


@asynccontextmanager
async def context(authority: Authority, tmp_path: Path, status: int) -> AsyncIterator[StepContext]:
    answer = {"items": []} if status == 200 else refusal(status, "Unauthorized", "who are you")
    api = Api({NODES: (status, answer)})
    async with serve(api, authority.server("127.0.0.1", mutual=True)) as port:
        given = authority.kubeconfig(tmp_path / "given", f"https://127.0.0.1:{port}")
        existing = {"distribution": "existing", "kubeconfig": str(given)}
        sections = {"kubernetes": existing, "gateway": {"mode": "none"}}
        spec = spec_of({"node1": ("gateway", "build")}, profile="rainbond-6", sections=sections)
        site = tmp_path / "site"
        site.mkdir()
        yield StepContext(
            run_id="r",
            spec=spec,
            facts={},
            hosts={},
            bundle=open_bundle(tmp_path),
            secret=str,
            report=Heard(),
            site_dir=site,
        )


async def test_it_is_used_and_written_for_the_operator_alone(authority: Authority, tmp_path: Path) -> None:
    async with context(authority, tmp_path, 200) as at:
        await carry_out(STEP, at)
        file = at.site_dir / "kubeconfig"
        assert file.stat().st_mode & 0o777 == 0o600
        assert read_access(file) == read_access(tmp_path / "given")
        assert (await STEP.pending(at)).is_done
        file.chmod(0o644)
        assert not (await STEP.pending(at)).is_done


async def test_one_that_the_api_refuses_is_not_written(authority: Authority, tmp_path: Path) -> None:
    async with context(authority, tmp_path, 401) as at:
        with pytest.raises(StepError) as caught:
            await carry_out(STEP, at)
        assert (caught.value.code, "who are you" in caught.value.evidence) == ("kubeconfig_useless", True)
        assert not (at.site_dir / "kubeconfig").exists()


async def test_one_that_runs_programs_is_refused_by_its_name(authority: Authority, tmp_path: Path) -> None:
    async with context(authority, tmp_path, 200) as at:
        given = yaml.safe_load((tmp_path / "given").read_text())
        given["users"][0]["user"] = {"exec": {"command": "sh"}}
        (tmp_path / "given").write_text(yaml.safe_dump(given))
        with pytest.raises(StepError) as caught:
            await STEP.pending(at)
        assert caught.value.code == "kubeconfig_given_bad"
        assert str(tmp_path / "given") in str(caught.value)


async def test_a_token_is_kept(authority: Authority, tmp_path: Path) -> None:
    async with context(authority, tmp_path, 200) as at:
        given = yaml.safe_load((tmp_path / "given").read_text())
        given["users"][0]["user"]["token"] = "a.token-1"
        (tmp_path / "given").write_text(yaml.safe_dump(given))
        await carry_out(STEP, at)
        assert read_access(at.site_dir / "kubeconfig").credentials.token == "a.token-1"


async def test_nothing_is_done_on_its_servers(authority: Authority, tmp_path: Path) -> None:
    async with context(authority, tmp_path, 200) as at:
        assert {step.node for step in build_plan(at.spec, {}).steps} == {""}
