"""Lines of what happened, the newest last and in sight until the operator moves; only lines in sight are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from screens.widgets.canvas import Canvas, Span, Spans
from screens.widgets.sight import Sight

LINE_KEYS: Final[tuple[BindingType, ...]] = (
    Binding("up", "move(-1)", "key.move", id="move", show=False),
    Binding("down", "move(1)", "key.move", id="move", show=False),
    Binding("pageup", "page(-1)", "key.page", id="page", show=False),
    Binding("pagedown", "page(1)", "key.page", id="page", show=False),
    Binding("home", "move(-1000000)", "key.page", id="page", show=False),
    Binding("end", "move(1000000)", "key.page", id="page", show=False),
)
"""For lists in which the newest is nothing special."""


class EventList(Canvas, can_focus=True):
    """A list that grows; posts `Chosen` with the place of the line that Enter was pressed on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "key.scroll", id="scroll"),
        Binding("down", "move(1)", "key.scroll", id="scroll"),
        Binding("pageup", "page(-1)", "key.page", id="page", show=False),
        Binding("pagedown", "page(1)", "key.page", id="page", show=False),
        Binding("home", "move(-1000000)", "key.log_top", id="log_top", show=False),
        Binding("end", "follow", "key.follow", id="follow"),
        Binding("enter", "choose", "key.show_moment", id="show_moment"),
    ]

    class Chosen(Message):
        """A line was chosen."""

        def __init__(self, events: EventList, index: int) -> None:
            super().__init__()
            self.events, self.index = events, index

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._count = 0
        self._spans_of: Callable[[int, int], Spans] = lambda index, width: ()
        self._place: int | None = None
        self._sight = Sight()

    @property
    def place(self) -> int:
        """Which line the cursor is on."""
        last = max(0, self._count - 1)
        return last if self._place is None else min(self._place, last)

    def show(self, count: int, spans_of: Callable[[int, int], Spans]) -> None:
        """Show so many lines, each made by its place and the width that there is."""
        self._count, self._spans_of = count, spans_of
        self._draw_all()

    def put(self, place: int) -> None:
        """Put the cursor on a line."""
        self._place = place
        self._draw_all()

    def on_resize(self, _: events.Resize) -> None:
        """Use the room."""
        self._draw_all()

    def _draw_all(self) -> None:
        room, width = self.content_size.height, self.content_size.width
        if room == 0 or width == 0:
            return
        place = self.place
        top = self._sight.look(place, self._count, room)
        lines: list[Spans] = []
        for index in range(top, min(self._count, top + room)):
            spans = self._spans_of(index, width)
            if index == place:
                spans = tuple(Span(s.x, s.text, s.look, s.cells, "cursor") for s in spans)
            lines.append(spans)
        self.draw(lines, cursor="cursor")

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        if self._count:
            self.put(min(max(0, self.place + by), self._count - 1))

    def action_page(self, by: int) -> None:
        """Move the cursor by what is in sight."""
        self.action_move(by * max(1, self.content_size.height - 1))

    def action_follow(self) -> None:
        """Keep the newest in sight."""
        self._place = None
        self._draw_all()

    def action_choose(self) -> None:
        """Tell which line the cursor is on."""
        if self._count:
            self.post_message(self.Chosen(self, self.place))
