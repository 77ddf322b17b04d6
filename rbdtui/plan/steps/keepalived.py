"""The address that moves: keepalived on every gateway, first without and later with a check of the node's health.

In front of a pair of balancers it runs on these instead, from the start with a check of HAProxy there.

Without the check at first, because the address has to be up before there is anything to check; then with one of the
server, and once Rainbond is up with one of its gateway, one gateway after the other. All gateways are ``BACKUP``
with ``nopreempt``, so the address moves only when its holder fails, and the check has ``weight 0``: a failing one takes
the node out (FAULT) whatever the priorities are, whereas a negative weight would not move the address away from a
holder that still advertises. Source: keepalived.conf(5), and the official way of Rainbond (goodrain/rainbond-docs,
deploy-keepalived).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from rbdtui.plan.cluster import VRRP_SECRET, api_is_on_vip, vip_interface, vip_priority
from rbdtui.plan.content import Content, SecretRef, fill_asset
from rbdtui.plan.resources.base import Resource
from rbdtui.plan.resources.files import ManagedFile, RetiredFile, header
from rbdtui.plan.resources.units import RunningUnit, digest_of
from rbdtui.plan.step import Step, StepContext, StepError
from rbdtui.plan.steps.base import ResourceStep
from rbdtui.plan.vip import wait_for_one_holder
from rbdtui.plan.waiting import wait_for
from rbdtui.spec.balanced import STATUS_PORT
from rbdtui.spec.model import ClusterSpec, Node, Role
from rbdtui.transport.scripts import script

CONFIG_FILE: Final = "/etc/keepalived/keepalived.conf"
CHECK_FILE: Final = "/usr/libexec/keepalived/rbdtui-check.sh"
"""The only directory from which a keepalived confined by SELinux may run what it likes: policy of fedora-selinux, where
everything below it is ``keepalived_unconfined_script_exec_t``."""
OLD_CHECK_FILE: Final = "/etc/keepalived/rbdtui-check.sh"
"""Where the check once was."""
DROP_IN_FILE: Final = "/etc/systemd/system/keepalived.service.d/rbdtui.conf"
UNIT: Final = "keepalived.service"
_SEEN_WITHIN_S: Final = 45.0
"""Two good answers in a row, three seconds apart, are due within ten; a slow host may need more."""
_LOOK_EVERY_S: Final = 1.0


class Phase(StrEnum):
    """What keepalived asks before it lets a gateway carry the address."""

    NOTHING = "nothing"
    SERVER = "server"
    """Whether RKE2 and the API server are well."""
    HAPROXY = "haproxy"
    """Whether HAProxy in front of the cluster answers on the host itself."""
    GATEWAY = "gateway"
    """Whether Rainbond answers through the gateway; where the API is on the address, the server as well."""


def has_check(spec: ClusterSpec, node: Node) -> bool:
    """Whether a gateway's health can be told: it can where the API server at the address runs on the gateway."""
    return api_is_on_vip(spec) and not spec.has_balancers and Role.CONTROL_PLANE in node.roles


def has_gateway_check(spec: ClusterSpec) -> bool:
    """Whether Rainbond's gateway behind the address is installed by steps of ours."""
    return spec.has_vip and not spec.has_balancers and spec.profile.has_gateway and spec.profile.is_complete


def _later(spec: ClusterSpec, node: Node, phase: Phase) -> list[Phase]:
    """The phases that an earlier run may have brought a gateway to already."""
    there = [Phase.NOTHING]
    there += [Phase.SERVER] if has_check(spec, node) else []
    there += [Phase.GATEWAY] if has_gateway_check(spec) else []
    return there[there.index(phase) + 1 :] if phase in there else []


@dataclass(frozen=True, slots=True)
class Configuration:
    """keepalived's files for one gateway, in one of the two phases."""

    config: Content
    check: Content
    drop_in: Content

    @property
    def digest(self) -> str:
        """What the daemon is started with."""
        return digest_of([self.config, self.check, self.drop_in])


def configuration(context: StepContext, node_name: str, phase: Phase) -> Configuration:
    """The files for a gateway; raises `StepError` when its interface cannot be told."""
    spec, secret = context.spec, context.secret
    node = spec.node(node_name)
    first_line = header(spec.name)
    checked = phase is not Phase.NOTHING
    script_file = _check_script(spec, node, phase)
    tracked = check_name(script_file)
    check = fill_asset("keepalived-check.conf", {"name": tracked, "script": CHECK_FILE}, secret).shown
    assert spec.gateway.vip is not None
    values: dict[str, str | SecretRef] = {
        "header": first_line,
        "node": node.name,
        "interface": vip_interface(spec, node, context.facts),
        "router_id": str(spec.gateway.virtual_router_id),
        "priority": str(vip_priority(spec, node)),
        "vip": str(spec.gateway.vip),
        "password": SecretRef(VRRP_SECRET),
        "unicast": unicast_lines(spec, node),
        "check": check if checked else "",
        "track": f"    track_script {{\n        {tracked}\n    }}\n" if checked else "",
    }
    return Configuration(
        config=fill_asset("keepalived.conf", values, secret),
        check=script_file,
        drop_in=fill_asset("keepalived-unit.conf", {"header": first_line}, secret),
    )


