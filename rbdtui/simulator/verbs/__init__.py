"""What the scripts of ``assets/scripts`` do on a simulated machine, by name."""

from __future__ import annotations

from rbdtui.simulator.call import Verbs
from rbdtui.simulator.verbs import (
    audit,
    certificates,
    conversion,
    drill,
    facts,
    files,
    images,
    kubernetes,
    removal,
    repairs,
    services,
    snapshots,
    support,
    system,
    transfer,
    volumes,
)

VERBS: Verbs = {
    **audit.VERBS,
    **certificates.VERBS,
    **conversion.VERBS,
    **drill.VERBS,
    **facts.VERBS,
    **files.VERBS,
    **images.VERBS,
    **kubernetes.VERBS,
    **removal.VERBS,
    **repairs.VERBS,
    **services.VERBS,
    **snapshots.VERBS,
    **support.VERBS,
    **system.VERBS,
    **transfer.VERBS,
    **volumes.VERBS,
}
