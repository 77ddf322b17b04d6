"""Rows C26 to C30: names for containers, from the compute nodes themselves; and everything started."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rbdtui.audit.facts import ENVIRONMENT, KUBECONFIG
from rbdtui.audit.row import (
    ByHand,
    Group,
    Part,
    RowSpec,
    RowState,
    absent,
    at_line,
    broken,
    each,
    listening,
    there,
    value,
)
from rbdtui.audit.rows.entrance import COMPOSE, compose_problems, running
from rbdtui.audit.seen import SeenHost, SeenSite
from rbdtui.audit.target import DNS_HEALTH_PORT, OF_MANAGE, ROOT, Target
from rbdtui.words import T

_DNS_PORT: Final = 53
_PUBLIC: Final = frozenset({"8.8.8.8", "1.2.4.8", "114.114.114.114"})
"""Those of the page and of the installer's defaults: without a way to the internet nobody answers there."""


def records_of(text: str) -> dict[str, str]:
    """What rbd-dns answers itself: ``name=address`` with commas between."""
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip(): address.strip() for name, _, address in pairs}


def _dns(site: SeenSite) -> Iterator[Part]:
    vip = site.target.vip

    def look(host: SeenHost) -> Iterator[Part]:
        yield from compose_problems(host)
        if "rbd-dns" not in host.services:
            yield Part(host.name, RowState.DIFFERS, T("audit.seen.no_service", name="rbd-dns", path=COMPOSE))
            return
        path, service = host.services["rbd-dns"]
        records, resolvers = service.option("recoders"), service.option("nameservers")
        if records is None:
            yield at_line(host, path, service.line, "--recoders=", good=False)
        else:
            found = records_of(records.text)
            good = found.get("goodrain.me") == vip and found.get("*.goodrain.me") == vip
            yield at_line(host, path, records.line, records.text, good=good)
        if resolvers is not None:
            weak = bool(_PUBLIC & set(resolvers.text.split(",")))
            yield at_line(host, path, resolvers.line, resolvers.text, good=True, weak=weak)
        yield running(host, "rbd-dns")
        yield listening(host, _DNS_PORT)

    return each(site.computes, look, "compose_files", "containers", "sockets")


def records_for(target: Target) -> str:
    """What rbd-dns shall answer itself; names that rbd-lb does not serve lead to the managing server."""
    own = [f"{name}={target.manage.address}" for name in OF_MANAGE]
    return ",".join([*own, f"goodrain.me={target.vip}", f"*.goodrain.me={target.vip}"])


def _write_dns(target: Target) -> Iterator[ByHand]:
    for server in target.computes:
        yield ByHand(
            server.name,
            f"""cat >{COMPOSE}/base.yaml <<'END'
version: '2.1'
services:
  rbd-dns:
    image: rainbond/rbd-dns:3.6
    container_name: rbd-dns
    mem_limit: 1024M
    environment:
      - VERBOSE=true
    command:
    - --kubecfg-file=/etc/kubernetes/admin.kubeconfig
    - --v=3
    - --healthz-port={DNS_HEALTH_PORT}
    - --nameservers=RESOLVER1,RESOLVER2
    - --recoders={records_for(target)}
    volumes:
    - {ROOT}/etc/kubernetes/kubecfg:/etc/kubernetes
    logging:
      driver: json-file
      options:
        max-size: 50m
        max-file: '3'
    network_mode: host
    restart: always
END
dc-compose up -d""",
        )


def _captured(site: SeenSite) -> Iterator[Part]:
    """Names that the record for all of goodrain.me would lead to rbd-lb, which does not serve them."""
    wanted = site.target.manage.address

    def look(host: SeenHost) -> Iterator[Part]:
        if "rbd-dns" not in host.services:
            yield Part(host.name, RowState.DIFFERS, T("audit.seen.no_service", name="rbd-dns", path=COMPOSE))
            return
        path, service = host.services["rbd-dns"]
        option = service.option("recoders")
        found = records_of(option.text) if option is not None else {}
        line = option.line if option is not None else service.line
        for name in OF_MANAGE:
            own, answer = found.get(name), host.dns.get(f"{host.name}/{name}", "")
            seen = f"{name} {own or answer or found.get('*.goodrain.me', '')}".strip()
            yield at_line(host, path, line, seen, good=True, weak=wanted not in (own, answer))

    return each(site.computes, look, "compose_files", "audit_dns")


