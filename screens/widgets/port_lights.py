"""The gateway ports per gateway and through the shared address, as a table or in one line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.cells import cell_len
from textual import events
from textual.geometry import Size

from rbdtui.probes.model import BALANCER, VIP
from rbdtui.words import T
from rbdtui.workbench.health.gateway_view import GatewayView, Light
from screens.terminal.clock import moment
from screens.widgets.canvas import Canvas, Span, Spans, cut, cut_name
from screens.widgets.marks import PROBE_MARKS, state_word

_GAP: Final = 2
_MOST_SIGNS: Final = 4
"""With more targets the line counts instead of showing each."""
_LABEL_CELLS: Final = 8
_LEAST_CELL: Final = 6


class PortLights(Canvas, can_focus=False):
    """What gateways answer: in a line where there is little room, else in a table with the holder below."""

    def __init__(self, *, table: bool, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._table = table
        self._view = GatewayView((), {})
        self._ascii = False

    def show(self, view: GatewayView, *, ascii_only: bool) -> None:
        """Show these answers."""
        self._view, self._ascii = view, ascii_only
        self._draw_all()

    def on_resize(self, _: events.Resize) -> None:
        """Use the room."""
        self._draw_all()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As high as what is to be drawn, also before it is: without a height it would never be drawn."""
        if self._table and width:
            return len(list(self._rows(width)))
        return super().get_content_height(container, viewport, width)

    def _draw_all(self) -> None:
        width = self.content_size.width
        if not self._table:
            self.draw([tuple(self._strip(width))])
        elif width:
            self.draw(self._rows(width))

    # --- in one line -----------------------------------------------------------------------------------------

    def _strip(self, width: int) -> Iterable[Span]:
        view = self._view
        if not view.lights or view.unused or view.not_yet:
            yield Span(0, str(T(f"run_screen.ports.{self._common_word()}")), "muted")  # words: run_screen.ports.*
            return
        *gateways, last = view.targets
        shared = last in (VIP, BALANCER)
        x = 0
        for port in self._view.ports:
            yield Span(x, f"{port} ", "muted")
            x += cell_len(f"{port} ")
            for text, look in self._signs(port, gateways if shared else [*gateways, last]):
                yield Span(x, text, look)
                x += cell_len(text)
            if shared:
                text, look = self._sign(last, port)
                yield Span(x + 1, text, look)
                x += 2
            x += _GAP

    def _common_word(self) -> str:
        if not self._view.lights:
            return "unasked"
        return "unused" if self._view.unused else "not_yet"

    def _signs(self, port: int, targets: list[str]) -> Iterable[tuple[str, str]]:
        if len(targets) <= _MOST_SIGNS:
            yield from (self._sign(target, port) for target in targets)
            return
        good = sum(self._good(target, port) for target in targets)
        look = "success" if good == len(targets) else "bold error"
        yield f"{good}/{len(targets)}", look

    def _good(self, target: str, port: int) -> bool:
        light = self._view.lights.get((target, port))
        return light is not None and light.state.good

    def _sign(self, target: str, port: int) -> tuple[str, str]:
        light = self._view.lights.get((target, port))
        if light is None:
            return (".", "muted") if self._ascii else ("·", "muted")
        mark = PROBE_MARKS[light.state]
        return mark.sign(ascii_only=self._ascii), mark.look

    # --- as a table ------------------------------------------------------------------------------------------

    def _rows(self, width: int) -> Iterable[Spans]:
        targets = self._view.targets
        if not targets:
            yield (Span(0, str(T("run_screen.ports.title")), "bold"),)
            yield (Span(0, str(T("run_screen.ports.unasked")), "muted"),)
            return
        shown = self._in_sight((width - _LABEL_CELLS) // _LEAST_CELL)
        cells = min(12, (width - _LABEL_CELLS) // len(shown))
        head = [Span(0, str(T("run_screen.ports.title")), "muted", _LABEL_CELLS - 1)]
        for index, target in enumerate(shown):
            text = cut_name(target, cells - 1, "~" if self._ascii else "…")
            head.append(Span(_LABEL_CELLS + index * cells, text, "bold", cells - 1))
        yield tuple(head)
        for port in self._view.ports:
            line = [Span(0, str(port), "", _LABEL_CELLS - 1)]
            for index, target in enumerate(shown):
                text, look = self._cell(target, port, cells - 1)
                line.append(Span(_LABEL_CELLS + index * cells, text, look, cells - 1))
            yield tuple(line)
        yield self._holder(width)
        yield from self._troubles(width)

    def _in_sight(self, room: int) -> tuple[str, ...]:
        """As many targets as there is room for: the shared address, and gateways that are not well before others."""
        *gateways, last = self._view.targets
        if len(gateways) < room:
            return self._view.targets
        bad = {target for target, _, _ in self._view.bad}
        kept = sorted(gateways, key=lambda target: target not in bad)[: max(1, room - 1)]
        return (*(target for target in gateways if target in kept), last)

    def _cell(self, target: str, port: int, cells: int) -> tuple[str, str]:
        light = self._view.lights.get((target, port))
        if light is None:
            return self._sign(target, port)
        sign, look = self._sign(target, port)
        for word in _words_of(light):
            if cell_len(word) + 2 <= cells:
                return f"{sign} {word}".rstrip(), look
        return sign, look

    def _holder(self, width: int) -> Spans:
        view = self._view
        if view.holder is None:
            return ()
        sign = PROBE_MARKS[view.holder.state]
        label = Span(0, str(T("run_screen.ports.holder")), "", _LABEL_CELLS - 1)
        node = view.holder_node or str(state_word(view.holder.state))
        text = f"{sign.sign(ascii_only=self._ascii)} {node}"
        return (label, Span(_LABEL_CELLS, cut(text, width - _LABEL_CELLS), sign.look))

    def _troubles(self, width: int) -> Iterable[Spans]:
        """Why ports are not as they should be, as far as there is room."""
        for target, port, light in self._view.bad[: max(0, self.size.height - len(self._view.ports) - 3)]:
            when = moment(light.since)
            yield (
                Span(0, when, "muted", 9),
                Span(9, cut(f"{target} {port}: {light.detail}", max(1, width - 9), "~" if self._ascii else "…")),
            )


def _words_of(light: Light) -> Iterable[str]:
    if light.unused:
        yield str(T("run_screen.ports.unused_cell"))
    elif light.latency_ms is not None and light.state.good:
        yield latency(light.latency_ms)
    yield str(state_word(light.state))
    yield ""


def latency(ms: float) -> str:
    """A latency in few cells."""
    return f"{ms / 1000:.1f}s" if ms >= 1000 else f"{ms:.0f}ms"
