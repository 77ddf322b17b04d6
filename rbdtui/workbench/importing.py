"""What an import would make of a site's cluster.yaml: the new text and its difference, before anything is written."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from rbdtui.importers.imported import Hidden, Imported
from rbdtui.spec.edit import apply_edits, unified_diff
from rbdtui.spec.loader import LoadedSpec
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.saving import edits_between
from rbdtui.workbench.pasting.adding import add_pasted, forget_example, name_secrets
from rbdtui.workbench.pasting.reading import take
from rbdtui.workbench.pasting.taken import Pasted


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be written."""

    pasted: Pasted
    secrets: Mapping[Hidden, str]
    """The names in the vault of the secrets that were found."""
    text: str
    """cluster.yaml as it would be."""
    diff: str
    """Empty when cluster.yaml says all of it already."""


def propose(loaded: LoadedSpec, imported: Imported, vault: Mapping[str, str]) -> Proposal:
    """Bring an import into cluster.yaml, beside the secrets that are in the vault; raises `EditError`.

    ``loaded`` must be a YAML mapping, however wrong it may be.
    """
    before = cast(Data, json.loads(json.dumps(loaded.data, default=str)))
    pasted = take(imported, before, updating=True)
    after = copy.deepcopy(before)
    forget_example(after, pasted)
    secrets = name_secrets(pasted, vault, after)
    add_pasted(after, pasted, secrets)
    text = apply_edits(loaded.text, edits_between(before, after))
    return Proposal(pasted, secrets, text, unified_diff(loaded.text, text))
