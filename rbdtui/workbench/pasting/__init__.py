"""Servers out of whatever an operator pastes: addresses, ranges, hosts files, inventories, tables; what is left out.

Every line is judged by itself, so that one bad line costs nothing else, and a word that is of no use costs its line
nothing either: it is remarked on. Nothing here raises, whatever the text is.
"""

from rbdtui.workbench.pasting.adding import add_pasted, put_addresses
from rbdtui.workbench.pasting.ranges import addresses_in
from rbdtui.workbench.pasting.reading import read_pasted
from rbdtui.workbench.pasting.taken import Pasted, PastedNode, Remark
from rbdtui.workbench.pasting.text import MOST_CHARS, MOST_LINES, harmless_lines

__all__ = [
    "MOST_CHARS",
    "MOST_LINES",
    "Pasted",
    "PastedNode",
    "Remark",
    "add_pasted",
    "addresses_in",
    "harmless_lines",
    "put_addresses",
    "read_pasted",
]
