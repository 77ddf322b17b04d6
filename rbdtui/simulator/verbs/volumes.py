"""The script that looks at a volume's directory: what simulated volumes hold, by the name of their directory."""

from __future__ import annotations

from rbdtui.simulator.call import Call, Verbs
from rbdtui.simulator.kubernetes.volumes import directory


async def volume_used(call: Call) -> int:
    """``volume-used DIRECTORY``: mostly named after its volume, as local-path-provisioner does."""
    volume = call.args[0].rpartition("/")[2].partition("_")[0]
    for cluster in list(call.machine.network.clusters.values())[:1]:
        place = directory(call.machine.hostname, call.args[0])
        if (files := cluster.store.contents.get(place, cluster.store.contents.get(volume))) is not None:
            call.line(str(4 + sum(map(len, files.values())) // 1024))
    return 0


VERBS: Verbs = {"volume-used": volume_used}
