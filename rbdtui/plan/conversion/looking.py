"""What a step of the conversion looks at: a host as the audit sees it, by those facts only that it needs."""

from __future__ import annotations

from rbdtui.audit.facts import facts_for
from rbdtui.audit.seen import SeenHost, see_host
from rbdtui.audit.target import Server, Target, target_of
from rbdtui.plan import vip
from rbdtui.plan.step import StepContext, StepError
from rbdtui.together import together
from rbdtui.transport.base import Host
from rbdtui.transport.scripts import script


def target(context: StepContext) -> Target:
    """What the page wants of the site."""
    return target_of(context.spec)


def server(context: StepContext, name: str) -> Server:
    """One of the three."""
    return next(each for each in target(context).servers if each.name == name)


async def look(context: StepContext, name: str, *facts: str) -> SeenHost:
    """A server by these facts; raises `TransportError`, and `StepError` for a fact that could not be had."""
    wanted = target(context)
    asked = tuple(fact for fact in facts_for(wanted) if fact.name in facts)
    seen = await see_host(server(context, name), context.hosts[name], asked)
    for fact in facts:
        if fact in seen.failed:
            raise StepError("convert_not_seen", node=name, what=fact, evidence=seen.failed[fact], retryable=True)
    return seen


async def need_programs(context: StepContext, name: str, *programs: str) -> None:
    """Raise `StepError` for programs that a server lacks: there is no package of theirs in the bundle."""
    seen = await look(context, name, "audit_programs")
    if missing := [program for program in programs if program not in seen.programs]:
        raise StepError("convert_no_program", node=name, programs=", ".join(missing))


async def do(host: Host, name: str, *arguments: str, timeout_s: float = 60.0, error: str = "convert_refused") -> str:
    """Run a script and give what it printed; raises `StepError` with its words when the host refuses."""
    done = await host.run(script(name), *arguments, timeout_s=timeout_s)
    if not done.ok:
        what = " ".join((name, *arguments))
        raise StepError(error, node=host.name, what=what, evidence=done.error_text or done.text)
    return done.text


async def need_way_in(context: StepContext) -> None:
    """Raise `StepError` unless one compute node has the address that moves, and rbd-lb answers on both."""
    wanted = target(context)
    holders, manage = await together(vip.look(context), look(context, wanted.manage.name, "audit_web"))
    silent = [each.name for each in wanted.computes if manage.web.get(f"{each.name}/api", "000") in ("", "000")]
    if len(holders.names) != 1 or silent:
        evidence = "\n".join((str(holders), *(f"{name}: rbd-lb" for name in silent)))
        raise StepError("convert_too_early", vip=wanted.vip, evidence=evidence)
