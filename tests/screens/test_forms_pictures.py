"""Pictures of forms: full, built in or not used, and with a choice that says what it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.screens.conftest import LOOKS, Opened, Picture, settled
from tests.screens.forming import plan_with, show

FULL = """\
ssh: {password: secret:ssh}
gateway: {mode: keepalived, vip: 127.88.0.100/24, virtual_router_id: 87}
storage: {mode: nfs, server: 10.0.0.30, path: /data/rainbond}
etcd: {mode: external, endpoints: ["10.0.0.41:2379", "10.0.0.42"], ca: /data/etcd/ca.pem}
registry: {mode: external, domain: hub.corp:5000, scheme: http, insecure_skip_verify: true}
mysql: {mode: external, host: 10.0.0.20, password: secret:mysql}
rainbond: {telemetry: true, values: {Cluster: {replicas: 2}}}
"""


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_pictures(
    opened: Opened, picture: Picture, home: Path, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    workbench = plan_with(home, FULL)
    async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
        for section in ("storage", "etcd", "registry", "mysql", "platform"):
            await show(pilot, section)
            picture(pilot, name=section)
        await pilot.press("down", "down", "down", "enter")
        await settled(pilot)
        picture(pilot, name="values")


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_pictures_of_what_is_built_in_or_not_used(
    opened: Opened, picture: Picture, home: Path, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    workbench = plan_with(home, profile="rainbond-6")
    async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
        for section in ("storage", "etcd", "registry", "mysql"):
            await show(pilot, section)
            picture(pilot, name=section, drawn=section == "storage")


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_pictures_of_a_copy(
    opened: Opened, picture: Picture, home: Path, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    """The copy is the last choice, and what it is not stands beneath it."""
    workbench = plan_with(home, "storage: {mode: nfs-server, node: server1, path: /data/rainbond}\n")
    async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot, "storage")
        for _ in range(5):
            await pilot.press("down")
        await settled(pilot)
        picture(pilot, name="copy")
