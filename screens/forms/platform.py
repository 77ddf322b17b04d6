"""Platform: which Rainbond, under which domain, or whether KubeSphere; and what the chart is given beyond the plan."""

from __future__ import annotations

from typing import Final

from textual import events

from rbdtui.profiles import USUAL, Profile, profile_named
from rbdtui.rainbond_version import RainbondVersion
from rbdtui.spec.model import GatewayMode
from rbdtui.words import T
from rbdtui.workbench import sections
from rbdtui.workbench.draft.operations import mode_in, text_at, value_at
from rbdtui.workbench.live.service_words import Advice
from screens.shell.form import FormScreen
from screens.widgets.declared_form import DeclaredForm
from screens.widgets.form_fields import Block, Choice, FormField, Line, Offered

VERSION: Final = "rainbond.version"
INSTALL: Final = "kubesphere.install"


class PlatformForm(DeclaredForm):
    """The bundle offers its versions; without a suffix, names are made from the gateway address."""

    def draw(self) -> None:
        """The bundle is read as soon as the form is there."""
        self.workbench.look_at_bundle()
        super().draw()

    def is_shown(self, declared: FormField) -> bool:
        """Those of the platform that the profile has; KubeSphere's others once it is to be installed."""
        part = declared.path.partition(".")[0]
        profile = profile_named(self.data.get("profile", USUAL.name))
        stands = value_at(self.data, declared.path) is not None
        if profile is not None and part not in profile.sections:
            return stands
        waits = part == "kubesphere" and declared.path != INSTALL and value_at(self.data, INSTALL) is not True
        return stands if waits else super().is_shown(declared)

    def offers(self, path: str) -> tuple[str, ...]:
        """Versions of the bundle that the profile installs."""
        return self._releases() if path == VERSION else ()

    def _releases(self) -> tuple[str, ...]:
        look, profile = self.workbench.bundle, profile_named(self.data.get("profile", USUAL.name))
        if look.directory != text_at(self.data, "bundle"):
            return ()
        return tuple(tag for tag in look.releases if profile is None or _installs(profile, tag))

    def advice(self, declared: FormField) -> Advice | None:
        """What the bundle holds."""
        if declared.path != VERSION:
            return super().advice(declared)
        look, value = self.workbench.bundle, text_at(self.data, VERSION)
        if look.directory != text_at(self.data, "bundle"):
            return super().advice(declared)
        if look.unreadable is not None:
            return Advice(T("form.bundle.unreadable", reason=look.unreadable))
        releases = self._releases()
        held = ", ".join(releases or look.releases)
        if look.reading and not held:
            return Advice(T("form.bundle.reading"))
        if not held:
            return Advice(T("form.bundle.none"))
        if not releases:
            return Advice(T("form.bundle.other_profile", held=held))
        if value:
            if value in releases:
                return Advice(T("form.bundle.there"), good=True)
            return Advice(T("form.bundle.not_there", held=held))
        return Advice(T("form.bundle.only", held=held) if len(releases) == 1 else T("form.bundle.choose", held=held))

    def usual_value(self, path: str) -> str:
        """The only release in the bundle; nip.io with the address of the gateway for the domain of applications."""
        if path == VERSION:
            releases = self._releases()
            return releases[0] if len(releases) == 1 else ""
        if path != "rainbond.domain_suffix":
            return super().usual_value(path)
        own = "address" if mode_in(self.data, "gateway") == GatewayMode.EXTERNAL.value else "vip"
        address = text_at(self.data, f"gateway.{own}").partition("/")[0]
        return f"{address}.nip.io" if address else ""


def _installs(profile: Profile, tag: str) -> bool:
    version = RainbondVersion.parse(tag)
    return version is None or profile.versions is None or profile.versions[0] <= version < profile.versions[1]


class PlatformScreen(FormScreen):
    """Version, domain suffix and telemetry of Rainbond, or KubeSphere's few keys; values of the chart."""

    SECTION = sections.PLATFORM
    FORM = PlatformForm
    FIELDS = (
        Offered(VERSION),
        Line("rainbond.domain_suffix"),
        Choice("rainbond.telemetry", ("false", "true")),
        Block("rainbond.values"),
        Choice(INSTALL, ("false", "true")),
        Line("kubesphere.image_registry"),
        Line("kubesphere.storage_class"),
        Block("kubesphere.values"),
    )

    def on_screen_resume(self, _: events.ScreenResume) -> None:
        """Another disk may have been put in meanwhile; what is as it was is not read again."""
        if self.program.workbench is not None:
            self.workbench.look_at_bundle(again=True)
