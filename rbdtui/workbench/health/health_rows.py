"""Which rows of a cluster's health are seen and in which order: as in every list, what all share being the last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rbdtui.words import T
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.operations import field_of, nodes_in
from rbdtui.workbench.health.health_table import HealthRow, HealthTable
from rbdtui.workbench.live.node_rows import Mark
from rbdtui.workbench.roles import roles_of
from rbdtui.workbench.row_view import ListedRow, ListView, Order


def seen_rows(table: HealthTable, view: ListView, data: Data, keep: str = "") -> HealthTable:
    """The rows that are wanted; the one of the target ``keep`` is among them in any case."""
    nodes = {field_of(node, "name"): node for _, node in nodes_in(data)}
    told = [nodes.get(row.target, {}) for row in table.rows]
    listed = [
        ListedRow(place, row.target, field_of(node, "address"), Mark.WARNING if row.bad else Mark.OK, -row.rank)
        for place, (row, node) in enumerate(zip(table.rows, told, strict=True))
    ]
    kept = next((place for place, row in enumerate(table.rows) if row.target == keep), None)
    places = view.seen(listed, lambda place: _searched(table.rows[place], told[place]), kept)
    return table.of(sorted(places, key=lambda place: table.rows[place].is_shared))


def worst_first(table: HealthTable, view: ListView, data: Data, keep: str = "") -> HealthTable:
    """The same rows, the worst hosts above the others."""
    return seen_rows(table, replace(view, order=Order.WORST), data, keep)


def _searched(row: HealthRow, node: Mapping[str, object]) -> str:
    """Its name, address and roles, and what is wrong with it."""
    wrong = [f"{status.key.id} {status.detail}" for status in row.bad]
    if row.is_shared:
        return " ".join([str(T(f"health_screen.target.{row.target}")), *wrong])  # words: health_screen.target.*
    return " ".join([row.target, field_of(node, "address"), *roles_of(node), *wrong])
