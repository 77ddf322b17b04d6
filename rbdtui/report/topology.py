"""The drawing of a cluster: what users connect to, the nodes with their roles, and what is used beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from rbdtui.report.markup import Html, fitted, join, tag, width_of
from rbdtui.report.model import Box, NodeLine, Topology
from rbdtui.roles import OUTSIDE, Role
from rbdtui.words import T, Text

_CARD_H: Final = 82.0
_GAP: Final = 14.0
_ARROW: Final = 34.0
_MOST_CARDS: Final = 24
"""Of one group; a drawing of hundreds tells nothing that the table does not."""


@dataclass(slots=True)
class _Canvas:
    width: float
    columns: int
    y: float = 8.0
    parts: list[Html] = field(default_factory=list)

    def add(self, *parts: Html) -> None:
        self.parts += parts

    def text(
        self, x: float, y: float, words: str | Text, *, size: float, room: float, kind: str, middle: bool = False
    ) -> None:
        anchor = "middle" if middle else None
        self.add(tag("text", fitted(words, size, room), x=x, y=y, font_size=size, class_=kind, text_anchor=anchor))

    def arrow(self) -> None:
        """From what stands above to what comes below."""
        x, top, tip = self.width / 2, self.y + 3, self.y + _ARROW - 3
        self.add(tag("path", d=f"M{x:.1f} {top:.1f}V{tip - 6:.1f}", class_="wire"))
        self.add(
            tag("path", d=f"M{x - 5:.1f} {tip - 7:.1f}L{x:.1f} {tip:.1f}L{x + 5:.1f} {tip - 7:.1f}Z", class_="tip")
        )
        self.y += _ARROW


def draw_topology(topology: Topology, *, width: float, columns: int) -> Html:
    """As SVG of this width in its own units, with so many nodes side by side."""
    canvas = _Canvas(width, columns)
    balancers = [node for node in topology.nodes if Role.BALANCER in node.roles]
    gateways = [node for node in topology.nodes if Role.GATEWAY in node.roles]
    others = [node for node in topology.nodes if not ({Role.GATEWAY} | OUTSIDE) & set(node.roles)]
    services = [node for node in topology.nodes if Role.SERVICE in node.roles]
    _pill(canvas, T("report.topology.users"))
    canvas.arrow()
    if topology.entry is not None and (gateways or balancers):
        _boxes(canvas, [topology.entry], "box entry")
        canvas.arrow()
    if balancers:
        _group(canvas, T("report.topology.balancers"), balancers)
        canvas.arrow()
    if gateways:
        _group(canvas, T("report.topology.gateways"), gateways)
    if topology.api is not None:
        canvas.y += _GAP
        _boxes(canvas, [topology.api], "box", T("report.topology.api"))
    if others:
        canvas.y += _GAP if gateways or topology.api is not None else 0.0
        _group(canvas, T("report.topology.others") if gateways else T("report.topology.nodes"), others)
    if services:
        canvas.arrow()
        _group(canvas, T("report.topology.services"), services)
    if topology.outside:
        canvas.arrow()
        _boxes(canvas, topology.outside, "box outside")
    height = canvas.y + 8
    return tag(
        "svg",
        join(canvas.parts),
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        role="img",
        aria_label=T("report.topology.title"),
        class_="topology",
        xmlns="http://www.w3.org/2000/svg",
    )


def _pill(canvas: _Canvas, words: Text) -> None:
    said = str(words)
    wide = min(canvas.width - 8, width_of(said, 13) + 36)
    x = (canvas.width - wide) / 2
    canvas.add(tag("rect", x=x, y=canvas.y, width=wide, height=30.0, rx=15.0, class_="users"))
    canvas.text(canvas.width / 2, canvas.y + 20, said, size=13, room=wide - 16, kind="strong", middle=True)
    canvas.y += 30


def _boxes(canvas: _Canvas, boxes: Sequence[Box], kind: str, heading: Text | None = None) -> None:
    """Side by side, as many as there is room for."""
    each = min(230.0, (canvas.width - 8 - _GAP) / 2)
    across = max(1, min(len(boxes), int((canvas.width - 8 + _GAP) // (each + _GAP))))
    for start in range(0, len(boxes), across):
        line = boxes[start : start + across]
        x = (canvas.width - len(line) * each - (len(line) - 1) * _GAP) / 2
        for box in line:
            name = heading or Text(f"report.topology.{box.kind.value}")  # words: report.topology.*
            canvas.add(tag("rect", x=x, y=canvas.y, width=each, height=46.0, rx=8.0, class_=kind))
            middle = x + each / 2
            canvas.text(middle, canvas.y + 19, name, size=12, room=each - 12, kind="soft", middle=True)
            canvas.text(middle, canvas.y + 36, box.at, size=14, room=each - 12, kind="strong", middle=True)
            x += each + _GAP
        canvas.y += 46 + (_GAP if start + across < len(boxes) else 0)


def _group(canvas: _Canvas, heading: Text, nodes: Sequence[NodeLine]) -> None:
    shown = nodes if len(nodes) <= _MOST_CARDS else nodes[: _MOST_CARDS - 1]
    left_out = len(nodes) - len(shown)
    cells = len(shown) + (left_out > 0)
    columns = min(canvas.columns, cells)
    each = min(300.0, (canvas.width - 8 - 2 * _GAP - (columns - 1) * _GAP) / columns)
    rows = -(-cells // columns)
    top, high = canvas.y, 34 + rows * (_CARD_H + _GAP)
    canvas.add(tag("rect", x=4.0, y=top, width=canvas.width - 8, height=high, rx=12.0, class_="group"))
    canvas.text(4 + _GAP, top + 22, heading, size=13, room=canvas.width - 40, kind="soft")
    for index in range(cells):
        line = index // columns
        in_line = min(columns, cells - line * columns)
        start = (canvas.width - in_line * each - (in_line - 1) * _GAP) / 2
        x, y = start + (index % columns) * (each + _GAP), top + 34 + line * (_CARD_H + _GAP)
        if index < len(shown):
            _card(canvas, shown[index], x, y, each)
        else:
            canvas.add(tag("rect", x=x, y=y, width=each, height=_CARD_H, rx=8.0, class_="more"))
            words = T("report.topology.more", count=left_out)
            canvas.text(x + each / 2, y + _CARD_H / 2 + 5, words, size=13, room=each - 16, kind="soft", middle=True)
    canvas.y = top + high


def _card(canvas: _Canvas, node: NodeLine, x: float, y: float, wide: float) -> None:
    canvas.add(tag("rect", x=x, y=y, width=wide, height=_CARD_H, rx=8.0, class_="card"))
    canvas.text(x + 12, y + 23, node.name, size=15, room=wide - 24, kind="strong")
    canvas.text(x + 12, y + 41, node.address, size=12, room=wide - 24, kind="soft")
    at, room = x + 12, x + wide - 10
    for role in node.roles:
        long = width_of(role.value, 10.5) + 12
        if at + long > room:
            canvas.text(at, y + 67, "…", size=12, room=20, kind="soft")
            break
        canvas.add(tag("rect", x=at, y=y + 53, width=long, height=19.0, rx=9.5, class_=f"role role-{role.value}"))
        canvas.text(at + long / 2, y + 66, role.value, size=10.5, room=long, kind="role-name", middle=True)
        at += long + 5