def _kubeconfig(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        if host.kubeconfig_server is None:
            yield absent(host, KUBECONFIG)
        else:
            yield value(host, f"{KUBECONFIG} server", host.kubeconfig_server or "-", good=bool(host.kubeconfig_server))

    return each(site.computes, look, "kubeconfig_server")


def _copy_kubeconfig(target: Target) -> Iterator[ByHand]:
    directory = KUBECONFIG.rpartition("/")[0]
    for server in target.computes:
        yield ByHand(server.name, f"mkdir -p {directory}\nrsync -a {target.manage.name}:{directory}/ {directory}/")


def _resolvers(site: SeenSite) -> Iterator[Part]:
    wanted = set(site.target.dns_servers.split(","))

    def look(host: SeenHost) -> Iterator[Part]:
        if host.kubelet.text is None:
            yield absent(host, ENVIRONMENT)
            return
        read = host.kubelet_read
        yield from broken(host, ENVIRONMENT, read.problems)
        servers = read.variables.get("DNS_SERVERS")
        if servers is None:
            yield Part(host.name, RowState.DIFFERS, T("audit.seen.nothing", what=f"{ENVIRONMENT} DNS_SERVERS"))
        else:
            seen = set(filter(None, servers.value.split(",")))
            yield at_line(host, ENVIRONMENT, servers.line, f"DNS_SERVERS={servers.value}", good=seen == wanted)
        own = read.variables.get("HOST_IP")
        if own is not None and own.value != host.server.address:
            yield at_line(host, ENVIRONMENT, own.line, f"HOST_IP={own.value}", good=False)

    yield from each(site.computes, look, "kubelet_environment")
    yield from _same_identity(site)


def _same_identity(site: SeenSite) -> Iterator[Part]:
    """Two nodes of one identity: the sample of the page was pasted."""
    uuids = [(host, host.kubelet_read.variables.get("HOST_UUID")) for host in site.computes]
    (_, first), (second_host, second) = uuids
    if first is not None and second is not None and first.value == second.value:
        yield at_line(second_host, ENVIRONMENT, second.line, f"HOST_UUID={second.value}", good=False)


def _write_resolvers(target: Target) -> Iterator[ByHand]:
    for server in target.computes:
        yield ByHand(
            server.name,
            f"cp -p {ENVIRONMENT} {ENVIRONMENT}.before\n"
            f"sed -i 's/^DNS_SERVERS=.*/DNS_SERVERS={target.dns_servers}/' {ENVIRONMENT}\n"
            "systemctl restart kubelet",
        )


def _all_running(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        for program in ("dc-compose", "docker-compose"):
            if program not in host.programs:
                yield there(host, program, good=False)
        stopped = sorted(name for name in host.services if host.container(name) is None)
        for name in stopped:
            yield Part(host.name, RowState.DIFFERS, T("audit.seen.not_running", name=name))
        if not stopped and host.services:
            yield Part(host.name, RowState.OK, T("audit.seen.all_run", count=len(host.services)))

    return each(site.all, look, "audit_programs", "compose_files", "containers")


def _start_all(target: Target) -> Iterator[ByHand]:
    for server in target.computes:
        yield ByHand(server.name, "dc-compose up -d")
    yield ByHand(target.manage.name, "dc-compose up -d --remove-orphans")


ROWS: Final = (
    RowSpec("C26", Group.DNS, _dns, _write_dns, carries=True, only_36=True),
    RowSpec("C27", Group.DNS, _captured, _write_dns, only_36=True),
    RowSpec("C28", Group.DNS, _kubeconfig, _copy_kubeconfig, only_36=True),
    RowSpec("C29", Group.DNS, _resolvers, _write_resolvers, carries=True, only_36=True),
    RowSpec("C30", Group.DNS, _all_running, _start_all),
)
