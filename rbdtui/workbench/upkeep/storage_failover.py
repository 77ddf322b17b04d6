"""How the copy of the made NFS server becomes the server, step by step, with the commands for this very site.

Nothing of it is done here: who does it must know that the source is off, and volumes have to be made again, because
their server never changes (README, "A copy of the NFS server").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rbdtui.paths import as_typed
from rbdtui.probes.nfs_copy_state import read_copy_state
from rbdtui.session import Session
from rbdtui.site import SiteError
from rbdtui.spec.model import Node
from rbdtui.spec.nfs_copy import PUSH_UNIT
from rbdtui.transport.base import Host, TransportError
from rbdtui.words import T, Text

_VOLUMES: Final = """\
export KUBECONFIG={kubeconfig}
for volume in $(kubectl get pv -o jsonpath="{{range .items[?(@.spec.nfs.server==\\"{old}\\")]}}{{.metadata.name}}{{\\"\\n\\"}}{{end}}"); do
  kubectl get pv "$volume" -o yaml |
    sed -e 's/^    server: {old}$/    server: {new}/' -e '/^  \\(resourceVersion\\|uid\\): /d' >"volume-$volume.yaml"
  kubectl delete pv "$volume" --wait=false
  kubectl patch pv "$volume" --type=merge -p '{{"metadata":{{"finalizers":null}}}}'
  kubectl create -f "volume-$volume.yaml"
done"""  # noqa: E501 - one command
_PODS: Final = """\
kubectl get pods -A -o jsonpath='{range .items[*]}{.metadata.namespace} {.metadata.name} \
{.spec.volumes[*].persistentVolumeClaim.claimName}{"\\n"}{end}' | awk 'NF > 2 { print $1, $2 }' |
  while read -r namespace pod; do kubectl delete pod -n "$namespace" "$pod" --wait=false; done"""


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody does, and the commands for it; empty where it is no command."""

    what: Text
    commands: str = ""


@dataclass(frozen=True, slots=True)
class Checklist:
    """All of it, in its order."""

    loss: Text
    """What is lost, as far as the source still says it."""
    steps: tuple[Command, ...]


async def storage_checklist(session: Session) -> Checklist:
    """Ask the source how it stands; raises `SiteError` where the plan has no copy."""
    source, copy = session.spec.nfs_node, session.spec.nfs_copy_node
    if source is None or copy is None:
        raise SiteError(T("storage_failover.no_copy"))
    async with session.hosts() as hosts:
        loss = await _loss(hosts[source.name], copy)
    return Checklist(loss, tuple(_steps(session, source, copy)))


async def _loss(source: Host, copy: Node) -> Text:
    try:
        state = await read_copy_state(source)
    except TransportError as error:
        return T("storage_failover.silent", source=source.name, copy=copy.name, reason=error.text)
    if state.behind_s is None:
        return T("storage_failover.never", source=source.name, copy=copy.name)
    return T("storage_failover.behind", source=source.name, copy=copy.name, seconds=state.behind_s)


def _steps(session: Session, source: Node, copy: Node) -> Iterator[Command]:
    spec, site = session.spec, as_typed(session.site.path)
    names = {"source": source.name, "copy": copy.name, "site": site}

    def step(word: str, commands: str = "") -> Command:
        return Command(T(f"storage_failover.step.{word}", **names), commands)  # words: storage_failover.step.*

    yield step("off", f"systemctl disable --now nfs-server\nsystemctl disable --now {PUSH_UNIT}")
    yield step("become", f"rbdtui-nfs-copy become source {spec.name}")
    yield step("plan", f"storage:\n  node: {copy.name}")
    yield step("run", f"rbdtui run {site}")
    old, new = str(source.cluster_address), str(copy.cluster_address)
    kubeconfig = as_typed(session.site.kubeconfig_file)
    yield step("volumes", _VOLUMES.format(kubeconfig=kubeconfig, old=old, new=new))
    yield step("pods", _PODS)
    yield step("back", f"rbdtui-nfs-copy become copy {spec.name}")
