"""What was understood goes into the draft."""

from __future__ import annotations

from collections.abc import Sequence

from rbdtui.workbench.draft import Data
from rbdtui.workbench.operations import (
    NodeData,
    append_node,
    field_of,
    nodes_in,
    put_in_node,
    room_for_nodes,
)
from rbdtui.workbench.pasting.reading import read_pasted
from rbdtui.workbench.pasting.taken import Pasted, PastedNode


def add_pasted(data: Data, pasted: Pasted) -> None:
    """Put what was understood into the draft."""
    places = {field_of(node, "name"): index for index, node in nodes_in(data)}
    for node in pasted.nodes:
        if node.name in pasted.filled and node.name in places:
            put_in_node(data, places[node.name], "address", node.address)
        elif room_for_nodes(data):
            append_node(data, _as_data(node))


def put_addresses(data: Data, index: int, addresses: Sequence[str]) -> None:
    """Give a node the first of several addresses, and add nodes for the others."""
    put_in_node(data, index, "address", addresses[0])
    add_pasted(data, read_pasted("\n".join(addresses[1:]), data))


def _as_data(node: PastedNode) -> NodeData:
    made: NodeData = {"name": node.name}
    if node.address:
        made["address"] = node.address
    if node.roles:
        made["roles"] = list(node.roles)
    ssh = {key: value for key, value in (("user", node.user), ("port", node.port)) if value}
    return {**made, "ssh": ssh} if ssh else made
