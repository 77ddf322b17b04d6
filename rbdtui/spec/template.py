"""The commented examples that a new site starts from."""

from __future__ import annotations

import re
from typing import Final

from rbdtui.profiles import Profile, profile_named, proposed
from rbdtui.spec.surgery import rendered
from rbdtui.spec.values import label_like

EXAMPLES: Final = (
    "kubernetes-only",
    "three-node",
    "separate-gateways",
    "haproxy-pair",
    "kubesphere",
    "rainbond-5.17",
    "existing-cluster",
    "rainbond-3.6",
)
"""Names of the files in ``assets/examples``, that which this version installs in full first."""

_PROFILE_LINE: Final = re.compile(r"^profile: (\S+)", re.MULTILINE)
_NAME_LINE: Final = re.compile(r"^name: \S+ *", re.MULTILINE)


def fill_example(text: str, *, site_name: str) -> str:
    """An example with the site's name in place, changed as little as makes it an allowed name."""
    name = rendered(label_like(site_name) or "site-a")
    return _NAME_LINE.sub(lambda line: f"name: {name} ".ljust(len(line[0])), text, count=1)


def profile_of(text: str) -> Profile:
    """What an example installs."""
    found = _PROFILE_LINE.search(text)
    return (profile_named(found[1]) if found else None) or proposed()
