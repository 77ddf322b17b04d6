"""The way in on the compute nodes: rbd-lb with its rules, and rbd-dns, before anybody is led there.

Sources: goodrain/rainbond-install@v3.6 install/salt/misc/files (lb.yaml, base.yaml), plugins/data/proxy.conf,
init/files/bin/dc-compose (all files of /opt/rainbond/compose together), plugins/init.sls (new rules restart rbd-lb).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from rbdtui.audit.facts import DYNAMICS, KUBECONFIG, LB_DEFAULT
from rbdtui.audit.rows.dns import records_for
from rbdtui.audit.rows.entrance import COMPOSE
from rbdtui.audit.seen import SeenHost
from rbdtui.audit.target import LB_API_PORT
from rbdtui.errors import StepError
from rbdtui.plan.content import plain
from rbdtui.plan.conversion import edits
from rbdtui.plan.conversion.looking import do, look, need_programs, target
from rbdtui.plan.conversion.resources import Container, CopiedTree, edited, text_of
from rbdtui.plan.conversion.step import ConvertStep
from rbdtui.plan.resources.base import Looked, Resource, Target
from rbdtui.plan.resources.files import ManagedFile
from rbdtui.plan.step import Pending, StepContext
from rbdtui.plan.waiting import wait_for
from rbdtui.together import together
from rbdtui.transport.files import file_states

LB, DNS = "rbd-lb", "rbd-dns"
LB_FILE: Final = f"{COMPOSE}/lb.yaml"
LB_KEPT: Final = f"{LB_FILE}.bak"
BASE_FILE: Final = f"{COMPOSE}/base.yaml"
_PORTS: Final = {LB: (80, 443, LB_API_PORT), DNS: (53,)}
_ANSWERS_S: Final = 90.0
_LOOK_EVERY_S: Final = 2.0
_OWN_RULES: Final = LB_DEFAULT.removeprefix(DYNAMICS)


@dataclass(frozen=True, slots=True)
class EntranceThere(ConvertStep):
    """rbd-lb and rbd-dns run on a compute node; nobody is led there yet."""

    name: ClassVar[str] = "convert-entrance"

    with_dns: bool = field(default=True, kw_only=True)
    """Whether this version has rbd-dns there."""

    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """Directories and files first, containers last; raises `StepError` for what takes an operator's hand."""
        wanted = target(context)
        await need_programs(context, self.node, "docker", "docker-compose", "dc-compose")
        facts = ("compose_files", "containers", "dynamics", "sockets", "kubeconfig_server")
        servers = (wanted.manage, *wanted.computes)
        seen = {each.name: await look(context, each.name, *facts) for each in servers}
        own, other = seen[self.node], next(seen[each.name] for each in wanted.computes if each.name != self.node)
        self._refuse_taken(own)
        manage = seen[wanted.manage.name]
        lb_text = await self._balancer(context, own, manage)
        rules_from = other if other.container(LB) is not None else manage
        resources: list[Resource] = []
        if own.kubeconfig_server is None:
            directory = KUBECONFIG.rpartition("/")[0]
            resources.append(CopiedTree(directory, context.hosts[manage.name], is_there=False))
        same = own.container(LB) is not None or _rules(own) == _rules(rules_from) is not None
        resources.append(CopiedTree(DYNAMICS, context.hosts[rules_from.name], is_there=same))
        resources.append(await self._own_rules(context, rules_from.name if not same else self.node))
        resources.append(ManagedFile(LB_FILE, plain(lb_text)))
        if self.with_dns:
            resources += await self._dns(context, own, manage)
        return (*resources, Container(LB, restarts=True))

    def _refuse_taken(self, own: SeenHost) -> None:
        """Raise `StepError` where others wait on the ports that the containers will take."""
        for name in (LB, DNS) if self.with_dns else (LB,):
            taken = [str(port) for port in _PORTS[name] if own.listens(port)]
            if taken and own.container(name) is None:
                raise StepError("convert_port_taken", node=self.node, ports=", ".join(taken), name=name)

    async def _balancer(self, context: StepContext, own: SeenHost, manage: SeenHost) -> str:
        """The file of rbd-lb, as it is on this server or else on the managing one; raises `StepError`."""
        if LB in own.services:
            path, _ = own.services[LB]
            return await text_of(context.hosts[self.node], path)
        host = context.hosts[manage.name]
        path = manage.services[LB][0] if LB in manage.services else LB_KEPT
        text = await text_of(host, path)
        services = set(edits.services_of(text))
        if services != {LB}:
            raise StepError("convert_shared_file", node=manage.name, path=path, names=", ".join(sorted(services)))
        images = [service.image for service in edits.services_of(text).values()]
        await self._need_images(context, images)
        return text

    async def _need_images(self, context: StepContext, images: Sequence[str]) -> None:
        missing = (await do(context.hosts[self.node], "old-compose", "image", *images)).split()
        if missing:
            raise StepError(
                "convert_no_image", node=self.node, images=" ".join(missing), manage=target(context).manage.name
            )

    async def _own_rules(self, context: StepContext, source: str) -> Resource:
        """rbd-lb's rules for the registry and the repository, with the mode that they have."""
        host = context.hosts[source]
        text = await text_of(host, LB_DEFAULT)
        state = (await file_states(host, [LB_DEFAULT]))[LB_DEFAULT]
        after = edited(source, LB_DEFAULT, lambda: edits.upstreams(text, target(context)))
        mode, owner = (state.mode, state.owner) if state is not None else (0o644, "root:root")
        return ManagedFile(LB_DEFAULT, plain(after), mode=mode, owner=owner)

    async def _dns(self, context: StepContext, own: SeenHost, manage: SeenHost) -> Sequence[Resource]:
        wanted = target(context)
        records = records_for(wanted)
        source = own if DNS in own.services else manage
        if DNS not in source.services:
            raise StepError("convert_no_dns", node=manage.name)
        path, service = source.services[DNS]
        text = await text_of(context.hosts[source.name], path)
        if source is manage:
            await self._need_images(context, [service.image])
            file = BASE_FILE
            after = edited(source.name, path, lambda: edits.dns_alone(text, wanted))
        else:
            file = path
            after = edited(self.node, path, lambda: edits.option(text, DNS, "recoders", records))
        return ManagedFile(file, plain(after)), Container(DNS, has=records)

    async def prove(self, context: StepContext) -> None:
        """Both answer on this server; raises `StepError`."""
        await wait_for(lambda: _silent(context, self.node), limit_s=_ANSWERS_S, every_s=_LOOK_EVERY_S)

    async def restore(self, context: StepContext, pending: Pending[tuple[Looked, ...]]) -> None:
        """Containers that did not run before are taken away, and directories that were copied are as they were."""
        host = context.hosts[self.node]
        changed = [each for each in pending.seen if not each.pending.is_done]
        if begun := [each.resource.name for each in changed
                     if isinstance(each.resource, Container) and not each.pending.seen]:  # fmt: skip
            await do(host, "old-compose", "drop", *begun)
        for each in changed:
            if isinstance(each.resource, CopiedTree):
                await do(host, "tree", "back", each.resource.path, Target.of(context, self.node).backup_dir)


def _rules(host: SeenHost) -> dict[str, str] | None:
    """The rules of a server without those of its own, by their digests."""
    if host.dynamics is None:
        return None
    return {path: digest for path, digest in host.dynamics.items() if path.removeprefix(".") != _OWN_RULES}


async def _silent(context: StepContext, node: str) -> StepError | None:
    """What of rbd-lb does not answer on a compute node, asked from the managing server; None when all does."""
    wanted = target(context)
    web, own = await together(
        look(context, wanted.manage.name, "audit_web"), look(context, node, "sockets", "containers")
    )
    closed = [f":{port}" for port in _PORTS[LB] if not own.listens(port)]
    answers = {what: web.web.get(f"{node}/{what}", "") for what in ("api", "registry", "maven")}
    closed += [
        f"{what}: {status or '-'}" for what, status in answers.items() if status in ("", "000") or status[0] == "5"
    ]
    if not closed:
        return None
    return StepError("convert_silent", node=node, name=LB, evidence="\n".join(closed), retryable=True)
