"""Servers and settings out of the files of other tools; see ``importer.py`` for what an importer is.

A text comes from anybody and may be anything: nothing here raises for it, takes long, or shows a secret.
"""

from __future__ import annotations

from typing import Final

from rbdtui.importers import (
    ansible_ini,
    ansible_vars,
    ansible_yaml,
    hosts_file,
    k0sctl,
    kubekey,
    kubekey_inventory,
    rke1,
    roi,
    ssh_config,
    tables,
)  # fmt: skip
from rbdtui.importers.imported import Imported
from rbdtui.importers.importer import Importer, Match

IMPORTERS: Final[tuple[Importer, ...]] = (
    roi.IMPORTER,
    kubekey.IMPORTER,
    kubekey_inventory.IMPORTER,
    k0sctl.IMPORTER,
    rke1.IMPORTER,
    ansible_ini.IMPORTER,
    ansible_yaml.IMPORTER,
    ansible_vars.IMPORTER,
    ssh_config.IMPORTER,
    tables.IMPORTER,
    hosts_file.IMPORTER,
)
"""All formats; where several are as sure, the first counts."""
FORMATS: Final = tuple(importer.name for importer in IMPORTERS)


def recognised(text: str) -> Importer | None:
    """Whose format a text is; None when nobody's."""
    sure = [(importer.matches(text), importer) for importer in IMPORTERS]
    best = max(match for match, _ in sure)
    return None if best is Match.NO else next(importer for match, importer in sure if match == best)


def importer_named(name: str) -> Importer:
    """The importer of that name; raises `KeyError`."""
    return {importer.name: importer for importer in IMPORTERS}[name]


__all__ = ["FORMATS", "IMPORTERS", "Imported", "importer_named", "recognised"]
