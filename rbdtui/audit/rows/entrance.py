"""Rows C21 to C25b: the way in, on both compute nodes instead of the managing server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rbdtui.audit.facts import DYNAMICS, LB_DEFAULT, UUID_FILE
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
    not_known,
    there,
    value,
)
from rbdtui.audit.seen import SeenHost, SeenSite
from rbdtui.audit.target import HUB_PORT, LB_API_PORT, OF_MANAGE, OF_VIP, REPO_PORT, ROOT, Target
from rbdtui.words import T

COMPOSE: Final = f"{ROOT}/compose"
_URLS: Final = "urls="
_NO_ANSWER: Final = ("", "000")
_MOST_FILES: Final = 3


def compose_problems(host: SeenHost) -> Iterator[Part]:
    """Files of docker-compose that it would refuse, or reads otherwise than they look."""
    for path, file in host.composed.items():
        yield from broken(host, path, file.problems)


def _urls(site: SeenSite) -> Iterator[Part]:
    wanted = set(site.target.lb_urls.split("-"))

    def look(host: SeenHost) -> Iterator[Part]:
        yield from compose_problems(host)
        if "rbd-entrance" not in host.services:
            yield Part(host.name, RowState.DIFFERS, T("audit.seen.no_service", name="rbd-entrance", path=COMPOSE))
            return
        path, service = host.services["rbd-entrance"]
        option = service.option("plugin-opts")
        if option is None or not option.text.startswith(_URLS):
            yield at_line(host, path, service.line, "--plugin-opts=urls=", good=False)
        else:
            urls = {url.rstrip("/") for url in option.text.removeprefix(_URLS).split("-") if url}
            yield at_line(host, path, option.line, option.text, good=urls == wanted)
        for server in site.target.computes:
            if f"{server.name}/api" in host.web:
                status = host.web[f"{server.name}/api"]
                what = f"{server.name}:{LB_API_PORT}"
                yield value(host, what, status if status not in _NO_ANSWER else "", good=status not in _NO_ANSWER)

    return each((site.manage,), look, "compose_files", "audit_web")


def _tell_entrance(target: Target) -> Iterator[ByHand]:
    yield ByHand(
        target.manage.name,
        f"cp -p {COMPOSE}/plugin.yaml {ROOT}/plugin.yaml.before\n"
        f"sed -i 's|--plugin-opts=urls=[^ \"]*|--plugin-opts=urls={target.lb_urls}|' {COMPOSE}/plugin.yaml\n"
        "dc-compose up -d rbd-entrance",
    )


def running(host: SeenHost, name: str) -> Part:
    """Whether a container runs that has to."""
    container = host.container(name)
    return value(host, name, f"{container.image} {container.status}" if container else "", good=container is not None)


def _balancers(site: SeenSite) -> Iterator[Part]:
    def wanted(host: SeenHost) -> Iterator[Part]:
        yield from compose_problems(host)
        if "rbd-lb" in host.services:
            path, service = host.services["rbd-lb"]
            yield at_line(host, path, service.line, "rbd-lb", good=True)
        else:
            yield Part(host.name, RowState.DIFFERS, T("audit.seen.no_service", name="rbd-lb", path=COMPOSE))
        yield running(host, "rbd-lb")

    def unwanted(host: SeenHost) -> Iterator[Part]:
        if "rbd-lb" in host.services:
            path, service = host.services["rbd-lb"]
            yield at_line(host, path, service.line, "rbd-lb", good=False)
        else:
            yield Part(host.name, RowState.OK, T("audit.seen.no_service", name="rbd-lb", path=COMPOSE))
        if host.container("rbd-lb") is not None:
            yield Part(host.name, RowState.DIFFERS, T("audit.seen.still_runs", name="rbd-lb"))

    yield from each(site.computes, wanted, "compose_files", "containers")
    yield from each((site.manage,), unwanted, "compose_files", "containers")


def _move_balancer(target: Target) -> Iterator[ByHand]:
    for server in target.computes:
        yield ByHand(
            server.name,
            f"mkdir -p {COMPOSE}\nscp {target.manage.name}:{COMPOSE}/lb.yaml {COMPOSE}/\ndc-compose up -d rbd-lb",
        )
    yield ByHand(
        target.manage.name,
        f"mv {COMPOSE}/lb.yaml {COMPOSE}/lb.yaml.bak\ndc-compose up -d --remove-orphans",
    )


def _base_there(site: SeenSite) -> Iterator[Part]:
    path = f"{COMPOSE}/base.yaml"

    def look(host: SeenHost) -> Iterator[Part]:
        yield there(host, path, good=path in host.compose_files)

    return each(site.computes, look, "compose_files")


def _copy_base(target: Target) -> Iterator[ByHand]:
    for server in target.computes:
        yield ByHand(server.name, f"scp {target.manage.name}:{COMPOSE}/base.yaml {COMPOSE}/base.yaml")


def _same_rules(site: SeenSite) -> Iterator[Part]:
    first, second = site.computes
    unknown = [part for host in (first, second) if (part := not_known(host, "dynamics")) is not None]
    if unknown:
        yield from unknown
        return
    for host in (first, second):
        if host.dynamics is None:
            yield absent(host, DYNAMICS)
        elif any(path.startswith("./dynamics/") for path in host.dynamics):
            yield Part(host.name, RowState.DIFFERS, T("audit.seen.nested", path=f"{DYNAMICS}/dynamics"))
    if first.dynamics is None or second.dynamics is None:
        return
    one, other = first.dynamics, second.dynamics
    differing = sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))
    if differing:
        named = ", ".join(path.removeprefix("./") for path in differing[:_MOST_FILES])
        yield Part(second.name, RowState.DIFFERS, T("audit.seen.rules_differ", count=len(differing), files=named))
    else:
        yield Part(second.name, RowState.OK, T("audit.seen.rules_same", count=len(one)))


def _copy_rules(target: Target) -> Iterator[ByHand]:
    """The second takes them from the first: those of the managing server get old once rbd-lb has left it."""
    first, second = target.computes
    for server, source in ((first, target.manage), (second, first)):
        yield ByHand(server.name, f"mkdir -p {DYNAMICS}\nrsync -a --delete {source.name}:{DYNAMICS}/ {DYNAMICS}/")


def upstreams_of(target: Target) -> dict[str, str]:
    """Where the registry and the package repository are: with the managing server."""
    manage = target.manage.address
    return {"lang": f"{manage}:{REPO_PORT}", "maven": f"{manage}:{REPO_PORT}", "registry": f"{manage}:{HUB_PORT}"}


def _upstreams(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        if host.lb_default.text is None:
            yield absent(host, LB_DEFAULT)
            return
        yield from broken(host, LB_DEFAULT, host.lb_read.problems)
        found = {block.value: block for block in host.lb_read.root.all("upstream")}
        for name, address in upstreams_of(site.target).items():
            block = found.get(name)
            if block is None:
                yield Part(host.name, RowState.DIFFERS, T("audit.seen.nothing", what=f"{LB_DEFAULT} upstream {name}"))
                continue
            servers = [server.value for server in block.all("server")]
            yield at_line(host, LB_DEFAULT, block.line, f"{name} {' '.join(servers)}", good=servers == [address])

    yield from each(site.computes, look, "lb_default")
    for server in site.target.computes:
        yield from _through(site.manage, server.name)


def _through(manage: SeenHost, name: str) -> Iterator[Part]:
    """What the registry and the repository answer through a compute node, asked from the managing server."""
    for what in ("registry", "maven"):
        status = manage.web.get(f"{name}/{what}")
        if status is not None:
            good = status not in _NO_ANSWER and not status.startswith("5")
            yield value(manage, f"{name} {what}", status if status not in _NO_ANSWER else "", good=good)


def _edit_upstreams(target: Target) -> Iterator[ByHand]:
    wanted = "\n".join(
        f"upstream {name} {{\n    server {address};\n}}" for name, address in upstreams_of(target).items()
    )
    for server in target.computes:
        yield ByHand(server.name, f"# {LB_DEFAULT}\n{wanted}")
        yield ByHand(server.name, "docker exec rbd-lb nginx -t\ndocker exec rbd-lb nginx -s reload")


def _names(site: SeenSite) -> Iterator[Part]:
    target = site.target
    wanted = {**dict.fromkeys(OF_VIP, target.vip), **dict.fromkeys(OF_MANAGE, target.manage.address)}

    def look(host: SeenHost) -> Iterator[Part]:
        yield from broken(host, host.hosts.path, host.hosts_read.problems)
        for name, address in wanted.items():
            line, seen = host.hosts_read.first(name), host.names.get(name, "")
            if line is not None:
                yield at_line(host, host.hosts.path, line.line, f"{line.address} {name}",
                              good=line.address == address)  # fmt: skip
            else:
                yield value(host, name, seen, good=seen == address, weak=True)

    return each(site.all, look, "hosts", "audit_names")


def _name_lines(target: Target) -> Iterator[ByHand]:
    names = "|".join(name.replace(".", r"\.") for name in (*OF_VIP, *OF_MANAGE))
    for server in target.servers:
        yield ByHand(
            server.name,
            "cp -p /etc/hosts /etc/hosts.before\n"
            f"sed -i -E '/[[:space:]]({names})([[:space:]]|$)/s/^/# /' /etc/hosts\n"
            "cat >>/etc/hosts <<'END'\n"
            f"{target.manage.address} {target.manage.name} HOST_UUID {' '.join(OF_MANAGE)}\n"
            f"{target.vip} {' '.join(OF_VIP)}\n"
            f"END\n# HOST_UUID: {UUID_FILE} of {target.manage.name}",
        )


ROWS: Final = (
    RowSpec("C21", Group.ENTRANCE, _urls, _tell_entrance, carries=True),
    RowSpec("C22", Group.ENTRANCE, _balancers, _move_balancer, carries=True),
    RowSpec("C23", Group.ENTRANCE, _base_there, _copy_base, only_36=True),
    RowSpec("C24", Group.ENTRANCE, _same_rules, _copy_rules, carries=True),
    RowSpec("C25", Group.ENTRANCE, _upstreams, _edit_upstreams),
    RowSpec("C25b", Group.ENTRANCE, _names, _name_lines, carries=True),
)
