"""Whether the console knows this Rainbond's API, or still the one of an earlier installation.

The console writes its region, with the client certificate for the API, only while its database has none; over a
database that was kept it goes on with the old one, and nothing that it answers by itself shows that
(goodrain/rainbond-console@v6.2.1-release and v6.9.3-release, entrypoint.sh, default_region.py).
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from rbdtui.kube.session import KubeSession
from rbdtui.plan.step import StepContext, StepError
from rbdtui.plan.steps.rainbond.access import LIMITS, ways
from rbdtui.plan.steps.rainbond.region import region_config
from rbdtui.probes.bounded import bounded_socket
from rbdtui.probes.mysql_login import Login, log_in
from rbdtui.probes.routes import Target
from rbdtui.probes.wire import Place, ProbeFailure, WireError
from rbdtui.spec.sections.mysql import DATABASES
from rbdtui.spec.values import SECRET_PREFIX

REGION_URL: Final = "https://rbd-api-api:8443"
"""What the operator tells the console of its own region (controllers/handler/app-ui.go, API_PORT)."""
_CONSOLE, _REGION = DATABASES
_QUESTION: Final = f"SELECT cert_file FROM {_CONSOLE}.region_info WHERE url = %s"  # noqa: S608 - no input in it
_LIMIT_BYTES: Final = 1 << 20


async def stale_region(context: StepContext, kube: KubeSession) -> StepError | None:
    """The error where an external database has another certificate than the API gives out; raises `KubeError`.

    None as well where it cannot be told: whether the database can be used at all is proven by what uses it.
    """
    mysql = context.spec.mysql
    host = context.spec.mysql_host
    if not (host and mysql.username and mysql.password):
        return None
    config = await region_config(kube)
    if config is None:
        return None
    login = Login(mysql.username, context.secret(mysql.password.removeprefix(SECRET_PREFIX)))

    async def ask(place: Place) -> list[str]:
        try:
            async with (
                asyncio.timeout(LIMITS.answer_s),
                bounded_socket(place, limit_bytes=_LIMIT_BYTES, connect_s=LIMITS.connect_s) as sock,
            ):
                return await asyncio.to_thread(_kept, sock, login)
        except OSError as error:  # `TimeoutError` among them
            raise WireError(ProbeFailure.SILENT, str(error)) from error

    kept = (await ways(context).ask(Target(host, mysql.port), ask)).value or []
    own = config.certificate.decode("ascii", "replace").split()
    if not kept or any(certificate.split() == own for certificate in kept):
        return None
    server, evidence = f"{host}:{mysql.port}", f"{_CONSOLE}.region_info.cert_file, configmap/region-config"
    return StepError("console_region_stale", server=server, evidence=evidence)


def _kept(sock: socket.socket, login: Login) -> list[str]:
    """The client certificates of the console's own region, PEM; blocks. Raises `WireError`."""
    try:
        link = log_in(sock, login, wait_s=int(LIMITS.answer_s) + 1)
        try:
            with link.cursor() as cursor:
                cursor.execute(_QUESTION, (REGION_URL,))
                return [str(certificate) for (certificate,) in cursor.fetchall()]
        finally:
            link.close()
    except Exception as error:  # no such table, no such right, or a hostile server
        raise WireError(ProbeFailure.NOT_HTTP, f"{type(error).__name__}: {error}") from error
