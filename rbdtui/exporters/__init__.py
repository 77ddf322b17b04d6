"""A site as the files of other tools; see ``exporter.py`` for what an exporter is. No secret is ever written."""

from __future__ import annotations

from typing import Final

from rbdtui.exporters import ansible, csv_table, hosts_file, kubekey, roi
from rbdtui.exporters.exporter import Exporter, LeftOut, left_out

EXPORTERS: Final[tuple[Exporter, ...]] = (
    csv_table.EXPORTER,
    hosts_file.EXPORTER,
    ansible.EXPORTER,
    kubekey.EXPORTER,
    roi.EXPORTER,
)
FORMATS: Final = tuple(exporter.name for exporter in EXPORTERS)


def exporter_named(name: str) -> Exporter:
    """The exporter of that name; raises `KeyError`."""
    return {exporter.name: exporter for exporter in EXPORTERS}[name]


__all__ = ["EXPORTERS", "FORMATS", "LeftOut", "exporter_named", "left_out"]
