"""Storage: where Rainbond and applications keep their data."""

from __future__ import annotations

from rbdtui.profiles import profile_named
from rbdtui.spec.sections.storage import StorageMode
from rbdtui.workbench import sections
from rbdtui.workbench.draft.operations import mode_in, text_at
from rbdtui.workbench.live.service_words import Advice
from screens.shell.form import FormScreen
from screens.widgets.declared_form import DeclaredForm
from screens.widgets.form_fields import Entries, FormField, Line, Mode

_CLASS = "storage.storage_class"


class StorageForm(DeclaredForm):
    """A class that is made has the profile's name for it; one that is there already has to be named."""

    @property
    def _made(self) -> bool:
        return mode_in(self.data, "storage") == StorageMode.NFS.value

    def usual_value(self, path: str) -> str:
        """As above."""
        if path != _CLASS:
            return super().usual_value(path)
        profile = profile_named(text_at(self.data, "profile"))
        return profile.storage_class if profile is not None and self._made else ""

    def advice(self, declared: FormField) -> Advice | None:
        """How to find the name of a class is said only where one has to be found."""
        return None if declared.path == _CLASS and self._made else super().advice(declared)


class StorageScreen(FormScreen):
    """Built in, a StorageClass, or NFS."""

    SECTION = sections.STORAGE
    FORM = StorageForm
    FIELDS = (
        Mode("storage.mode"),
        Line("storage.server"),
        Line("storage.path"),
        Line(_CLASS),
        Entries("storage.mount_options"),
    )
