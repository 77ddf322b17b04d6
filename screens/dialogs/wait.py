"""Waiting for what is being looked at: keys do nothing meanwhile, so that none means something else than it will."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import CancelledError, Future
from typing import Any, ClassVar, Final, TypeVar

from textual.binding import BindingType
from textual.widget import Widget

from rbdtui.words import T, Text
from screens.shell.base import BaseScreen, Dialog, Words, key

SHOWN_AFTER_S: Final = 0.4
"""What is there sooner does not flash up a box."""
_Found = TypeVar("_Found")


class WaitDialog(Dialog[None]):
    """Goes by itself when a future is done; Escape goes at once."""

    BINDINGS: ClassVar[list[BindingType]] = [key("escape", "dismiss_none", "give_up", priority=True)]

    def __init__(self, future: Future[Any], what: Text) -> None:
        super().__init__(classes="-unseen")
        self._future, self._what = future, what

    def title_text(self) -> Text:
        """What is being done."""
        return self._what

    def body(self) -> Iterable[Widget]:
        """That nothing happens yet."""
        yield Words(T("dialog.only_looking"))

    def on_mount(self) -> None:
        """Come up when it takes long, and go when it is done."""
        self.set_timer(SHOWN_AFTER_S, lambda: self.remove_class("-unseen"))
        self._future.add_done_callback(lambda _: self.app.call_later(self._leave))

    def _leave(self) -> None:
        if self.is_current:
            self.dismiss(None)


async def looked(screen: BaseScreen[Any], future: Future[_Found], what: Text) -> _Found | None:
    """What is found, for workers; None when it was given up, or could not be told, the reason of which is said."""
    await screen.program.ask(WaitDialog(future, what))
    if not future.done():
        future.cancel()
        return None
    try:
        return future.result()
    except CancelledError:
        return None
    except Exception as error:  # whatever it is, it has its sentence
        screen.tell(screen.program.sentence(error), bad=True)
        return None
