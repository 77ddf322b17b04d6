"""Rows C36 to C39: what users are shown is the address that moves; and what stays on the managing server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from rbdtui.audit.row import ByHand, Group, Part, RowSpec, RowState, each, there, value
from rbdtui.audit.seen import SeenHost, SeenSite
from rbdtui.audit.target import Target
from rbdtui.words import T

_NAME, _TCP, _WEB_SOCKET, _HTTP = range(4)
VENDOR: Final = "grapps.cn"
"""Names below it are the maker's: ``domain-cli`` moves them, and needs the internet."""
_MYSQL: Final = "docker exec rbd-db mysql"


def _region(look: Callable[[SeenSite, SeenHost, tuple[str, ...]], Iterator[Part]]) -> Callable[..., Iterator[Part]]:
    """Look at the one row of console.region_info."""

    def rows(site: SeenSite) -> Iterator[Part]:
        def seen(host: SeenHost) -> Iterator[Part]:
            found = host.region
            if found is None:
                yield there(host, "docker", good=False)
            elif len(found) != 1 or len(found[0]) <= _HTTP:
                yield Part(host.name, RowState.DIFFERS, T("audit.seen.regions", count=len(found)))
            else:
                yield from look(site, host, found[0])

        return each((site.manage,), seen, "region_info")

    return rows


def _domain(_: SeenSite, host: SeenHost, row: tuple[str, ...]) -> Iterator[Part]:
    whose = "vendor" if VENDOR in row[_HTTP] else "own"
    text = T(f"audit.seen.domain_{whose}", domain=row[_HTTP])  # words: audit.seen.*
    yield Part(host.name, RowState.NOTE, text)


def _tcp(site: SeenSite, host: SeenHost, row: tuple[str, ...]) -> Iterator[Part]:
    yield value(host, "region_info.tcpdomain", row[_TCP], good=row[_TCP] == site.target.vip)


def _web_socket(site: SeenSite, host: SeenHost, row: tuple[str, ...]) -> Iterator[Part]:
    moves = site.target.vip in row[_WEB_SOCKET].replace("/", ":").split(":")
    yield value(host, "region_info.wsurl", row[_WEB_SOCKET] or "-", good=True, weak=not moves)


def _on_manage(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        for name in ("rbd-hub", "rbd-repo"):
            runs = host.container(name) is not None
            yield value(host, name, host.name if runs else "", good=runs)

    return each((site.manage,), look, "containers")


def _move_domain(target: Target) -> Iterator[ByHand]:
    yield ByHand(target.manage.name, f"grctl domain --ip {target.vip}   # prints success, or DOMAIN NOT ALLOW; ends 0")


def _set_tcp(target: Target) -> Iterator[ByHand]:
    yield ByHand(
        target.manage.name,
        f"{_MYSQL}dump console region_info   # keep what is printed\n" + _set("tcpdomain", target.vip),
    )


def _set_web_socket(target: Target) -> Iterator[ByHand]:
    yield ByHand(target.manage.name, _set("wsurl", f"ws://{target.vip}:6060"))


def _set(column: str, wanted: str) -> str:
    return f"{_MYSQL} -e \"USE console; UPDATE region_info SET {column}='{wanted}'\""  # noqa: S608 - words to type


ROWS: Final = (
    RowSpec("C36", Group.SWITCH, _region(_domain), _move_domain),
    RowSpec("C37", Group.SWITCH, _region(_tcp), _set_tcp),
    RowSpec("C38", Group.SWITCH, _region(_web_socket), _set_web_socket),
    RowSpec("C39", Group.SWITCH, _on_manage),
)