def _check_script(spec: ClusterSpec, node: Node, phase: Phase) -> Content:
    """What keepalived runs; before there is a check, the one that comes first stands for it."""
    values: dict[str, str | SecretRef] = {"header": header(spec.name)}
    if phase is Phase.HAPROXY:
        return fill_asset("keepalived-haproxy-check.sh", values | {"status_port": str(STATUS_PORT)}, _no_secret)
    others = [other for other in spec.gateways if other.name != node.name]
    if phase is not Phase.GATEWAY:
        values["peers"] = " ".join(str(other.cluster_address) for other in others if has_check(spec, other))
        return fill_asset("keepalived-check.sh", values, _no_secret)
    on_server = has_check(spec, node)
    values["about_server"] = _ABOUT_SERVER if on_server else ""
    values["server"] = ASK_SERVER if on_server else ""
    values["peers"] = " ".join(str(other.cluster_address) for other in others)
    return fill_asset("keepalived-gateway-check.sh", values, _no_secret)


_ABOUT_SERVER: Final = " Does RKE2 take new nodes here\n# (9345), and is the API server ready?"
ASK_SERVER: Final = """\
ask /ping --kubeconfig /etc/rancher/rke2/rke2.yaml --server=https://127.0.0.1:9345 --insecure-skip-tls-verify || exit 3
server 127.0.0.1 || { elsewhere server && exit 1; }"""


def _no_secret(name: str) -> str:
    raise KeyError(name)


def check_name(check: Content) -> str:
    """What keepalived calls a check: another one for another content.

    A reload hands a script's result on to the next of the same name, so that what keepalived says of a name could
    otherwise be about the script before (acassen/keepalived, ``clear_diff_script`` in vrrp.c).
    """
    return f"rbdtui_{digest_of([check, CHECK_FILE])[:12]}"


def unicast_lines(spec: ClusterSpec, node: Node) -> str:
    """The other gateways by their addresses, where adverts are not sent to a group; empty otherwise."""
    peers = "".join(f"        {spec.vrrp_address(other)}\n" for other in spec.vip_nodes if other.name != node.name)
    if not spec.gateway.unicast or not peers:
        return ""
    return f"    unicast_src_ip {spec.vrrp_address(node)}\n    unicast_peer {{\n{peers}    }}\n"


@dataclass(frozen=True, slots=True)
class _Keepalived(ResourceStep):
    """What the phases share."""

    phase: ClassVar[Phase]

    def resources(self, context: StepContext) -> Sequence[Resource]:
        """The check before the configuration that names it, the daemon last."""
        spec = context.spec
        wanted = configuration(context, self.node, self.phase)
        later = [configuration(context, self.node, each) for each in _later(spec, spec.node(self.node), self.phase)]
        files: list[Resource] = []
        if self.phase is not Phase.NOTHING:
            files.append(ManagedFile(CHECK_FILE, wanted.check, mode=0o755, or_else=tuple(o.check for o in later)))
        files.append(ManagedFile(DROP_IN_FILE, wanted.drop_in))
        good_too = tuple(other.config for other in later)
        test = script("keepalived-test")
        files.append(ManagedFile(CONFIG_FILE, wanted.config, mode=0o600, or_else=good_too, validator=test))
        files.append(RunningUnit(UNIT, wanted.digest, or_else=tuple(other.digest for other in later)))
        files.append(RetiredFile(OLD_CHECK_FILE))
        return files

    async def _see_check_pass(self, context: StepContext) -> None:
        """Wait until keepalived itself calls the check good; raises `StepError`.

        The check run by ourselves would prove nothing: only keepalived runs it as SELinux lets keepalived run it.
        """
        name = check_name(configuration(context, self.node, self.phase).check)

        async def passes() -> StepError | None:
            said = await context.hosts[self.node].must(script("keepalived-check"), name)
            word = said.text.strip()
            if word == "passes":
                return None
            where = {"node": self.node, "path": CHECK_FILE}
            if word == "silent":
                return StepError("check_silent", **where, evidence=said.error_text, retryable=True)
            if self.phase is Phase.HAPROXY:
                return StepError("haproxy_check_fails", **where, evidence=said.error_text, retryable=True)
            return StepError("check_fails", **where, evidence=said.error_text, retryable=True)

        await wait_for(passes, limit_s=_SEEN_WITHIN_S, every_s=_LOOK_EVERY_S)


@dataclass(frozen=True, slots=True)
class Keepalived(_Keepalived):
    """Phase 1: the address is carried by whichever gateway is there."""

    name: ClassVar[str] = "keepalived"
    phase: ClassVar[Phase] = Phase.NOTHING


@dataclass(frozen=True, slots=True)
class KeepalivedBalancer(_Keepalived):
    """On a balancer, which is watched from the start: HAProxy is there before anything behind it."""

    name: ClassVar[str] = "keepalived-balancer"
    phase: ClassVar[Phase] = Phase.HAPROXY
    time_limit_s: ClassVar[float] = 180.0

    async def verify(self, context: StepContext) -> None:
        """Prove the files, the check and the daemon; who holds the address is for the gate behind."""
        await Step.verify(self, context)
        await self._see_check_pass(context)


@dataclass(frozen=True, slots=True)
class KeepalivedCheck(_Keepalived):
    """Phase 2: a gateway whose API server does not answer gives the address away."""

    name: ClassVar[str] = "keepalived-check"
    phase: ClassVar[Phase] = Phase.SERVER
    time_limit_s: ClassVar[float] = 180.0

    async def verify(self, context: StepContext) -> None:
        """Prove the files, the check and the daemon, and that one gateway holds the address.

        The next gateway is only touched after that: a check that fails on a good node would take the address away
        from all of them.
        """
        await Step.verify(self, context)
        await self._see_check_pass(context)
        await wait_for_one_holder(context, limit_s=60.0)


@dataclass(frozen=True, slots=True)
class KeepalivedGatewayCheck(KeepalivedCheck):
    """Phase 3: a gateway through which Rainbond does not answer gives the address to one through which it does."""

    name: ClassVar[str] = "keepalived-gateway-check"
    phase: ClassVar[Phase] = Phase.GATEWAY
