"""The groups of the conversion in their safe order: the compute nodes first, the managing server's part last.

Between any two steps the site works, as before or as afterwards: volume and copy touch nothing that is used; rbd-lb
and rbd-dns run on the compute nodes before an address or a name leads there; names follow once it is held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from rbdtui.audit.target import Target
from rbdtui.plan.conversion.data import CopyBefore, DockerWaits, MoveData
from rbdtui.plan.conversion.entrance import EntranceThere
from rbdtui.plan.conversion.proof import LevelReached
from rbdtui.plan.conversion.switch import BalancerLeaves, EntranceTold, TcpDomain, WebSocket
from rbdtui.plan.conversion.vip import ContainerResolvers, OldKeepalived, PlatformNames
from rbdtui.plan.conversion.volume import Glusterd, Peers, ServerNames, VolumeMade, VolumeTried
from rbdtui.plan.step import JUMP_LANE, Step

Steps = Callable[[Target, bool], Iterator[Step]]


def _volume(wanted: Target, with_dns: bool) -> Iterator[Step]:
    for server in wanted.servers:
        yield ServerNames(server.name)
    for server in wanted.servers:
        yield Glusterd(server.name)
    yield Peers(JUMP_LANE)
    yield VolumeMade(JUMP_LANE)
    yield VolumeTried(JUMP_LANE)


def _data(wanted: Target, with_dns: bool) -> Iterator[Step]:
    for server in wanted.servers:
        yield DockerWaits(server.name)
    yield CopyBefore(JUMP_LANE)
    yield MoveData(JUMP_LANE)


def _entrance(wanted: Target, with_dns: bool) -> Iterator[Step]:
    for server in wanted.computes:
        yield EntranceThere(server.name, with_dns=with_dns)


def _vip(wanted: Target, with_dns: bool) -> Iterator[Step]:
    for server in wanted.computes:
        yield OldKeepalived(server.name)


def _names(wanted: Target, with_dns: bool) -> Iterator[Step]:
    for server in (*wanted.computes, wanted.manage):
        yield PlatformNames(server.name)
    for server in wanted.computes if with_dns else ():
        yield ContainerResolvers(server.name)


def _switch(wanted: Target, with_dns: bool) -> Iterator[Step]:
    for kind in (TcpDomain, WebSocket, EntranceTold, BalancerLeaves):
        yield kind(wanted.manage.name)


def _proof(wanted: Target, with_dns: bool) -> Iterator[Step]:
    yield LevelReached(JUMP_LANE)


GROUPS: Final[Mapping[str, Steps]] = {
    "volume": _volume,
    "data": _data,
    "entrance": _entrance,
    "vip": _vip,
    "names": _names,
    "switch": _switch,
    "proof": _proof,
}


def steps_of(wanted: Target, groups: list[str], *, with_dns: bool) -> tuple[Step, ...]:
    """The steps of these groups, one after the other."""
    steps: list[Step] = []
    for name in (each for each in GROUPS if each in groups):
        for step in GROUPS[name](wanted, with_dns):
            steps.append(replace(step, after=tuple(before.id for before in steps[-1:])))
    return tuple(steps)
