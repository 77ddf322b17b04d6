"""The operator's kubeconfig in the site, with the API's fixed address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from rbdtui.atomic import write_atomic
from rbdtui.plan.cluster import api_url
from rbdtui.plan.step import Change, ChangeKind, Probe, Step, StepContext, StepError
from rbdtui.plan.steps.finish import server_names
from rbdtui.transport.files import read_file
from rbdtui.words import T

SERVER_KUBECONFIG: Final = "/etc/rancher/rke2/rke2.yaml"


@dataclass(frozen=True, slots=True)
class WriteKubeconfig(Step):
    """Put a kubeconfig for the operator into the site, with the API's fixed address."""

    name: ClassVar[str] = "kubeconfig"

    async def probe(self, context: StepContext) -> Probe:
        """Whether the site's kubeconfig is the cluster's."""
        wanted = await self._wanted(context)
        file = _kubeconfig_file(context)
        if wanted is None or not file.is_file():
            return Probe(satisfied=False)
        private = file.stat().st_mode & 0o077 == 0
        return Probe(private and file.read_bytes() == wanted, api_url(context.spec))

    async def describe(self, context: StepContext) -> list[Change]:
        """The file; its content is a secret and is not shown."""
        if (await self.probe(context)).satisfied:
            return []
        title = T("plan.change.kubeconfig", path=str(_kubeconfig_file(context)), url=api_url(context.spec))
        return [Change(ChangeKind.FILE, title)]

    async def apply(self, context: StepContext) -> None:
        """Fetch it from a server, change the address, and write it for the operator alone; raises `StepError`."""
        wanted = await self._wanted(context)
        if wanted is None:
            raise StepError("no_kubeconfig", path=SERVER_KUBECONFIG, retryable=True)
        file = _kubeconfig_file(context)
        try:
            write_atomic(file, wanted)
        except OSError as error:
            raise StepError("site_not_writable", path=str(file), evidence=str(error)) from error

    async def _wanted(self, context: StepContext) -> bytes | None:
        for server in server_names(context):
            content = await read_file(context.hosts[server], SERVER_KUBECONFIG)
            if content is not None:
                return re.sub(rb"(?m)^(\s*server:).*$", rb"\1 " + api_url(context.spec).encode(), content)
        return None


def _kubeconfig_file(context: StepContext) -> Path:
    return context.site_dir / "kubeconfig"
