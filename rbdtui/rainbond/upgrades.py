"""What one release of Rainbond over another meets, by the pair of both.

Read in goodrain/rainbond-operator (v6.2.1-release to v6.9.8-release) and goodrain/rainbond-chart (v6.2.1-release to
v6.9.3-release, the newest chart); seen in runs of the real operator and of helm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rbdtui.rainbond.releases import Release
from rbdtui.rainbond.workloads import Json, entries
from rbdtui.rainbond_version import RainbondVersion

READ: Final = (RainbondVersion(6, 2, 1), RainbondVersion(6, 9, 8))
"""The first and the last release of 6 that the rules were read in."""
READ_OLD: Final = (RainbondVersion(5, 17, 0), RainbondVersion(5, 17, 3))
"""The same of the generation before."""
_CHART_OWNS_CONFIG_SINCE: Final = RainbondVersion(6, 3, 1)
_LOCAL_PATH: Final = "local-path"
_SIZE_FROM: Final[Mapping[str, str]] = {
    "minio": "MINIO_DATA_STORAGE_REQUEST",
    "rbd-monitor": "MONITOR_DATA_STORAGE_REQUEST",
}
"""StatefulSets that the operator renews, and the variable by which it is told another size in GiB. It never renews
rbd-db (controllers/handler/{minio,monitor,db}.go)."""
RENEWED: Final = tuple(_SIZE_FROM)


class Refusal(StrEnum):
    """Why a release cannot follow another."""

    DOWNGRADE = "downgrade"
    """The databases are of the newer one already, and nobody takes them back."""
    GENERATION = "generation"
    """5.17 and 6 share neither chart nor data."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Two releases, of which one follows the other."""

    present: Release
    planned: Release

    @property
    def is_change(self) -> bool:
        """Whether they are two."""
        return self.present.version != self.planned.version

    @property
    def refusal(self) -> Refusal | None:
        """Why the planned one cannot follow; None when it can."""
        if self.present.is_old != self.planned.is_old:
            return Refusal.GENERATION
        return Refusal.DOWNGRADE if self.planned.version < self.present.version else None

    @property
    def unread(self) -> tuple[str, ...]:
        """Which of both nobody has read: what holds for the nearest one is taken to hold for it."""
        if not self.is_change or self.refusal is not None:
            return ()
        first, last = READ_OLD if self.planned.is_old else READ
        return tuple(each.tag for each in (self.present, self.planned) if not first <= each.version <= last)


def installed_tag(values: Mapping[str, object], chart_version: str) -> str:
    """Which Rainbond a release of helm holds: what its values say, else what its chart installs by itself."""
    cluster = values.get("Cluster")
    told = cluster.get("installVersion") if isinstance(cluster, Mapping) else None
    return str(told) if told else f"v{chart_version}-release"


def chart_owns_gateway_config(chart_version: str) -> bool:
    """Whether the chart brings the gateway's ConfigMap, which until then was the operator's (templates/)."""
    version = RainbondVersion.parse(chart_version)
    return version is not None and version >= _CHART_OWNS_CONFIG_SINCE


def outgrown(stateful_set: Json, planned: Release, operator_env: Mapping[str, str]) -> Iterator[str]:
    """How the claim templates differ from those that the planned operator would write, one line each, raw.

    Up to 6.9.5 it tries to, is refused by the API server, and does nothing more for that component.
    """
    name = str((stateful_set.get("metadata") or {}).get("name", ""))
    if planned.is_old or planned.keeps_claim_templates or name not in RENEWED:
        return
    wanted = _wanted_claim(name, planned, operator_env)
    for template in entries((stateful_set.get("spec") or {}).get("volumeClaimTemplates")):
        there = _claim(template)
        if there != wanted:
            yield f"statefulset/{name}: claims {' '.join(there)}, {planned.tag} claims {' '.join(wanted)}"


def _wanted_claim(name: str, planned: Release, operator_env: Mapping[str, str]) -> tuple[str, str]:
    """Size and class."""
    told = operator_env.get(_SIZE_FROM[name], "")
    gib = int(told) if told.isascii() and told.isdigit() else planned.claims_gib.get(name, 1)
    chosen = operator_env.get("STORAGE_CLASS_NAME") if planned.honours_storage_class else None
    return f"{gib}Gi" if gib % 1024 else f"{gib // 1024}Ti", chosen or _LOCAL_PATH


def _claim(template: Json) -> tuple[str, str]:
    spec = template.get("spec") or {}
    requests = (spec.get("resources") or {}).get("requests") or {}
    return str(requests.get("storage", "")), str(spec.get("storageClassName") or "")
