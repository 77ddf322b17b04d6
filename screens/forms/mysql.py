"""MySQL: the databases of the console and of the region."""

from __future__ import annotations

from rbdtui.workbench import sections
from screens.shell.form import FormScreen
from screens.widgets.form_fields import Line, Mode, Number, Secret


class MysqlScreen(FormScreen):
    """Built in, or a server of the operator's own."""

    SECTION = sections.MYSQL
    FIELDS = (
        Mode("mysql.mode"),
        Line("mysql.host"),
        Number("mysql.port"),
        Line("mysql.username"),
        Secret("mysql.password", "mysql"),
    )
