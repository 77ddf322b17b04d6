"""What the scripts of ``assets/scripts`` do on a simulated machine, by name."""

from __future__ import annotations

from rbdtui.simulator.call import Verbs
from rbdtui.simulator.verbs import facts, files, kubernetes, system, transfer

VERBS: Verbs = {**facts.VERBS, **files.VERBS, **kubernetes.VERBS, **system.VERBS, **transfer.VERBS}
