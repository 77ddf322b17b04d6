"""etcd: where Rainbond 5.17 keeps its own state."""

from __future__ import annotations

from rbdtui.workbench import sections
from screens.shell.form import FormScreen
from screens.widgets.form_fields import Entries, Line, Mode


class EtcdScreen(FormScreen):
    """Built in, the cluster's, or one of the operator's own."""

    SECTION = sections.ETCD
    FIELDS = (
        Mode("etcd.mode"),
        Entries("etcd.endpoints"),
        Line("etcd.ca"),
        Line("etcd.cert"),
        Line("etcd.key"),
    )
