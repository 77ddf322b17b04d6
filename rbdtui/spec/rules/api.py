"""The address of the Kubernetes API: that somebody holds it and that RKE2 answers there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rbdtui.findings import Finding, Severity
from rbdtui.profiles import Reach, ports_in_front
from rbdtui.spec.balanced import STATUS_PORT
from rbdtui.spec.model import ApiMode, GatewayMode, Role
from rbdtui.spec.rules.base import RuleInput, is_usable

_API_PORT: Final = 6443
_SUPERVISOR_PORT: Final = 9345


def api_on_vip(rule: RuleInput) -> Iterator[Finding]:
    """In mode ``vip`` the address is the gateway's VIP, and a server answers wherever that goes."""
    api, gateway = rule.spec.kubernetes.api, rule.spec.gateway
    if api.mode is not ApiMode.VIP:
        return
    if gateway.mode not in (GatewayMode.KEEPALIVED, GatewayMode.HAPROXY):
        yield rule.finding("RBD-API-011", Severity.ERROR, "kubernetes.api.mode", mode=gateway.mode.value)
        return
    if gateway.vip is None:
        return
    if api.address is not None and api.address != gateway.vip.ip:
        yield rule.finding(
            "RBD-API-002", Severity.ERROR, "kubernetes.api.address", str(api.address), vip=str(gateway.vip.ip)
        )
        return
    for index, node in rule.nodes_with(Role.GATEWAY) if not rule.spec.has_balancers else ():
        if Role.CONTROL_PLANE not in node.roles:
            yield rule.node_finding("RBD-API-003", Severity.ERROR, index, "roles")


def api_outside(rule: RuleInput) -> Iterator[Finding]:
    """In mode ``external`` somebody else's address leads to the servers."""
    api = rule.spec.kubernetes.api
    if api.mode is not ApiMode.EXTERNAL:
        return
    path = "kubernetes.api.address"
    if api.address is None:
        yield rule.finding("RBD-API-004", Severity.ERROR, path)
        return
    written = str(api.address)
    if not is_usable(api.address):
        yield rule.finding("RBD-API-012", Severity.ERROR, path, written)
    for node in rule.spec.servers:
        if api.address in node.addresses:
            yield rule.finding("RBD-API-007", Severity.ERROR, path, written, node=node.name)
    gateway = rule.spec.gateway
    if rule.spec.has_vip and gateway.vip is not None and gateway.vip.ip == api.address:
        yield rule.finding("RBD-API-014", Severity.ERROR, "kubernetes.api.mode", written)
    shares_address = gateway.mode is GatewayMode.EXTERNAL and gateway.address == api.address
    taken = ports_in_front(rule.spec.profile, Reach.ADDRESS) if shares_address else ()
    if api.port in (_SUPERVISOR_PORT, *taken):
        yield rule.finding("RBD-API-009", Severity.ERROR, "kubernetes.api.port", str(api.port), port=api.port)
    yield rule.finding("RBD-API-010", Severity.INFO, path, written, address=written, port=api.port)


def api_on_first_server(rule: RuleInput) -> Iterator[Finding]:
    """In mode ``first-server`` no address is given."""
    api = rule.spec.kubernetes.api
    if api.mode is not ApiMode.FIRST_SERVER:
        return
    if api.address is not None:
        yield rule.finding("RBD-API-005", Severity.ERROR, "kubernetes.api.address", str(api.address))


def api_port(rule: RuleInput) -> Iterator[Finding]:
    """RKE2 listens on 6443 itself; only a balancer can offer another port, one that nothing else has there."""
    api = rule.spec.kubernetes.api
    if api.mode is ApiMode.VIP and rule.spec.has_balancers:
        if api.port in (_SUPERVISOR_PORT, STATUS_PORT, *rule.spec.profile.ports(Reach.USERS)):
            yield rule.finding("RBD-API-009", Severity.ERROR, "kubernetes.api.port", str(api.port), port=api.port)
    elif api.mode is not ApiMode.EXTERNAL and api.port != _API_PORT:
        yield rule.finding("RBD-API-008", Severity.ERROR, "kubernetes.api.port", str(api.port), port=_API_PORT)
