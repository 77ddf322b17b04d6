"""Registry: where images are pushed to and pulled from."""

from __future__ import annotations

from rbdtui.workbench import sections
from screens.shell.form import FormScreen
from screens.widgets.form_fields import Choice, Line, Mode, Secret


class RegistryScreen(FormScreen):
    """Built in, or one of the operator's own."""

    SECTION = sections.REGISTRY
    FIELDS = (
        Mode("registry.mode"),
        Line("registry.domain"),
        Line("registry.namespace"),
        Line("registry.username"),
        Secret("registry.password", "registry"),
        Choice("registry.scheme"),
        Line("registry.ca"),
        Choice("registry.insecure_skip_verify", ("false", "true")),
    )
