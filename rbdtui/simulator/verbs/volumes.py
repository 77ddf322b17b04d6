"""The script that looks at a volume's directory: what simulated volumes hold, by the name of their directory."""

from __future__ import annotations

from rbdtui.simulator.call import Call, Verbs


async def volume_used(call: Call) -> int:
    """``volume-used DIRECTORY``: the directory is named after its volume, as local-path-provisioner does."""
    volume = call.args[0].rpartition("/")[2].partition("_")[0]
    for cluster in list(call.machine.network.clusters.values())[:1]:
        if (files := cluster.store.contents.get(volume)) is not None:
            call.line(str(4 + sum(map(len, files.values())) // 1024))
    return 0


VERBS: Verbs = {"volume-used": volume_used}
