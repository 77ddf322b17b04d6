"""Rows C31 to C35: an address that moves between the two compute nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from rbdtui.audit.facts import KEEPALIVED
from rbdtui.audit.files.blocks import Block
from rbdtui.audit.row import ByHand, Group, Part, RowSpec, RowState, absent, at_line, broken, each, there, value
from rbdtui.audit.seen import SeenHost, SeenSite
from rbdtui.audit.target import LB_API_PORT, Target
from rbdtui.words import T

_SCRIPT: Final = "/etc/keepalived/check_rbd_lb.sh"


def _program(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        yield there(host, "keepalived", good="keepalived" in host.programs)

    return each(site.computes, look, "audit_programs")


def _kept(site: SeenSite) -> Iterator[Part]:
    for server in site.target.computes:
        yield Part(server.name, RowState.NOTE, T("audit.seen.keep", path=KEEPALIVED))


def _keep(target: Target) -> Iterator[ByHand]:
    for server in target.computes:
        yield ByHand(server.name, f"cp -p {KEEPALIVED} {KEEPALIVED}.before")


def _install(target: Target) -> Iterator[ByHand]:
    for server in target.computes:
        yield ByHand(server.name, "yum install -y keepalived")


def instance_with(host: SeenHost, vip: str) -> Block | None:
    """The virtual router that carries an address."""
    for instance in host.keepalived_read.root.all("vrrp_instance"):
        addresses = instance.first("virtual_ipaddress")
        carried = {block.name.partition("/")[0] for block in addresses.inside} if addresses is not None else set()
        if vip in carried:
            return instance
    return None


def _configured(index: int) -> Callable[[SeenSite], Iterator[Part]]:
    def rows(site: SeenSite) -> Iterator[Part]:
        target = site.target

        def look(host: SeenHost) -> Iterator[Part]:
            if host.keepalived.text is None:
                yield absent(host, KEEPALIVED)
                return
            yield from broken(host, KEEPALIVED, host.keepalived_read.problems)
            fits = list(instance_fits(site, host))
            if not fits:
                yield Part(host.name, RowState.DIFFERS, T("audit.seen.no_instance", path=KEEPALIVED, vip=target.vip))
            yield from fits

        return each((site.computes[index],), look, "keepalived_conf", "interfaces")

    return rows


def instance_fits(site: SeenSite, host: SeenHost) -> Iterator[Part]:
    """How the virtual router with the address stands on a compute node; nothing where there is none."""
    instance = instance_with(host, site.target.vip)
    if instance is not None:
        yield from _instance(site, host, instance, first=host.server == site.target.computes[0])


def _instance(site: SeenSite, host: SeenHost, instance: Block, *, first: bool) -> Iterator[Part]:
    def directive(name: str, *, good: Callable[[str], bool], weak: Callable[[str], bool] = lambda _: False) -> Part:
        block = instance.first(name)
        seen = block.value if block is not None else ""
        line = block.line if block is not None else instance.line
        return at_line(host, KEEPALIVED, line, f"{name} {seen}".strip(), good=good(seen), weak=weak(seen))

    yield directive("state", good=lambda seen: seen in ("MASTER", "BACKUP"))
    names = {each_interface.name for each_interface in host.interfaces}
    yield directive("interface", good=lambda seen: seen in names)
    router_id = str(site.target.router_id)
    yield directive("virtual_router_id", good=lambda seen: seen == router_id)
    others = [instance_with(other, site.target.vip) for other in site.computes if other is not host]
    priorities = [_priority(other) for other in others if other is not None]
    own = _priority(instance)
    above = all(own > other if first else own < other for other in priorities)
    yield directive("priority", good=lambda _: above)
    checked = instance.first("track_script") is not None
    what = "track_script" if checked else "-"
    yield at_line(host, KEEPALIVED, instance.line, f"track_script: {what}", good=True, weak=not checked)


def _priority(instance: Block) -> int:
    block = instance.first("priority")
    word = block.value if block is not None else ""
    return int(word) if word.isascii() and word.isdigit() and len(word) < 4 else 100


def _write(index: int) -> Callable[[Target], Iterator[ByHand]]:
    def steps(target: Target) -> Iterator[ByHand]:
        server, other = target.computes[index], target.computes[1 - index]
        yield ByHand(
            server.name,
            f"""cat >{_SCRIPT} <<'END'
#!/bin/sh
exec curl -s -o /dev/null -m 2 http://127.0.0.1:{LB_API_PORT}/
END
chmod 755 {_SCRIPT}
cat >{KEEPALIVED} <<'END'
global_defs {{
  router_id {server.name}
  enable_script_security
  script_user root
}}
vrrp_script rbd_lb {{
  script "{_SCRIPT}"
  interval 3
  timeout 3
  fall 3
  rise 2
}}
vrrp_instance VI_1 {{
  state BACKUP
  interface INTERFACE
  virtual_router_id {target.router_id}
  priority {100 if index == 0 else 50}
  advert_int 1
  unicast_src_ip {server.address}
  unicast_peer {{
    {other.address}
  }}
  authentication {{
    auth_type PASS
    auth_pass PASSWORD
  }}
  virtual_ipaddress {{
    {target.vip}/{target.prefix_length}
  }}
  track_script {{
    rbd_lb
  }}
}}
END
systemctl enable keepalived
systemctl restart keepalived""",
        )

    return steps


def _holder(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        state = host.units.get("keepalived")
        seen = f"{state.active}, {state.enabled}" if state is not None else ""
        yield value(host, "keepalived", seen, good=seen == "active, enabled")

    yield from each(site.computes, look, "audit_units", "interfaces")
    if any(host.unreached is not None or "interfaces" in host.failed for host in site.all):
        return
    holders = [host.name for host in site.all if host.holds(site.target.vip)]
    good = len(holders) == 1 and holders[0] != site.manage.name
    state = RowState.OK if good else RowState.DIFFERS
    yield Part("", state, T("audit.seen.holders", vip=site.target.vip, holders=", ".join(holders) or "-"))


def _start(target: Target) -> Iterator[ByHand]:
    for server in target.computes:
        yield ByHand(
            server.name,
            "systemctl enable keepalived\nsystemctl start keepalived\n"
            f"ip -o -4 address show to {target.vip}   # on exactly one of the two",
        )


ROWS: Final = (
    RowSpec("C31", Group.VIP, _program, _install),
    RowSpec("C32", Group.VIP, _kept, _keep),
    RowSpec("C33", Group.VIP, _configured(0), _write(0), carries=True),
    RowSpec("C34", Group.VIP, _configured(1), _write(1), carries=True),
    RowSpec("C35", Group.VIP, _holder, _start, carries=True),
)
