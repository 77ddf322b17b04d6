"""Files of a Rainbond 3.6 as the page wants them: read as data, changed where they differ, every other byte kept.

All are pure, and edited once more a text stays the same. What cannot be edited safely is a `NotEditableError`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from rbdtui.audit.files.blocks import read_nginx
from rbdtui.audit.files.compose import Service, read_compose
from rbdtui.audit.files.lines import read_environment, read_fstab, read_hosts
from rbdtui.audit.rows.dns import records_for
from rbdtui.audit.rows.entrance import upstreams_of
from rbdtui.audit.rows.glusterfs import fstab_fits
from rbdtui.audit.target import GRDATA, OF_MANAGE, OF_VIP, Server, Target
from rbdtui.plan.repairs.hosts_lines import without_stale
from rbdtui.words import T, Text

URLS: Final = "urls="
_TOLD: Final = "# Rainbond 3.6, minimal high availability (rbdtui convert):\n"
_OUT_OF_USE: Final = "# before rbdtui convert: "


class NotEditableError(Exception):
    """A file is not as the installer writes it, and nothing is guessed."""

    def __init__(self, text: Text) -> None:
        super().__init__(str(text))
        self.text = text


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def fstab(text: str, target: Target, server: Server) -> str:
    """One line for the shared data, from the volume; what was mounted there before becomes a comment."""
    read = read_fstab(text)
    lines = read.at(GRDATA)
    if len(lines) == 1 and fstab_fits(target, server, lines[0], 1)["good"]:
        return text
    old = {line.line for line in lines}
    kept = [
        f"{_OUT_OF_USE}{line}" if number in old else line
        for number, line in enumerate(text.splitlines(keepends=True), 1)
    ]
    return f"{_ended(''.join(kept))}{target.fstab_line(server)}\n"


def server_names(target: Target) -> dict[str, str]:
    """Names of the three servers, by which GlusterFS knows them."""
    return {server.name: server.address for server in target.servers}


def all_names(target: Target, manage_uuid: str) -> dict[str, str]:
    """These, and where names of the platform lead: to the address that moves, or to the managing server."""
    manage = target.manage.address
    names = {**server_names(target), **dict.fromkeys(OF_MANAGE, manage), **dict.fromkeys(OF_VIP, target.vip)}
    return names | ({manage_uuid: manage} if manage_uuid else {})


def hosts(text: str, names: Mapping[str, str]) -> str:
    """A hosts file in which each of these names has one address; new lines stand at the top, as the first one counts.

    With ``multi on`` in host.conf, which is what distributions ship, all lines of a name count (host.conf(5)): those
    with another address go.
    """
    cleaned = without_stale(text, names)
    read = read_hosts(cleaned)
    missing: dict[str, list[str]] = {}
    for name, address in names.items():
        if (line := read.first(name)) is None or line.address != address:
            missing.setdefault(address, []).append(name)
    lines = "".join(f"{address} {' '.join(own)}\n" for address, own in missing.items())
    if not lines:
        return cleaned
    return _TOLD + lines + cleaned.replace(_TOLD, "", 1)


def resolvers(text: str, servers: str) -> str:
    """``kubelet.sh`` with these resolvers for containers; HOST_UUID is the node's identity and stays."""
    variable = read_environment(text).variables.get("DNS_SERVERS")
    if variable is not None and variable.value == servers:
        return text
    wanted = f"DNS_SERVERS={servers}"
    lines = text.splitlines(keepends=True)
    if variable is None:
        return f"{_ended(text)}{wanted}\n"
    old = lines[variable.line - 1]
    lines[variable.line - 1] = wanted + old[len(old.rstrip("\r\n")) :]
    return "".join(lines)


def upstreams(text: str, target: Target) -> str:
    """rbd-lb's own rules with the registry and the repository where they are: on the managing server."""
    read = read_nginx(text)
    if read.problems:
        raise NotEditableError(read.problems[0].text)
    found = {block.value: block for block in read.root.all("upstream")}
    lines = text.splitlines(keepends=True)
    before = ""
    for name, address in upstreams_of(target).items():
        block = found.get(name)
        servers = block.all("server") if block is not None else []
        if block is None:
            before += f"upstream {name} {{\n    server {address};\n}}\n\n"
        elif len(servers) != 1:
            raise NotEditableError(T("convert.upstream", name=name, count=len(servers)))
        elif servers[0].value != address:
            place = servers[0].line - 1
            lines[place] = re.sub(
                rf"(\bserver\s+){re.escape(servers[0].value)}", rf"\g<1>{address}", lines[place], count=1
            )
    after = before + "".join(lines)
    good = {
        block.value: [each.value for each in block.all("server")] for block in read_nginx(after).root.all("upstream")
    }
    if any(good.get(name) != [address] for name, address in upstreams_of(target).items()):
        raise NotEditableError(T("convert.upstream", name=", ".join(upstreams_of(target)), count=0))
    return after


def option(text: str, service: str, name: str, value: str) -> str:
    """A compose file in which the option ``--NAME=`` of a service has another value, and nothing else differs."""
    read = read_compose(text)
    if read.problems:
        raise NotEditableError(read.problems[0].text)
    known = read.services.get(service)
    old = known.option(name) if known is not None else None
    if known is None or old is None:
        raise NotEditableError(T("convert.no_option", service=service, option=f"--{name}="))
    if old.text == value:
        return text
    node = _command(text, service)
    items = node.value if isinstance(node, yaml.SequenceNode) else [node]
    for item in items:
        begin, end = item.start_mark.index, item.end_mark.index
        raw = text[begin:end]
        changed = raw.replace(f"--{name}={old.text}", f"--{name}={value}", 1)
        if changed != raw:
            after = text[:begin] + changed + text[end:]
            again = read_compose(after)
            seen = again.services[service].option(name) if service in again.services else None
            if not again.problems and seen is not None and seen.text == value:
                return after
    raise NotEditableError(T("convert.no_option", service=service, option=f"--{name}="))


def _command(text: str, service: str) -> Any:
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    for key in ("services", service, "command"):
        root = next(value for name, value in root.value if name.value == key)
    return root


def dns_alone(text: str, target: Target) -> str:
    """A compose file with rbd-dns alone, as another file has it, with records that lead to the address that moves.

    Resolvers stay the site's own. Comments of the other file are not taken over.
    """
    read = read_compose(text)
    if read.problems or "rbd-dns" not in read.services:
        problem = (
            read.problems[0].text if read.problems else T("convert.no_option", service="rbd-dns", option="command")
        )
        raise NotEditableError(problem)
    data = yaml.safe_load(option(text, "rbd-dns", "recoders", records_for(target)))
    whole = {"version": str(data.get("version", "2.1")), "services": {"rbd-dns": data["services"]["rbd-dns"]}}
    return str(yaml.safe_dump(whole, sort_keys=False, default_flow_style=False, width=4096))


def services_of(text: str) -> Mapping[str, Service]:
    """Services of a compose file; none of one that cannot be read."""
    return read_compose(text).services
