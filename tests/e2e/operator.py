"""Somebody before the screen: presses keys, and waits for what is to come about."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from textual.screen import Screen

from rbdtui.words import T
from rbdtui.workbench.workbench import Workbench
from screens.app import RbdTuiApp
from screens.widgets.frame import HeadLine, MessageLine
from tests.screens.pilot import SwiftPilot

LIMIT_S = 120.0


class Operator:
    """Presses keys and looks at what is on the screen."""

    def __init__(self, app: RbdTuiApp, pilot: SwiftPilot) -> None:
        self.app, self._pilot = app, pilot

    @property
    def workbench(self) -> Workbench:
        assert self.app.workbench is not None
        return self.app.workbench

    @property
    def hint(self) -> str:
        return str(self.app.screen.query_one(MessageLine).hint)

    @property
    def said(self) -> str:
        return str(self.app.screen.query_one(MessageLine).said)

    async def press(self, *keys: str) -> None:
        await self._pilot.press(*keys)

    async def until(self, condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
        end = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < end, f"this did not come about; on the screen:\n{self.app.text_on_screen()}"
            await asyncio.sleep(0.05)
            await self._pilot.pause()

    async def sees(self, screen: type[Screen[Any]]) -> None:
        await self.until(lambda: isinstance(self.app.screen, screen))

    async def goes_to(self, key: str, section: str) -> None:
        await self.press(key)
        assert self.app.current_mode == section
        simulated = str(T("shell.simulated")) if self.workbench.simulated else ""
        assert self.app.screen.query_one(HeadLine).mark == simulated
