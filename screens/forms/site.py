"""The site itself: its name, what is installed, where the packages are, and how to log in to its servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rbdtui.profiles import PROFILES
from rbdtui.words import T, Text
from rbdtui.workbench import sections
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.operations import is_existing, value_at
from rbdtui.workbench.draft.switching import laid_aside, set_distribution, set_profile
from rbdtui.workbench.live.service_words import Advice
from rbdtui.workbench.sections import section_of_field
from screens.shell.form import FormScreen
from screens.widgets.declared_form import DeclaredForm
from screens.widgets.form_fields import Choice, FormField, Heading, Line, Number, Secret

_INSTALLED: Final = tuple(profile.name for profile in PROFILES if not profile.audit_only)
"""Of a site that is only compared none is marked: nothing is installed there."""


class SiteForm(DeclaredForm):
    """Several bastions cannot be shown in a form and are left alone; of a cluster that is there nobody logs in."""

    def is_shown(self, declared: FormField) -> bool:
        """Whether the field is used by the distribution, or something is written there."""
        written = any(value_at(self.data, path) is not None for path in self.paths(declared.path))
        if declared.path == "kubernetes.kubeconfig":
            return written or is_existing(self.data)
        if declared.path.startswith("ssh."):
            return written or not is_existing(self.data)
        return super().is_shown(declared)

    def choose(self, data: Data, declared: Choice, value: str) -> None:
        """What another choice has no use for is laid aside, and that is said."""
        change = {"profile": set_profile, "kubernetes.distribution": set_distribution}.get(declared.path)
        if change is None:
            super().choose(data, declared, value)
        elif laid := change(data, value, self.workbench.draft.aside):
            said = _names(laid) if declared.path == "profile" else ", ".join(laid)
            self.program.tell(T("form.laid_aside", what=said))

    def advice(self, declared: FormField) -> Advice | None:
        """Beneath the profile stands what waits for another one."""
        waiting = laid_aside(self.data, self.workbench.draft.aside) if declared.path == "profile" else []
        return Advice(T("form.waits_aside", what=_names(waiting))) if waiting else super().advice(declared)

    def draw(self) -> None:
        """Headings stand only above fields."""
        super().draw()
        shown = any(self.is_shown(each) for each in self._fields if isinstance(each, Line) and each.path[:4] == "ssh.")
        for heading in self.query(".heading"):
            heading.display = shown

    def is_locked(self, declared: FormField) -> bool:
        """Whether it belongs to one of several bastions."""
        return declared.path.startswith("ssh.bastion") and isinstance(value_at(self.data, "ssh.bastion"), list)


def _names(parts: Sequence[str]) -> Text | str:
    """Sections of cluster.yaml as the rail calls them."""
    said: Text | str = ""
    for part in parts:
        name = Text(f"section.{section_of_field(part)}")  # words: section.*
        said = T("form.and", first=said, second=name) if said else name
    return said


class SiteScreen(FormScreen):
    """Name, profile, bundle and login."""

    SECTION = sections.SITE
    FORM = SiteForm
    FIELDS = (
        Line("name"),
        Choice("profile", _INSTALLED, named=False),
        Line("bundle"),
        Choice("kubernetes.distribution"),
        Line("kubernetes.kubeconfig"),
        Heading("login"),
        Line("ssh.user"),
        Number("ssh.port"),
        Line("ssh.key"),
        Secret("ssh.passphrase", "key"),
        Secret("ssh.password", "ssh"),
        Secret("ssh.sudo_password", "sudo"),
        Heading("bastion"),
        Line("ssh.bastion.address"),
        Number("ssh.bastion.port"),
        Line("ssh.bastion.user"),
        Line("ssh.bastion.key"),
        Secret("ssh.bastion.passphrase", "bastion-key"),
        Secret("ssh.bastion.password", "bastion"),
    )
