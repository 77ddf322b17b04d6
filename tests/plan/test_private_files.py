"""Files that may hold somebody's passwords: replaced, kept on the host, and never shown in a plan or a journal."""

from __future__ import annotations

import json
import posixpath
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.plan.step import Step
from rbdtui.plan.steps.keepalived import Keepalived
from rbdtui.plan.steps.prepare import PrepareSystem
from rbdtui.plan.steps.rke2_config import ConfigureRke2
from rbdtui.profiles import RAINBOND_6
from rbdtui.words import LANGUAGES, say
from tests.plan.support import bench, carry_out

ELDER = {
    "/etc/rancher/rke2/registries.yaml": "configs:\n  r:\n    auth: {username: u, 'password': 'elder-1'}\n",
    "/etc/rancher/rke2/config.yaml": (
        "token: >-\n  elder-1\n  elder-2\ndatastore-endpoint: 'mysql://rke:elder-3@tcp(10.0.0.1:3306)/k'\n"
        'etcd-s3-access-key: "elder-4"\nnode-name: node1\n'
    ),
    "/etc/keepalived/keepalived.conf": "vrrp_instance a {\n  authentication {\n    auth_pass elder-1\n  }\n}\n",
}
STEPS: dict[str, Step] = {
    "/etc/rancher/rke2/registries.yaml": ConfigureRke2("node1"),
    "/etc/rancher/rke2/config.yaml": ConfigureRke2("node1"),
    "/etc/keepalived/keepalived.conf": Keepalived("node1"),
}


@pytest.mark.parametrize("path", ELDER)
async def test_passwords_found_on_a_server_are_in_no_plan(tmp_path: Path, path: str) -> None:
    async with bench(tmp_path, 3) as at:
        files = at.fleet.machines["node1"].files
        files.mkdir(posixpath.dirname(path))
        files.write(path, ELDER[path].encode(), mode=0o644)
        context = replace(at.context, spec=at.context.spec.model_copy(update={"profile": RAINBOND_6}))
        changes = (await STEPS[path].pending(context)).changes
        told = json.dumps([change.to_json() for change in changes])
        assert "elder" not in told
        (change,) = [change for change in changes if change.title.params.get("path") == path]
        lines = len(ELDER[path].splitlines())
        backup = f"/var/lib/rbdtui/backup/{context.run_id}{path}"
        for language in LANGUAGES:
            title = say(change.title, language)
            assert f"{lines} " in title
            assert backup in title
        await carry_out(STEPS[path], context)
        assert files.read(backup).decode() == ELDER[path]


async def test_what_only_its_owner_may_read_is_not_shown_although_ours_is_public(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        steps = PrepareSystem("node1")
        changes = (await steps.pending(at.context)).changes
        path = next(str(c.title.params["path"]) for c in changes if c.detail.startswith("--- /dev/null"))
        files = at.fleet.machines["node1"].files
        files.mkdir(posixpath.dirname(path))
        files.write(path, b"password: elder\n", mode=0o600)
        assert "elder" not in json.dumps([change.to_json() for change in (await steps.pending(at.context)).changes])
        files.write(path, b"password: elder\n", mode=0o644)
        assert "-password: elder" in json.dumps(
            [change.to_json() for change in (await steps.pending(at.context)).changes]
        )


async def test_a_file_that_is_too_long_to_be_compared_is_replaced_all_the_same(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        path = "/etc/rancher/rke2/config.yaml"
        files = at.fleet.machines["node1"].files
        files.mkdir(posixpath.dirname(path))
        files.write(path, b"token: elder\n" * 100_000, mode=0o644)
        (change,) = [
            c for c in (await ConfigureRke2("node1").pending(at.context)).changes if c.title.params.get("path") == path
        ]
        assert change.detail.startswith(f"--- {path} 1300000 B\n+++ {path} ")
        await carry_out(ConfigureRke2("node1"), at.context)
        assert b"elder" not in files.read(path)
