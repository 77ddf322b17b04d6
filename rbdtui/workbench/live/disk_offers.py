"""Disks of the servers that answered, as they can be chosen for Ceph, and those that are chosen by now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rbdtui.checks.hosts.ceph import use_text
from rbdtui.facts.model import Disk, DiskUse, NodeFacts
from rbdtui.profiles.limits import GIB
from rbdtui.roles import OUTSIDE
from rbdtui.words import T, Text
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.operations import field_of, nodes_in, value_at
from rbdtui.workbench.roles import roles_of

PATH: Final = "storage.disks"
_MOST_CHARACTERS: Final = 18
"""Of a model and of a serial number each: what follows on the line says why a disk cannot be chosen."""

Chosen = dict[str, str]
"""An entry of the draft: node, device, and the serial number where the disk has one."""


@dataclass(frozen=True, slots=True)
class OfferedDisk:
    """A disk of a server; without the disk itself one that is chosen and not seen now."""

    node: str
    disk: Disk | None
    entry: Chosen = field(hash=False)
    """As it stands in the draft, or would."""

    @property
    def refusal(self) -> Text | None:
        """Why it cannot be chosen; None when it can."""
        if self.disk is None:
            return None
        if self.disk.use is not DiskUse.NOTHING:
            return T("disks_dialog.not_empty", name=self.disk.name, node=self.node, use=use_text(self.disk.use))
        return None if self.entry["device"] else T("disks_dialog.nameless", name=self.disk.name, node=self.node)

    @property
    def words(self) -> Text:
        """What it is, in a line."""
        disk = self.disk
        if disk is None:
            return T("disks_dialog.gone", node=self.node, device=self.entry["device"])
        serial = disk.serial[:_MOST_CHARACTERS] or T("disks_dialog.no_serial")
        return T(
            "disks_dialog.line", name=disk.name, gib=f"{disk.size_bytes / GIB:.0f}",
            model=disk.model[:_MOST_CHARACTERS], serial=serial, use=use_text(disk.use),
        )  # fmt: skip

    def is_like(self, entry: Mapping[str, str]) -> bool:
        """Whether an entry of the draft means this disk."""
        if entry.get("node") != self.node:
            return False
        names = self.disk.links if self.disk is not None else (self.entry["device"],)
        return entry.get("device") in names


def chosen_disks(data: Data) -> list[Chosen]:
    """What the draft has; anything that is no entry is left out."""
    listed = value_at(data, PATH)
    entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return [{str(key): str(value) for key, value in each.items()} for each in entries]


def offered_disks(data: Data, facts: Mapping[str, NodeFacts]) -> list[OfferedDisk]:
    """All disks of the nodes of Kubernetes in the order of the plan, then what is chosen and not seen."""
    names = [name for _, node in nodes_in(data) if _is_in_cluster(roles_of(node)) and (name := field_of(node, "name"))]
    offers = [
        OfferedDisk(name, disk, _entry(name, disk)) for name in names if name in facts for disk in facts[name].disks
    ]
    unseen = [each for each in chosen_disks(data) if not any(offer.is_like(each) for offer in offers)]
    return offers + [OfferedDisk(each.get("node", ""), None, {"device": "", **each}) for each in unseen]


def _is_in_cluster(roles: Sequence[str]) -> bool:
    return not any(role.value in roles for role in OUTSIDE)


def _entry(node: str, disk: Disk) -> Chosen:
    entry = {"node": node, "device": disk.stable_name}
    return entry | ({"serial": disk.serial} if disk.serial else {})


def toggled(chosen: Sequence[Chosen], offer: OfferedDisk) -> list[Chosen]:
    """What is chosen once a disk is taken in addition, or is dropped."""
    kept = [each for each in chosen if not offer.is_like(each)]
    return kept if len(kept) < len(chosen) else [*chosen, dict(offer.entry)]
