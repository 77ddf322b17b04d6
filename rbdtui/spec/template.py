"""The commented examples that a new site starts from."""

from __future__ import annotations

import re
from typing import Final

from rbdtui.spec.surgery import rendered
from rbdtui.spec.values import label_like

EXAMPLES: Final = ("three-node", "kubernetes-only", "separate-gateways")
"""Names of the files in ``assets/examples``, the usual one first."""

_NAME_LINE: Final = re.compile(r"^name: \S+ *", re.MULTILINE)


def fill_example(text: str, *, site_name: str) -> str:
    """An example with the site's name in place, changed as little as makes it an allowed name."""
    name = rendered(label_like(site_name) or "site-a")
    return _NAME_LINE.sub(lambda line: f"name: {name} ".ljust(len(line[0])), text, count=1)
