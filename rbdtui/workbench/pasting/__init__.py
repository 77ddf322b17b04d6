"""Servers out of whatever an operator pastes or imports, beside the nodes that are there; what is left out.

The formats are `rbdtui.importers`; here is what becomes of them in a draft. Nothing here raises, whatever the text is.
"""

from rbdtui.importers.imported import ImportedNode, Remark
from rbdtui.importers.lists.ranges import addresses_in
from rbdtui.importers.lists.text import MOST_CHARS, MOST_LINES, harmless_lines
from rbdtui.workbench.pasting.adding import add_pasted, put_addresses
from rbdtui.workbench.pasting.files import is_path, read_given
from rbdtui.workbench.pasting.reading import read_pasted, take
from rbdtui.workbench.pasting.taken import Pasted

__all__ = [
    "MOST_CHARS",
    "MOST_LINES",
    "ImportedNode",
    "Pasted",
    "Remark",
    "add_pasted",
    "addresses_in",
    "harmless_lines",
    "is_path",
    "put_addresses",
    "read_given",
    "read_pasted",
    "take",
]
