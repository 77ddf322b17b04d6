"""Storage: where Rainbond and applications keep their data."""

from __future__ import annotations

from collections.abc import Sequence

from rbdtui.profiles import profile_named
from rbdtui.roles import Role
from rbdtui.spec.sections.storage import ON_NFS
from rbdtui.workbench import sections
from rbdtui.workbench.draft.operations import field_of, mode_in, nodes_in, text_at
from rbdtui.workbench.live.disk_offers import PATH as DISKS
from rbdtui.workbench.live.disk_offers import chosen_disks
from rbdtui.workbench.live.service_words import Advice
from rbdtui.workbench.roles import roles_of
from screens.shell.form import FormScreen
from screens.widgets.declared_form import DeclaredForm, Whole
from screens.widgets.form_fields import Block, Entries, FormField, Line, Mode, Offered

_CLASS = "storage.storage_class"
_NODE, _COPY = "storage.node", "storage.copy_node"


class StorageForm(DeclaredForm):
    """A class that is made has the profile's name for it; one that is there already has to be named."""

    @property
    def _made(self) -> bool:
        return mode_in(self.data, "storage") in ON_NFS

    def usual_value(self, path: str) -> str:
        """The class that the profile makes, where none is named."""
        if path != _CLASS:
            return super().usual_value(path)
        profile = profile_named(text_at(self.data, "profile"))
        return profile.storage_class if profile is not None and self._made else ""

    def offers(self, path: str) -> tuple[str, ...]:
        """The servers that may be made one: all but balancers and the other one, those for nothing else in front."""
        if path not in (_NODE, _COPY):
            return ()
        other = text_at(self.data, _COPY if path == _NODE else _NODE)
        nodes = [node for _, node in nodes_in(self.data) if Role.BALANCER.value not in roles_of(node)]
        nodes.sort(key=lambda node: Role.SERVICE.value not in roles_of(node))
        return tuple(name for node in nodes if (name := field_of(node, "name")) and name != other)

    def names_within(self, path: str) -> Sequence[str]:
        """Each disk by its server and its name."""
        if path != DISKS:
            return super().names_within(path)
        chosen = chosen_disks(self.data)
        return [f"{each.get('node', '')} {each.get('device', '').rpartition('/')[2]}" for each in chosen]

    async def edited(self, declared: FormField) -> Whole | None:
        """Disks are chosen from those that the servers have."""
        from screens.dialogs.disks import DisksDialog

        if declared.path != DISKS:
            return await super().edited(declared)
        return await self.program.ask(DisksDialog())

    def advice(self, declared: FormField) -> Advice | None:
        """How to find the name of a class is said only where one has to be found."""
        if declared.path == DISKS:
            return Advice(declared.hint) if declared.hint is not None and not chosen_disks(self.data) else None
        return None if declared.path == _CLASS and self._made else super().advice(declared)


class StorageScreen(FormScreen):
    """Built in, a StorageClass, NFS from a server that is there or one that is made, or Ceph on disks of the nodes."""

    SECTION = sections.STORAGE
    FORM = StorageForm
    FIELDS = (
        Mode("storage.mode"),
        Line("storage.server"),
        Offered(_NODE),
        Line("storage.path"),
        Line(_CLASS),
        Entries("storage.mount_options"),
        Offered(_COPY),
        Block(DISKS),
    )
