"""MySQL: the databases of the console and of the region."""

from __future__ import annotations

from rbdtui.roles import Role
from rbdtui.workbench import sections
from rbdtui.workbench.draft.operations import field_of, nodes_in, text_at
from rbdtui.workbench.roles import roles_of
from screens.shell.form import FormScreen
from screens.widgets.declared_form import DeclaredForm
from screens.widgets.form_fields import Line, Mode, Number, Offered, Secret

_SOURCE, _REPLICA = "mysql.source", "mysql.replica"


class MysqlForm(DeclaredForm):
    """A pair is made on two of the servers that stand there."""

    def offers(self, path: str) -> tuple[str, ...]:
        """All but balancers and the other of the two, those for nothing else in front."""
        if path not in (_SOURCE, _REPLICA):
            return ()
        other = text_at(self.data, _REPLICA if path == _SOURCE else _SOURCE)
        nodes = [node for _, node in nodes_in(self.data) if Role.BALANCER.value not in roles_of(node)]
        nodes.sort(key=lambda node: Role.SERVICE.value not in roles_of(node))
        return tuple(name for node in nodes if (name := field_of(node, "name")) and name != other)


class MysqlScreen(FormScreen):
    """Built in, a server of the operator's own, or a pair that is made."""

    SECTION = sections.MYSQL
    FORM = MysqlForm
    FIELDS = (
        Mode("mysql.mode"),
        Line("mysql.host"),
        Offered(_SOURCE),
        Offered(_REPLICA),
        Number("mysql.port"),
        Line("mysql.username"),
        Secret("mysql.password", "mysql"),
    )
