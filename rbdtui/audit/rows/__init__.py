"""All rows of the page, in its order: one file for each chapter, and one line here."""

from __future__ import annotations

from typing import Final

from rbdtui.audit.row import RowSpec
from rbdtui.audit.rows import dns, entrance, glusterfs, hosts, levels, switch, vip

ROWS: Final[tuple[RowSpec, ...]] = (
    *levels.ROWS,
    *glusterfs.ROWS,
    *entrance.ROWS,
    *dns.ROWS,
    *vip.ROWS,
    *switch.ROWS,
    *hosts.ROWS,
)
