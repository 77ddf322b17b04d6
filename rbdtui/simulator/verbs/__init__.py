"""What the scripts of ``assets/scripts`` do on a simulated machine, by name."""

from __future__ import annotations

from rbdtui.simulator.call import Verbs

VERBS: Verbs = {}
