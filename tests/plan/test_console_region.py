"""A console that goes on with the certificates of an earlier installation is not a proven one."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from rbdtui.plan.steps.rainbond.access import open_api
from rbdtui.plan.steps.rainbond.console_region import REGION_URL, stale_region
from tests.checks.test_mysql_hostile import after_login, error, packet
from tests.kube.api import Api
from tests.plan.rainbond_support import MYSQL, plan_of, stage
from tests.probes.conftest import authority as authority
from tests.probes.targets import Authority, Handler, serve
from tests.probes.test_outside import WELCOME, field, row

CONFIG = "/api/v1/namespaces/rbd-system/configmaps/region-config"
NO_TABLE = error(1146, "Table 'console.region_info' doesn't exist", 1, b"#42S02")


def database_with(*certificates: str) -> Handler:
    """A server that keeps these for the region of the console, and has no such table where there are none."""
    end = b"\xfe\0\0\x02\0"
    pieces = (b"\x01", field("cert_file"), end, *(row(each) for each in certificates), end)
    rows = b"".join(packet(number, piece) for number, piece in enumerate(pieces, start=1))

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await after_login(WELCOME)(reader, writer)
        while request := await reader.read(4096):
            if request[4:5] == b"\x01":
                return
            asked = b"region_info" in request and REGION_URL.encode() in request
            answer = rows if certificates else NO_TABLE
            writer.write(answer if asked else packet(1, b"\0\0\0\x02\0\0\0"))

    return handler


@pytest.mark.parametrize(
    ("kept", "is_stale"),
    [(("OF THIS ONE\n",), False), (("OF AN EARLIER ONE",), True), ((), False), (("EARLIER", "OF THIS ONE"), False)],
)
async def test_the_certificate_that_the_console_kept(
    authority: Authority, tmp_path: Path, kept: tuple[str, ...], is_stale: bool
) -> None:
    data = {"ca.pem": b"CA", "client.pem": b"OF THIS ONE", "client.key.pem": b"KEY"}
    config = {"binaryData": {name: base64.b64encode(value).decode() for name, value in data.items()}}
    api = Api({("GET", CONFIG): (200, config)})
    async with (
        serve(database_with(*kept), None) as port,
        stage(authority, tmp_path, api, spec=plan_of(mysql=MYSQL)) as there,
        open_api(there.context) as opened,
    ):
        there.network[str(MYSQL["host"]), 3306] = port
        found = await stale_region(there.context, opened.kube)
    assert (found is not None) is is_stale
    if found is not None:
        assert found.code == "console_region_stale"
        assert "198.51.100.20:3306" in str(found.text)
