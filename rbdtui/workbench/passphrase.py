"""The vault's passphrase for a program that asks for it in its own time: what was typed, or what a file holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from rbdtui.session import PassphraseSource
from rbdtui.site import SiteError
from rbdtui.words import T


@dataclass(slots=True)
class HeldPassphrase:
    """Gives what was typed; asks ``otherwise`` (a file, a demo's own) when nothing was, else refuses."""

    otherwise: PassphraseSource | None = None
    _typed: str = field(default="", repr=False)

    def give(self, passphrase: str) -> None:
        """Take what the operator typed."""
        self._typed = passphrase

    @property
    def ready(self) -> bool:
        """Whether there is something to give without asking anybody."""
        return bool(self._typed) or self.otherwise is not None

    def existing(self) -> str:
        """The passphrase of a vault that is there; raises `SiteError` when nobody has typed one."""
        if self._typed:
            return self._typed
        if self.otherwise is not None:
            return self.otherwise.existing()
        raise SiteError(T("workbench.locked"))

    def new(self) -> str:
        """The passphrase for a new vault; raises `SiteError` when nobody has typed one."""
        if self._typed:
            return self._typed
        if self.otherwise is not None:
            return self.otherwise.new()
        raise SiteError(T("workbench.locked"))
